package manifests_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/test/binaries"
)

const chart = repository + "/manifests/chart/headstart"

// helmPath builds helm if it is missing, and returns the path of the binary.
var helmPath = sync.OnceValues(func() (string, error) {
	layout, err := binaries.FindLayout()
	if err != nil {
		return "", err
	}
	// The test reads the chart's files, too, so that go test's cache knows that the result depends on
	// them. Helm is another process.
	err = filepath.WalkDir(chart, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			_, err = os.ReadFile(path)
		}
		return err
	})
	return filepath.Join(layout.Bin, "helm"), errors.Join(err, layout.Helm(context.Background(), os.Stderr))
})

// helm runs Helm without any configuration of this machine.
func helm(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	path, err := helmPath()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append(os.Environ(), "HELM_CONFIG_HOME="+home, "HELM_CACHE_HOME="+home, "HELM_DATA_HOME="+home)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("helm %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// object is an object decoded from JSON.
type object = map[string]any

// template renders the chart with values, and returns the objects by kind, namespace and name.
func template(t *testing.T, namespace, values string) (map[string]object, error) {
	t.Helper()
	out, err := helm(t, values, "template", "headstart", chart, "--namespace", namespace, "--values", "-")
	if err != nil {
		return nil, err
	}
	objects := map[string]object{}
	for doc := range strings.SplitSeq("\n"+out, "\n---\n") {
		var o object
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			return nil, fmt.Errorf("not YAML: %w\n%s", err, doc)
		}
		if len(o) == 0 {
			continue
		}
		if _, ok := objects[key(o)]; ok {
			return nil, fmt.Errorf("%s is there twice", key(o))
		}
		objects[key(o)] = o
	}
	return objects, nil
}

func key(o object) string {
	m := o["metadata"].(object)
	if ns, ok := m["namespace"]; ok {
		return fmt.Sprintf("%s/%s/%s", o["kind"], ns, m["name"])
	}
	return fmt.Sprintf("%s/%s", o["kind"], m["name"])
}

// TestChartEqualsOverlays: an installation with Helm and one with kustomize must be the same.
func TestChartEqualsOverlays(t *testing.T) {
	for name, tc := range map[string]struct {
		reason     string
		resources  []string
		components []string
		values     string
		without    string
	}{
		"defaults": {
			reason:    "helm install needs the namespace before, so that one is no part of the release",
			resources: []string{"overlays/external-metrics"}, values: "{}", without: "Namespace/headstart-system",
		},
		"namespace": {
			reason:    "with its namespace it is all of the overlay",
			resources: []string{"overlays/external-metrics"}, values: "{createNamespace: true}",
		},
		"custom metrics": {
			reason:    "the way beside KEDA",
			resources: []string{"overlays/custom-metrics"}, values: "{createNamespace: true, metricsAPIs: [custom]}",
		},
		"both": {
			reason:    "both groups",
			resources: []string{"overlays/both"}, values: "{createNamespace: true, metricsAPIs: [external, custom]}",
		},
		"KEDA": {
			reason:    "the door for KEDA, without a metrics group",
			resources: []string{"overlays/keda"},
			values:    "{createNamespace: true, metricsAPIs: [], keda: {enabled: true}}",
		},
		"warm": {
			reason:    "the component for warming",
			resources: []string{"overlays/external-metrics"}, components: []string{"components/warm"},
			values: "{createNamespace: true, warm: {enabled: true}}",
		},
		"overflow": {
			reason:    "the component for the overflow of other clusters",
			resources: []string{"overlays/external-metrics"}, components: []string{"components/overflow"},
			values: "{createNamespace: true, clustersSecret: headstart-clusters}",
		},
		"everything": {
			reason:     "components and monitoring together",
			resources:  []string{"overlays/both", "monitoring"},
			components: []string{"components/warm", "components/warm-all-namespaces"},
			values: `{createNamespace: true, metricsAPIs: [external, custom], warm: {enabled: true, allNamespaces: true},
				monitoring: {serviceMonitor: {enabled: true}, alerts: {enabled: true}, dashboard: {enabled: true}}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := kustomized(t, together(t, tc.resources, tc.components))
			delete(want, tc.without)
			got, err := template(t, "headstart-system", tc.values)
			if err != nil {
				t.Fatal(err)
			}
			if len(want) < 20 {
				t.Fatalf("%d objects to compare with", len(want))
			}
			for k, o := range got {
				withoutHelm(t, k, o)
			}
			if !cmp.Equal(want, got) {
				t.Errorf("%s: what Helm renders differs from kustomize in %v (if in nothing, then in a type)", tc.reason,
					changes(want, got))
			}
		})
	}
}

var hashed = regexp.MustCompile(`headstart-sources-[a-z0-9]{10}`)

// kustomized renders a kustomization in the form of the chart: the ConfigMap of sources has no hash
// in its name, and its content is compared as a list.
func kustomized(t *testing.T, dir string) map[string]object {
	t.Helper()
	objects := map[string]object{}
	for _, resource := range build(t, dir).Resources() {
		data, err := resource.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var o object
		if err := json.Unmarshal(hashed.ReplaceAll(data, []byte("headstart-sources")), &o); err != nil {
			t.Fatal(err)
		}
		parseSources(t, o)
		objects[key(o)] = o
	}
	return objects
}

// withoutHelm removes what Helm needs, and fails if it is missing.
func withoutHelm(t *testing.T, k string, o object) {
	t.Helper()
	parseSources(t, o)
	labels, _ := o["metadata"].(object)["labels"].(object)
	for name, want := range map[string]string{
		"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "headstart",
		"app.kubernetes.io/version": "v0.1.0", "helm.sh/chart": "headstart-0.1.0",
	} {
		if labels[name] != want {
			t.Errorf("%s: label %s is %v, want %s", k, name, labels[name], want)
		}
		delete(labels, name)
	}
	switch o["kind"] {
	case "CustomResourceDefinition":
		takeAnnotation(t, k, o, "helm.sh/resource-policy")
	case "Deployment":
		takeAnnotation(t, k, o["spec"].(object)["template"].(object), "checksum/sources")
	}
}

func takeAnnotation(t *testing.T, k string, o object, name string) {
	t.Helper()
	metadata := o["metadata"].(object)
	annotations, _ := metadata["annotations"].(object)
	if annotations[name] == nil {
		t.Errorf("%s has no annotation %s", k, name)
	}
	delete(annotations, name)
	if len(annotations) == 0 {
		delete(metadata, "annotations")
	}
}

func parseSources(t *testing.T, o object) {
	t.Helper()
	data, ok := o["data"].(object)
	if text, has := data["sources.yaml"].(string); ok && has {
		var parsed any
		if err := yaml.Unmarshal([]byte(text), &parsed); err != nil {
			t.Fatal(err)
		}
		data["sources.yaml"] = parsed
	}
}

// TestChartInAnotherNamespace looks for references to the usual namespace.
func TestChartInAnotherNamespace(t *testing.T) {
	objects, err := template(t, "scaling", `{createNamespace: true, metricsAPIs: [external, custom],
		warm: {enabled: true, allNamespaces: true, namespaces: [shop]},
		monitoring: {serviceMonitor: {enabled: true}, alerts: {enabled: true}, dashboard: {enabled: true}}}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{
		"Namespace/scaling", "Deployment/scaling/headstart",
		"RoleBinding/kube-system/headstart-auth-reader", "RoleBinding/shop/headstart-warm-namespace",
	} {
		if objects[k] == nil {
			t.Errorf("%s is missing", k)
		}
	}
	for k, o := range objects {
		data, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte("headstart-system")) {
			t.Errorf("%s points to headstart-system", k)
		}
	}
}

// TestChartRefuses checks that wrong values are rejected, with a message that names them.
func TestChartRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ reason, values, want string }{
		"unknown value":           {"a typo would be lost", "{replica: 3}", "'replica'"},
		"unknown value in a part": {"a typo would be lost", "{image: {name: a}}", "'name'"},
		"unknown API":             {"there are two", "{metricsAPIs: [resource]}", "'external', 'custom'"},
		"no API":                  {"the server refuses to serve nothing", "{metricsAPIs: []}", "metricsAPIs is empty"},
		"path as client CA":       {"it is a file of the Secret", "{keda: {clientCA: /etc/ca.crt}}", "/keda/clientCA"},
		"an API twice":            {"it would be rendered twice", "{metricsAPIs: [custom, custom]}", "/metricsAPIs"},
		"number as text":          {"Kubernetes would refuse it later", "{replicas: two}", "/replicas"},
		"negative":                {"there is no such thing", "{replicas: -1}", "/replicas"},
		"tag in the repository": {
			"tag and digest are values of their own", "{image: {repository: 'a/b:v1'}}",
			"/image/repository",
		},
		"short digest": {"it would never be pulled", "{image: {digest: 'sha256:12'}}", "/image/digest"},
		"pull policy":  {"Kubernetes would refuse it later", "{image: {pullPolicy: Sometimes}}", "'IfNotPresent'"},
		"source without name": {
			"no Forecast could name it", "{sources: [{url: 'http://a', namespaces: ['*']}]}",
			"'name'",
		},
		"source for nobody": {
			"no Forecast could use it", "{sources: [{name: a, url: 'http://a', namespaces: []}]}",
			"/sources/0/namespaces",
		},
		"password in a URL": {
			"a ConfigMap is no place for it",
			"{sources: [{name: a, url: 'http://a:b@c', namespaces: ['*']}]}", "/sources/0/url",
		},
		"unknown source field": {
			"the server would refuse it",
			"{sources: [{name: a, url: 'http://a', namespaces: ['*'], token: x}]}", "'token'",
		},
		"no sources":              {"there would be nothing to read", "{sources: []}", "/sources"},
		"argument without dashes": {"the server would refuse it", "{extraArgs: [log-format=json]}", "/extraArgs/0"},
		"argument of the chart": {
			"the last one would win", "{extraArgs: ['--secure-port=8443']}",
			"the chart itself decides on --secure-port=8443",
		},
		"claim by argument": {
			"a claim needs its APIService", "{extraArgs: [--custom-metrics]}",
			"the chart itself decides on --custom-metrics",
		},
		"label of the chart": {
			"the Service would lose its pods", "{podLabels: {app.kubernetes.io/component: a}}",
			"podLabels: the chart itself sets app.kubernetes.io/component",
		},
		"quantity": {
			"Kubernetes would refuse it later", "{resources: {limits: {memory: 1 GB}}}",
			"/resources/limits/memory",
		},
		"rights without use": {
			"they would be granted for nothing", "{warm: {namespaces: [shop]}}",
			"set warm.enabled as well",
		},
		"mount without a path": {
			"Kubernetes would refuse it later", "{extraVolumeMounts: [{name: a}]}",
			"/extraVolumeMounts/0",
		},
		"privileged port": {"the user is not root", "{securePort: 443}", "/securePort"},
		"two certificates": {
			"KEDA would trust the wrong CA", "{certManager: {enabled: true}, keda: {enabled: true}}",
			"leave certManager off",
		},
		"certificate by argument": {
			"it needs its volume", "{extraArgs: [--tls-cert-file=/a]}",
			"the chart itself decides on --tls-cert-file=/a",
		},
		"port": {
			"there is no such port", "{networkPolicy: {prometheusPorts: [90900]}}",
			"/networkPolicy/prometheusPorts/0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := template(t, "headstart-system", tc.values)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: error %v, want one with %q", tc.reason, err, tc.want)
			}
		})
	}
}

