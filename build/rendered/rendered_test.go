package rendered

import (
	"bytes"
	"strings"
	"testing"

	"headstart.dev/headstart/build/archive"
)

const manifests = "../../manifests"

func read(t *testing.T) Manifests {
	t.Helper()
	m, err := Read(manifests, "v9.8.7", "registry.example/team/headstart")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestFilled: nothing that is installed names the version of the repository, or the placeholder as
// the image's place.
func TestFilled(t *testing.T) {
	m := read(t)
	files, err := m.Render()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(append(files, m.Chart()...), m.Kustomizations()...) {
		for _, old := range []string{"image: headstart.dev/headstart", "repository: headstart.dev/headstart", "v0.1.0"} {
			if bytes.Contains(f.Data, []byte(old)) {
				t.Errorf("%s has %q", f.Name, old)
			}
		}
	}
}

func TestRender(t *testing.T) {
	files, err := read(t).Render()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"headstart-crds.yaml":    {"name: forecasts.headstart.dev", "name: warmpools.headstart.dev"},
		"headstart-prepare.yaml": {"kind: ValidatingAdmissionPolicy", "name: forecasts.headstart.dev"},
		"headstart-external-metrics.yaml": {
			"- --external-metrics", "image: registry.example/team/headstart:v9.8.7", "name: forecasts.headstart.dev",
		},
		"headstart-both-warm.yaml":  {"- --custom-metrics", "- --warm-pools", "name: headstart-warm"},
		"headstart-keda.yaml":       {"- --external-scaler", "- --scaled-objects"},
		"headstart-monitoring.yaml": {"kind: PrometheusRule", "kind: ServiceMonitor"},
	} {
		text := string(named(t, files, name))
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s lacks %q", name, w)
			}
		}
		if strings.Contains(text, "--warm-pools") != strings.Contains(name, "warm") {
			t.Errorf("%s: wrong about warming", name)
		}
	}
}

func TestChart(t *testing.T) {
	files := read(t).Chart()
	text := string(named(t, files, "headstart/Chart.yaml"))
	for _, want := range []string{
		"\nversion: 9.8.7\n", "\nappVersion: v9.8.7\n", "      image: registry.example/team/headstart:v9.8.7\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("Chart.yaml lacks %q:\n%s", want, text)
		}
	}
	named(t, files, "headstart/values.schema.json")
	named(t, files, "headstart/files/base/crds/headstart.dev_forecasts.yaml")
	for _, f := range files {
		if !strings.HasPrefix(f.Name, "headstart/") || strings.HasSuffix(f.Name, ".helmignore") {
			t.Errorf("the chart has %s", f.Name)
		}
	}
}

func named(t *testing.T, files []archive.File, name string) []byte {
	t.Helper()
	for _, f := range files {
		if f.Name == name {
			return f.Data
		}
	}
	t.Fatalf("there is no %s", name)
	return nil
}
