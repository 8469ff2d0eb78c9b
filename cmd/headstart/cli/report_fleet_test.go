package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
)

// twoServices returns CSV with two series.
func twoServices() string {
	out := "series,timestamp,value\n"
	for _, name := range []string{"checkout", "search"} {
		for line := range strings.Lines(strings.TrimPrefix(twoWeeks(), "timestamp,value\n")) {
			out += name + "," + line
		}
	}
	return out
}

// A folder, and a file with several series, are fleets. A file that cannot be read is named, and the
// others are reported.
func TestReportOfAFleet(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"web.csv": twoWeeks(), "shop.csv": twoServices(), "broken.csv": "what,is\nthis,1\n", "notes.txt": "no demand",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	capacities := file(t, "capacities.csv", "service,capacity\nshop/search,4\n")
	stdout, stderr, code := headstart(t, "report --lead 1h --capacity 2.5 --shortage-cost 20 -o json "+
		"--policies headstart,reactive,static,oracle", "--input", dir, "--capacities", capacities)
	if code != 1 || !strings.Contains(stderr, "1 of 4 services") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	var bundle struct {
		Reports []struct {
			Name, NotRun string
			Report       *struct{ Input struct{ Capacity float64 } }
		}
	}
	if err := json.Unmarshal([]byte(stdout), &bundle); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, r := range bundle.Reports {
		if r.Report != nil {
			got[r.Name] = r.Report.Input.Capacity
		} else if r.Name != "broken" || r.NotRun == "" {
			t.Errorf("%s was not replayed: %s", r.Name, r.NotRun)
		}
	}
	if len(got) != 3 || got["web"] != 2.5 || got["shop/checkout"] != 2.5 || got["shop/search"] != 4 {
		t.Errorf("services and capacities %v", got)
	}
	stdout, stderr, code = headstart(t, "report --lead 1h --capacity 2.5 --shortage-cost 20 --day none "+
		"--policies headstart,reactive,static,oracle", "--input", filepath.Join(dir, "shop.csv"))
	if code != 0 || !strings.Contains(stdout, "Of 2 services") {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
}

func TestReportOfAFleetRefuses(t *testing.T) {
	empty := t.TempDir()
	cases := map[string]struct {
		reason string
		args   []string
		want   string
	}{
		"Empty": {"a folder without CSV", []string{"--input", empty}, "no .csv"},
		"Decisions": {
			"there is one set of decisions for a service",
			[]string{"--input", file(t, "a.csv", twoServices()), "--decisions", "x"},
			"--series",
		},
		"Queries": {
			"a line without a name",
			[]string{"--prometheus", "http://localhost:1", "--queries", file(t, "q", "sum(rate(x[2m]))\n")},
			"line 1",
		},
		"NoServer": {"queries need a server", []string{"--queries", file(t, "q", "a: b\n")}, "--prometheus"},
		"Capacities": {
			"a capacity that is none",
			[]string{"--input", file(t, "a.csv", twoServices()), "--capacities", file(t, "c", "service,capacity\na,0\n")},
			"line 2",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, stderr, code := headstart(t, "report --lead 1h --capacity 2 --shortage-cost 20", tc.args...)
			if code != 1 || !strings.Contains(stderr, tc.want) {
				t.Errorf("%s: exit %d, %q, want %q", tc.reason, code, stderr, tc.want)
			}
		})
	}
}

// The HPA of today is the one on the Forecast's target, with its lowest target.
func TestHPAOfToday(t *testing.T) {
	fc := &v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	fc.Spec.TargetRef = v1alpha1.TargetReference{Kind: "Deployment", Name: "web"}
	hpa := func(name, target string, metrics ...autoscalingv2.MetricSpec) autoscalingv2.HorizontalPodAutoscaler {
		out := autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		out.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: target}
		out.Spec.MaxReplicas, out.Spec.Metrics = 9, metrics
		return out
	}
	cpu := autoscalingv2.MetricSpec{Resource: &autoscalingv2.ResourceMetricSource{
		Target: autoscalingv2.MetricTarget{AverageUtilization: new(int32(60))},
	}}
	external := func(name, average string) autoscalingv2.MetricSpec {
		return autoscalingv2.MetricSpec{
			Type: autoscalingv2.ExternalMetricSourceType,
			External: &autoscalingv2.ExternalMetricSource{
				Metric: autoscalingv2.MetricIdentifier{Name: name},
				Target: autoscalingv2.MetricTarget{AverageValue: new(resource.MustParse(average))},
			},
		}
	}
	cases := map[string]struct {
		reason string
		hpas   []autoscalingv2.HorizontalPodAutoscaler
		name   string
		target float64
	}{
		"None": {
			"an HPA on another target does not count",
			[]autoscalingv2.HorizontalPodAutoscaler{hpa("a", "other", cpu)},
			"", 0,
		},
		"CPU": {
			"a utilisation is a share",
			[]autoscalingv2.HorizontalPodAutoscaler{hpa("a", "web", cpu)},
			"shop/a", 0.6,
		},
		"Average": {
			"an average value is a share of the capacity",
			[]autoscalingv2.HorizontalPodAutoscaler{hpa("a", "web", cpu, external("x", "5"))},
			"shop/a", 0.5,
		},
		"Unit": {
			"an average value in another unit says nothing",
			[]autoscalingv2.HorizontalPodAutoscaler{hpa("a", "web", external("x", "5000"))},
			"shop/a", 0.75,
		},
		"Own": {
			"what reads the Forecast is no target of today",
			[]autoscalingv2.HorizontalPodAutoscaler{hpa("a", "web", external("web", "5"))},
			"shop/a", 0.75,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := hpaOfToday(fc, tc.hpas, 10)
			if got == nil {
				if tc.name != "" {
					t.Errorf("%s: no HPA", tc.reason)
				}
				return
			}
			if got.Name != tc.name || got.Target != tc.target || got.MaxReplicas != 9 {
				t.Errorf("%s: %+v", tc.reason, got)
			}
		})
	}
}
