package manifests_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"headstart.dev/headstart/test/controlplane"
)

// crdNames are those of the chart, for kubectl.
var crdNames = []string{
	"crd/calendars.headstart.dev", "crd/forecasts.headstart.dev", "crd/peakschedules.headstart.dev",
	"crd/warmpools.headstart.dev",
}

// checkHelm installs, upgrades and uninstalls the chart, in another namespace than the usual one.
// Nothing of Headstart may be there before.
func checkHelm(t *testing.T, c *controlplane.ControlPlane) {
	kubectl := func(args ...string) string {
		t.Helper()
		out, err := c.Kubectl(t.Context(), nil, args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	release := func(command string, args ...string) (string, error) {
		t.Helper()
		return helm(t, "",
			append([]string{command, "headstart", "--namespace", "scaling", "--kubeconfig", c.Kubeconfig}, args...)...)
	}
	kubectl(append([]string{"wait", "--for=delete", "--timeout=3m"}, crdNames...)...)

	if err := c.Apply(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	// With --take-ownership Helm would overwrite what it finds.
	_, err := release("install", chart, "--create-namespace", "--take-ownership")
	if err == nil || !strings.Contains(err.Error(), "is served by keda/keda-operator-metrics-apiserver") {
		t.Errorf("helm install over an owner: error %v, want one that names the owner", err)
	}
	if got, want := owner(t, c), "keda/keda-operator-metrics-apiserver"; got != want {
		t.Fatalf("the group went to %q, want it left to %q", got, want)
	}
	kubectl("delete", "apiservice", externalMetrics)

	notes, err := release("install", olderChart(t), "--create-namespace")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(notes, "kubectl -n scaling rollout status deployment/headstart") {
		t.Errorf("the notes do not say what comes next:\n%s", notes)
	}
	if got, want := owner(t, c), "scaling/headstart"; got != want {
		t.Errorf("the group is served by %q, want %q", got, want)
	}

	// What the server writes survives an upgrade, and the upgrade updates the CRDs.
	if got := kubectl("get", crdNames[0], "-o", "jsonpath={.spec.names.shortNames}"); got != `["older"]` {
		t.Errorf("short names of the older CRD: %s", got)
	}
	kubectl("patch", "apiservice", externalMetrics, "--type=merge", "-p", `{"spec":{"caBundle":"`+bundle(t)+`"}}`)
	kubectl("patch", "secret", "headstart-serving-cert", "-n", "scaling", "--type=merge", "-p",
		`{"stringData":{"tls.crt":"x"}}`)
	if _, err := release("upgrade", chart, "--set", "metricsAPIs={external,custom}", "--set", "warm.enabled=true", "--set",
		"warm.namespaces={default}"); err != nil {
		t.Fatal(err)
	}
	if got := kubectl("get", crdNames[0], "-o", "jsonpath={.spec.names.shortNames}"); got != `["cal"]` {
		t.Errorf("short names after the upgrade of the CRD: %s", got)
	}
	for _, args := range [][]string{
		{"get", "apiservice", externalMetrics, "-o", "jsonpath={.spec.caBundle}"},
		{"get", "secret", "headstart-serving-cert", "-n", "scaling", "-o", "jsonpath={.data.tls\\.crt}"},
		{"get", "apiservice", "v1beta1.custom.metrics.k8s.io", "-o", "name"},
		{"get", "rolebinding", "headstart-warm-namespace", "-n", "default", "-o", "name"},
	} {
		if kubectl(args...) == "" {
			t.Errorf("kubectl %v: nothing after the upgrade", args)
		}
	}

	if _, err := release("uninstall"); err != nil {
		t.Fatal(err)
	}
	left := kubectl("get", "apiservices,clusterroles,validatingadmissionpolicies", "-l",
		"app.kubernetes.io/name=headstart", "-o", "name")
	if left != "" {
		t.Errorf("left behind: %q", left)
	}
	if got := strings.Fields(kubectl(append([]string{"get", "-o", "name"}, crdNames...)...)); len(got) != len(crdNames) {
		t.Errorf("CRDs left: %q, want all of them", got)
	}
	// The next installation adopts the CRDs that were left.
	if _, err := release("install", chart, "--dry-run=server"); err != nil {
		t.Errorf("install again: %v", err)
	}
}

// olderChart is the chart with another CRD for Calendars, as an earlier version might have.
func olderChart(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(chart)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "files/base/crds/headstart.dev_calendars.yaml")
	text := string(read(t, file))
	const shortName = "\n    - cal\n"
	if strings.Count(text, shortName) != 1 {
		t.Fatalf("%s: %d times %q", file, strings.Count(text, shortName), shortName)
	}
	text = strings.Replace(text, shortName, "\n    - older\n", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