// TestChartHostNetwork: the standard restricted admits no pod on the network of its node.
func TestChartHostNetwork(t *testing.T) {
	objects, err := template(t, "headstart-system", "{createNamespace: true, hostNetwork: true}")
	if err != nil {
		t.Fatal(err)
	}
	labels := objects["Namespace/headstart-system"]["metadata"].(object)["labels"].(object)
	for _, mode := range []string{"enforce", "warn", "audit"} {
		if got := labels["pod-security.kubernetes.io/"+mode]; got != "privileged" {
			t.Errorf("%s: the namespace is %v", mode, got)
		}
	}
}

// TestChartIcon: the chart needs no server for its icon, so it has a copy.
func TestChartIcon(t *testing.T) {
	var c struct{ Icon string }
	if err := yaml.Unmarshal(read(t, chart+"/Chart.yaml"), &c); err != nil {
		t.Fatal(err)
	}
	icon := base64.StdEncoding.EncodeToString(read(t, repository+"/docs/images/icon.svg"))
	if c.Icon != "data:image/svg+xml;base64,"+icon {
		t.Errorf("the icon of Chart.yaml is not docs/images/icon.svg")
	}
}

// TestChartLint: helm lint finds mistakes in charts that render.
func TestChartLint(t *testing.T) {
	if _, err := helm(t, "", "lint", "--strict", "--quiet", chart); err != nil {
		t.Error(err)
	}
}

var yamlTag = regexp.MustCompile("`yaml:\"([a-zA-Z]+)\"`")

// TestChartSchemaKnowsSources compares the fields of a source with those that the server reads.
func TestChartSchemaKnowsSources(t *testing.T) {
	var schema struct {
		Properties struct {
			Sources struct {
				Items struct{ Properties map[string]any }
			}
		}
	}
	if err := json.Unmarshal(read(t, chart+"/values.schema.json"), &schema); err != nil {
		t.Fatal(err)
	}
	_, source, found := strings.Cut(string(read(t, repository+"/history/sources.go")), "type SourceConfig struct {")
	source, _, ended := strings.Cut(source, "\n}\n")
	if !found || !ended {
		t.Fatal("history/sources.go has no type SourceConfig")
	}
	var want, got []string
	for _, tag := range yamlTag.FindAllStringSubmatch(source, -1) {
		want = append(want, tag[1])
	}
	for name := range schema.Properties.Sources.Items.Properties {
		got = append(got, name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields of a source: server (-), schema (+):\n%s", diff)
	}
}
