package release

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/wait"

	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
)

// TestInstall installs what the release has on a real API server: over the schemas of each earlier
// release, with objects in place.
func TestInstall(t *testing.T) {
	r := release(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	opts := controlplane.DefaultOptions(env.layout.Bin)
	opts.StateRoot = t.TempDir()
	c, err := controlplane.Start(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	earlier, err := filepath.Glob("testdata/*")
	if err != nil || len(earlier) == 0 {
		t.Fatalf("there are no schemas of earlier releases: %v", err)
	}
	for _, from := range earlier {
		u := cluster{ControlPlane: c, t: t, from: from, r: r}
		t.Run("manifests over "+filepath.Base(from), func(t *testing.T) { u.t = t; u.manifests() })
		t.Run("chart over "+filepath.Base(from), func(t *testing.T) { u.t = t; u.chart() })
	}
}

// cluster is one that is upgraded.
type cluster struct {
	*controlplane.ControlPlane
	t *testing.T
	// from is the folder with the schemas of an earlier release and objects of them.
	from string
	r    made
}

func (u *cluster) kubectl(args ...string) string {
	u.t.Helper()
	out, err := u.Kubectl(u.t.Context(), nil, args...)
	if err != nil {
		u.t.Fatal(err)
	}
	return out
}

// crds are the names of the schemas, for kubectl.
func crds() []string {
	var names []string
	for _, name := range harness.CRDs() {
		names = append(names, "crd/"+name)
	}
	return names
}

// manifests upgrades with kubectl, lets the image serve, and uninstalls.
func (u *cluster) manifests() {
	u.kubectl("apply", "--server-side", "-f", u.from+"/crds.yaml")
	before := u.objects()
	u.kubectl("apply", "--server-side", "-f", filepath.Join(u.r.dist, "headstart-prepare.yaml"))
	all := filepath.Join(u.r.dist, "headstart-both-warm.yaml")
	u.kubectl("apply", "--server-side", "-f", all)
	u.checkKept(before)
	image := u.kubectl("get", "deployment", "headstart", "-n", "headstart-system", "-o",
		"jsonpath={.spec.template.spec.containers[0].image}")
	if want := "headstart.dev/headstart:" + version; image != want {
		u.t.Errorf("the image is %s, want %s", image, want)
	}
	serve(u.t, u.ControlPlane, u.r.root)
	// The server writes the status of objects that are older than itself.
	for _, name := range []string{"forecast/chat-model", "peakschedule/face-fusion-peaks", "warmpool/without-limits"} {
		err := wait.PollUntilContextTimeout(u.t.Context(), 200*time.Millisecond, 3*time.Minute, true,
			func(ctx context.Context) (bool, error) {
				out, err := u.Kubectl(ctx, nil, "get", name, "-o", "jsonpath={.status.conditions[*].type}")
				return err == nil && out != "", nil
			})
		if err != nil {
			u.t.Errorf("%s gets no conditions: %v", name, err)
		}
	}
	u.kubectl("apply", "--server-side", "-f", filepath.Join(u.r.dist, "headstart-crds.yaml"))
	u.kubectl("delete", "apiservice", "v1beta1.external.metrics.k8s.io", "v1beta1.custom.metrics.k8s.io")
	u.kubectl("delete", "warmpools", "--all", "--all-namespaces")
	u.kubectl("delete", "-f", all, "--ignore-not-found", "--wait=false")
	gone := append(crds(), "namespace/headstart-system", "namespace/headstart-warm")
	u.kubectl(append([]string{"wait", "--for=delete", "--timeout=3m"}, gone...)...)
	u.checkNothingLeft()
}

// objects creates those of the earlier release, and returns their specs.
func (u *cluster) objects() map[string]any {
	u.t.Helper()
	if err := u.AwaitCRDs(u.t.Context(), harness.CRDs()...); err != nil {
		u.t.Fatal(err)
	}
	u.kubectl("apply", "--validate=strict", "-f", u.from+"/objects.yaml")
	return u.specs()
}

func (u *cluster) specs() map[string]any {
	u.t.Helper()
	var list struct {
		Items []struct {
			Kind     string
			Metadata struct{ Name, UID string }
			Spec     map[string]any
		}
	}
	out := u.kubectl("get", "-f", u.from+"/objects.yaml", "-o", "json")
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		u.t.Fatal(err)
	}
	specs := map[string]any{}
	for _, i := range list.Items {
		specs[i.Kind+"/"+i.Metadata.Name+"/"+i.Metadata.UID] = i.Spec
	}
	if len(specs) < 5 {
		u.t.Fatalf("%s has %d objects", u.from, len(specs))
	}
	return specs
}

// withoutNew leaves out the fields of after that before does not have: the API server shows the
// defaults of new fields.
func withoutNew(before, after map[string]any) map[string]any {
	out := map[string]any{}
	for key, value := range after {
		old, known := before[key]
		if !known {
			continue
		}
		was, isMap := old.(map[string]any)
		is, staysMap := value.(map[string]any)
		if isMap && staysMap {
			value = withoutNew(was, is)
		}
		out[key] = value
	}
	return out
}

// checkKept: every object is still the same, may be written as it is, and the schemas are the new
// ones.
func (u *cluster) checkKept(before map[string]any) {
	u.t.Helper()
	if err := u.AwaitCRDs(u.t.Context(), harness.CRDs()...); err != nil {
		u.t.Fatal(err)
	}
	if diff := cmp.Diff(before, withoutNew(before, u.specs())); diff != "" {
		u.t.Errorf("after the upgrade (-before +after):\n%s", diff)
	}
	u.kubectl("label", "-f", u.from+"/objects.yaml", "upgraded=yes", "--overwrite")
	u.kubectl("apply", "-f", u.from+"/objects.yaml")
	// Only the new schemas have this rule.
	_, err := u.Kubectl(u.t.Context(), []byte(newWithoutLimits), "create", "-f", "-")
	if err == nil || !strings.Contains(err.Error(), "limits are required in mode Active") {
		u.t.Errorf("a new WarmPool without limits: error %v, want that of the new schema", err)
	}
}

const newWithoutLimits = `
apiVersion: headstart.dev/v1alpha1
kind: WarmPool
metadata: {name: new-without-limits, namespace: default}
spec: {forecastSelector: {matchLabels: {team: chat}}, mode: Active}
`

func (u *cluster) checkNothingLeft() {
	u.t.Helper()
	const kinds = "apiservices,clusterroles,clusterrolebindings,validatingadmissionpolicies,priorityclasses"
	left := u.kubectl("get", kinds, "-l", "app.kubernetes.io/name=headstart", "-o", "name")
	if left != "" {
		u.t.Errorf("left behind: %q", left)
	}
}

// chart upgrades with the real Helm, from a chart with the earlier schemas, and uninstalls.
func (u *cluster) chart() {
	archive := filepath.Join(u.r.dist, "headstart-"+strings.TrimPrefix(version, "v")+".tgz")
	if shown := u.helm("show", "chart", archive); !strings.Contains(shown, "appVersion: "+version) {
		u.t.Errorf("the chart says\n%s", shown)
	}
	u.helm("lint", "--strict", "--quiet", archive)
	u.helm("install", "headstart", u.earlierChart(archive), "--namespace", "scaling", "--create-namespace")
	before := u.objects()
	u.helm("upgrade", "headstart", archive, "--namespace", "scaling", "--set", "warm.enabled=true",
		"--set", "image.repository=registry.example/team/headstart")
	u.checkKept(before)
	image := u.kubectl("get", "deployment", "headstart", "-n", "scaling", "-o",
		"jsonpath={.spec.template.spec.containers[0].image}")
	if want := "registry.example/team/headstart:" + version; image != want {
		u.t.Errorf("the image is %s, want %s", image, want)
	}
	u.helm("uninstall", "headstart", "--namespace", "scaling")
	u.checkNothingLeft()
	if diff := cmp.Diff(before, withoutNew(before, u.specs())); diff != "" {
		u.t.Errorf("helm uninstall has changed objects (-before +after):\n%s", diff)
	}
	u.kubectl(append([]string{"delete"}, crds()...)...)
}

// earlierChart is the chart with the schemas of an earlier release.
func (u *cluster) earlierChart(archive string) string {
	u.t.Helper()
	dir := u.t.TempDir()
	for name, f := range untar(u.t, archive) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			u.t.Fatal(err)
		}
		if strings.Contains(name, "/files/base/crds/") {
			continue
		}
		if err := os.WriteFile(path, f.data, 0o600); err != nil {
			u.t.Fatal(err)
		}
	}
	schemas, err := os.ReadFile(u.from + "/crds.yaml")
	if err != nil {
		u.t.Fatal(err)
	}
	// The chart reads a file as its documents after the first line.
	file := filepath.Join(dir, "headstart/files/base/crds/all.yaml")
	if err := os.WriteFile(file, append([]byte("\n"), schemas...), 0o600); err != nil {
		u.t.Fatal(err)
	}
	return filepath.Join(dir, "headstart")
}

// helm runs Helm without any configuration of this machine.
func (u *cluster) helm(args ...string) string {
	u.t.Helper()
	if err := env.layout.Helm(u.t.Context(), os.Stderr); err != nil {
		u.t.Fatal(err)
	}
	home := u.t.TempDir()
	cmd := exec.CommandContext(u.t.Context(), filepath.Join(env.layout.Bin, "helm"), args...)
	cmd.Env = append(os.Environ(), "HELM_CONFIG_HOME="+home, "HELM_CACHE_HOME="+home, "HELM_DATA_HOME="+home,
		"KUBECONFIG="+u.Kubeconfig)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		u.t.Fatalf("helm %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}
