package manifests_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
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

// TestAlertsAreTested: each alert says what to do, and has a moment in the tests at which it fires and
// one at which it does not.
func TestAlertsAreTested(t *testing.T) {
	var rule struct {
		Spec struct {
			Groups []struct {
				Rules []struct {
					Alert       string            `json:"alert"`
					Labels      map[string]string `json:"labels"`
					Annotations map[string]string `json:"annotations"`
				} `json:"rules"`
			} `json:"groups"`
		} `json:"spec"`
	}
	var tests struct {
		Tests []struct {
			Rules []struct {
				Alert string `json:"alertname"`
				Want  []any  `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		} `json:"tests"`
	}
	err := errors.Join(yaml.Unmarshal(read(t, monitoring+"alerts.yaml"), &rule),
		yaml.Unmarshal(read(t, "testdata/alert_tests.yaml"), &tests))
	if err != nil {
		t.Fatal(err)
	}
	fires, rests := map[string]bool{}, map[string]bool{}
	for _, test := range tests.Tests {
		for _, r := range test.Rules {
			fires[r.Alert] = fires[r.Alert] || len(r.Want) > 0
			rests[r.Alert] = rests[r.Alert] || len(r.Want) == 0
		}
	}
	runbooks := string(read(t, repository+"/docs/alerts.md"))
	for _, r := range rule.Spec.Groups[0].Rules {
		if !fires[r.Alert] || !rests[r.Alert] {
			t.Errorf("%s: a test in which it fires: %t, and one in which it does not: %t",
				r.Alert, fires[r.Alert], rests[r.Alert])
		}
		if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s has no severity, summary or description", r.Alert)
		}
		if !strings.HasSuffix(r.Annotations["runbook_url"], "/docs/alerts.md#"+strings.ToLower(r.Alert)) ||
			!strings.Contains(runbooks, "\n## "+r.Alert+"\n") {
			t.Errorf("%s: docs/alerts.md has no runbook, or runbook_url is not its address: %s",
				r.Alert, r.Annotations["runbook_url"])
		}
	}
}

// others are metrics that alerts and dashboard read, and that Headstart does not export.
var others = map[string]string{
	"aggregator_unavailable_apiservice":                    "kube-apiserver",
	"kube_deployment_status_replicas":                      "kube-state-metrics",
	"kube_deployment_status_replicas_ready":                "kube-state-metrics",
	"kube_horizontalpodautoscaler_info":                    "kube-state-metrics",
	"kube_horizontalpodautoscaler_spec_max_replicas":       "kube-state-metrics",
	"kube_horizontalpodautoscaler_status_desired_replicas": "kube-state-metrics",
	"kube_statefulset_status_replicas":                     "kube-state-metrics",
	"kube_statefulset_status_replicas_ready":               "kube-state-metrics",
}

// TestMetricsExist looks for every metric of the alerts and the dashboard in the code that exports
// it.
func TestMetricsExist(t *testing.T) {
	var source strings.Builder
	for _, pkg := range []string{"adapter", "cmd/headstart/app", "controller", "gpuwarm"} {
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
	for file, exprs := range map[string][]string{
		"alerts.yaml": alertExprs(t), "headstart.json": dashboardExprs(t, readDashboard(t)),
	} {
		names := map[string]bool{}
		for _, text := range exprs {
			expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
			if err != nil {
				t.Errorf("%s: %v in %s", file, err, text)
				continue
			}
			parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
				if s, ok := node.(*parser.VectorSelector); ok {
					names[strings.TrimSuffix(s.Name, "_bucket")] = true
				}
				return nil
			})
		}
		if len(names) < 10 {
			t.Errorf("%s names %d metrics: %v", file, len(names), names)
		}
		for name := range names {
			if others[name] == "" && !strings.Contains(source.String(), `"`+name+`"`) {
				t.Errorf("%s: nothing exports %s", file, name)
			}
		}
	}
}

func alertExprs(t *testing.T) (exprs []string) {
	t.Helper()
	var rule struct {
		Spec struct {
			Groups []struct {
				Rules []struct {
					Expr string `json:"expr"`
				} `json:"rules"`
			} `json:"groups"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(read(t, monitoring+"alerts.yaml"), &rule); err != nil {
		t.Fatal(err)
	}
	for _, r := range rule.Spec.Groups[0].Rules {
		exprs = append(exprs, r.Expr)
	}
	return exprs
}

// dashboard is the part of Grafana's format that the tests look at.
type dashboard struct {
	Templating struct {
		List []struct {
			Name       string          `json:"name"`
			Type       string          `json:"type"`
			Query      json.RawMessage `json:"query"`
			IncludeAll bool            `json:"includeAll"`
			Multi      bool            `json:"multi"`
		} `json:"list"`
	} `json:"templating"`
	Panels []struct {
		GridPos struct {
			X, Y, W, H int
		} `json:"gridPos"`
		Title       string `json:"title"`
		Type        string `json:"type"`
		Description string `json:"description"`
		Targets     []struct {
			Expr string `json:"expr"`
		} `json:"targets"`
	} `json:"panels"`
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	if err := json.Unmarshal(read(t, monitoring+"headstart.json"), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDashboardShowsOverflow: from when on a plan does not fit, how much of it, the share of each
// cluster, and how old the other cluster's plan is.
func TestDashboardShowsOverflow(t *testing.T) {
	all := strings.Join(dashboardExprs(t, readDashboard(t)), "\n")
	for _, metric := range []string{
		"headstart_forecast_overflow_start_timestamp_seconds", "headstart_forecast_overflow_demand",
		"headstart_forecast_overflow_peak_demand", "headstart_forecast_planned_share",
		"headstart_overflow_timeline_timestamp_seconds", "headstart_overflow_clock_skew_seconds",
	} {
		if !strings.Contains(all, metric+"{") {
			t.Errorf("no panel shows %s", metric)
		}
	}
}

var (
	variable    = regexp.MustCompile(`\$(?:\{(\w+)\}|(\w+))`)
	labelValues = regexp.MustCompile(`label_values\((.*), \w+\)`)
)

// dashboardExprs returns the queries of panels and variables, with a value for each variable.
func dashboardExprs(t *testing.T, d dashboard) (exprs []string) {
	t.Helper()
	values := map[string]string{"__rate_interval": "5m"}
	var texts []string
	for _, v := range d.Templating.List {
		values[v.Name] = "x"
		if v.Type == "textbox" {
			values[v.Name] = "1"
		}
		if m := labelValues.FindStringSubmatch(strings.ReplaceAll(string(v.Query), `\"`, `"`)); m != nil {
			texts = append(texts, m[1])
		}
	}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			texts = append(texts, target.Expr)
		}
	}
	for _, text := range texts {
		exprs = append(exprs, variable.ReplaceAllStringFunc(text, func(name string) string {
			value := values[strings.Trim(name, "${}")]
			if value == "" {
				t.Errorf("no variable is called %s, in %s", name, text)
			}
			return value
		}))
	}
	return exprs
}

// TestDashboard: Grafana shows a broken file as nothing at all. It shows one service at first.
func TestDashboard(t *testing.T) {
	d := readDashboard(t)
	if len(d.Panels) < 15 {
		t.Errorf("%d panels", len(d.Panels))
	}
	for _, p := range d.Panels {
		if p.Type != "row" && (len(p.Targets) == 0 || p.Description == "") {
			t.Errorf("panel %q shows nothing, or does not say what", p.Title)
		}
	}
	for _, v := range d.Templating.List {
		if (v.Name == "namespace" || v.Name == "forecast") && (v.IncludeAll || v.Multi) {
			t.Errorf("the variable %s is more than one at first", v.Name)
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

// TestPanelsDoNotOverlap: Grafana draws panels that lie on each other somewhere else.
func TestPanelsDoNotOverlap(t *testing.T) {
	panels := readDashboard(t).Panels
	for i, a := range panels {
		for _, b := range panels[:i] {
			p, q := a.GridPos, b.GridPos
			if p.X < q.X+q.W && q.X < p.X+p.W && p.Y < q.Y+q.H && q.Y < p.Y+p.H {
				t.Errorf("%q lies on %q", a.Title, b.Title)
			}
		}
	}
}
