package manifests_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/test/binaries"
)

const monitoring = repository + "/manifests/monitoring/"

// TestAlerts runs the alerts on invented series, with Prometheus' own promtool.
func TestAlerts(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	layout, err := binaries.ControlPlane(ctx, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	var rule struct {
		Spec any `json:"spec"`
	}
	if err := yaml.Unmarshal(read(t, monitoring+"alerts.yaml"), &rule); err != nil {
		t.Fatal(err)
	}
	spec, err := yaml.Marshal(rule.Spec)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	tests := read(t, "testdata/alert_tests.yaml")
	for name, data := range map[string][]byte{"rules.yaml": spec, "tests.yaml": tests} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(ctx, filepath.Join(layout.Bin, "promtool"), "test", "rules", "tests.yaml")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool test rules: %v\n%s", err, out)
	}
}

var metricName = regexp.MustCompile(`headstart_[a-z_]+`)

// TestMetricsExist looks for every metric of the alerts and the dashboard in the code that exports
// it.
func TestMetricsExist(t *testing.T) {
	var source strings.Builder
	for _, pkg := range []string{"adapter", "controller", "gpuwarm"} {
		err := filepath.WalkDir(filepath.Join(repository, pkg), func(path string, _ fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				source.Write(read(t, path))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"alerts.yaml", "headstart.json"} {
		names := metricName.FindAllString(string(read(t, monitoring+file)), -1)
		slices.Sort(names)
		names = slices.Compact(names)
		if len(names) < 3 {
			t.Errorf("%s names %d metrics: %q", file, len(names), names)
		}
		for _, name := range names {
			if !strings.Contains(source.String(), `"`+strings.TrimSuffix(name, "_bucket")+`"`) {
				t.Errorf("%s: nothing exports %s", file, name)
			}
		}
	}
}

// TestDashboard: Grafana shows a broken file as nothing at all.
func TestDashboard(t *testing.T) {
	var dashboard struct {
		Panels []struct {
			Title   string `json:"title"`
			Type    string `json:"type"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(read(t, monitoring+"headstart.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	if len(dashboard.Panels) < 8 {
		t.Errorf("%d panels", len(dashboard.Panels))
	}
	for _, p := range dashboard.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
