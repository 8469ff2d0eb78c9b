package cli

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/plot"
	"headstart.dev/headstart/cmd/headstart/cli/internal/spec"
	"headstart.dev/headstart/controller"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/report"
)

// planned returns a Forecast with a plan for the day that follows now.
func planned(now time.Time) *v1alpha1.Forecast {
	level, capacity := v1alpha1.Decimal("0.95"), resource.MustParse("5")
	return &v1alpha1.Forecast{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec: v1alpha1.ForecastSpec{
			Mode: v1alpha1.ForecastActive,
			Demand: &v1alpha1.DemandSource{
				Prometheus: v1alpha1.PrometheusQuery{Query: "demand"}, Resolution: "10m", History: "10d",
			},
			CapacityPerReplica: &capacity, ProvisionFor: v1alpha1.ProvisionFor{ServiceLevel: &level}, Horizon: "24h",
		},
		Status: v1alpha1.ForecastStatus{
			LeadTime: &v1alpha1.LeadTimeStatus{Value: "7m", Source: v1alpha1.LeadSourceLearned},
			Model:    &v1alpha1.ModelStatus{Skill: "0.42"},
			Plan: &v1alpha1.Plan{
				ComputedAt: metav1.NewTime(now),
				Start:      metav1.NewTime(now), End: metav1.NewTime(now.Add(24 * time.Hour)),
				Segments: []v1alpha1.PlanSegment{{Step: "6h", Values: "50 150 - 40"}},
			},
		},
	}
}

// drawn returns the chart. It must fit 100 columns and have no colours.
func drawn(t *testing.T, p plot.Plot) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.Draw(&b, 100, 16, false); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 100 || strings.Contains(line, "\x1b") {
			t.Errorf("%d columns, or colour: %q", n, line)
		}
	}
	return b.String()
}

func TestPlot(t *testing.T) {
	now := time.Date(2026, 3, 18, 9, 0, 0, 0, time.UTC)
	server := httptest.NewServer(wavePrometheus(0))
	defer server.Close()
	noon, err := report.ReadPeaks(strings.NewReader(`apiVersion: headstart.dev/v1alpha1
kind: PeakSchedule
metadata: {name: noon}
spec:
  timeZone: UTC
  forecastSelector: {}
  windows:
  - {name: lunch, schedule: '0 12 * * *', duration: 2h, demand: {atLeast: '200'}}
`))
	if err != nil {
		t.Fatal(err)
	}
	set, err := planner.ParseSpec(&planned(now).Spec)
	if err != nil {
		t.Fatal(err)
	}
	whole := plot.Plot{
		Forecast: planned(now), Now: now, Back: 24 * time.Hour, Ahead: 24 * time.Hour,
		Spec: spec.Spec{Settings: set, Peaks: noon},
	}
	in := readFrom(server.URL)
	if err := readPlotDemand(t.Context(), &whole, in, Streams{Err: &bytes.Buffer{}}); err != nil {
		t.Fatal(err)
	}
	text := drawn(t, whole)
	for _, part := range []string{
		"shop/web (Active), lead 7m, skill 0.42", "█ demand", "· expected", "─ plan", "┊ now", "▀", "Mar 18", "Mar 19",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in\n%s", part, text)
		}
	}
	// The demand swings between 40 and 160, so the forecast for the next day must too.
	var least, most float64 = 1e9, 0
	for _, v := range whole.Expected.Median[:144] {
		least, most = min(least, v), max(most, v)
	}
	if least < 30 || least > 60 || most < 140 || most > 175 {
		t.Errorf("expected from %v to %v", least, most)
	}
}

// Without --prometheus plot draws the plan, or says why there is none.
func TestPlotWithoutDemand(t *testing.T) {
	now := time.Date(2026, 3, 18, 9, 0, 0, 0, time.UTC)
	cases := map[string]struct {
		change func(*v1alpha1.Forecast)
		says   string
	}{
		"plan alone": {func(*v1alpha1.Forecast) {}, "port-forward"},
		"no plan":    {func(fc *v1alpha1.Forecast) { fc.Status.Plan = nil }, "there is no plan"},
		"expired": {func(fc *v1alpha1.Forecast) {
			fc.Status.Plan.Start = metav1.NewTime(now.Add(-48 * time.Hour))
			fc.Status.Plan.End = metav1.NewTime(now.Add(-24 * time.Hour))
		}, "the plan expired at"},
		"not ready": {func(fc *v1alpha1.Forecast) {
			fc.Status.Conditions = []metav1.Condition{
				{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: "NoSeries"},
			}
		}, "not ready: NoSeries"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			fc := planned(now)
			tc.change(fc)
			text := drawn(t, plot.Plot{Forecast: fc, Now: now, Ahead: 24 * time.Hour, HowTo: "kubectl port-forward"})
			if !strings.Contains(text, tc.says) {
				t.Errorf("%q is missing in\n%s", tc.says, text)
			}
		})
	}
	bad := planned(now)
	bad.Status.Plan.Segments[0].Values = "50 many"
	p := plot.Plot{Forecast: bad, Now: now, Ahead: time.Hour}
	if err := p.Draw(&bytes.Buffer{}, 100, 16, false); err == nil || !strings.Contains(err.Error(), "many") {
		t.Errorf("a plan that cannot be read: %v", err)
	}
}

// The forecast that plot draws is that of the server: from the same part of the history, and with
// the periods of the spec.
// A plan of five minutes is not one column of a day.
func TestPlotDrawsTheRestOfThePlan(t *testing.T) {
	now := time.Date(2026, 3, 18, 9, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		reason  string
		left    time.Duration
		history bool
		want    time.Duration
	}{
		"short":   {"the plan is all that is drawn", 5 * time.Minute, false, 5 * time.Minute},
		"history": {"a day of forecast beside a day of demand", 5 * time.Minute, true, 24 * time.Hour},
		"expired": {"there is nothing to draw", -time.Hour, false, 24 * time.Hour},
		"seconds": {"a chart needs some time", time.Second, false, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			fc := planned(now)
			fc.Status.Plan.End = metav1.NewTime(now.Add(tc.left))
			p := plot.Plot{Forecast: fc, Now: now}
			if got := p.DefaultAhead(tc.history); got != tc.want {
				t.Errorf("%s: %s, want %s", tc.reason, got, tc.want)
			}
		})
	}
}

func TestPlotForecastsAsTheServerDoes(t *testing.T) {
	now := time.Date(2026, 3, 18, 9, 0, 0, 0, time.UTC)
	server := httptest.NewServer(wavePrometheus(0))
	defer server.Close()
	fc := planned(now)
	fc.Spec.Demand.History, fc.Spec.Seasonality.Periods = "8d", []v1alpha1.Duration{"7h"}
	found, err := spec.Read(t.Context(), fake.NewClientBuilder().WithScheme(controller.NewScheme()).Build(), fc, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := plot.Plot{Forecast: fc, Now: now, Back: 24 * time.Hour, Ahead: 24 * time.Hour, Spec: found}
	in := readFrom(server.URL)
	if err := readPlotDemand(t.Context(), &p, in, Streams{Err: &bytes.Buffer{}}); err != nil {
		t.Fatal(err)
	}
	got, want := p.Demand.End().Sub(p.Demand.Start), found.Settings.ReadSpan()
	if got < want-20*time.Minute || got > want+20*time.Minute {
		t.Errorf("a history of %s is read, want %s as in the server", got, want)
	}
	served, err := forecaster.New(forecaster.Options{
		Step: 10 * time.Minute, Lead: 1, Horizon: 144, Contract: forecaster.Contract{ServiceLevel: 0.95},
		Periods: []time.Duration{7 * time.Hour}, MaxHistory: 8 * 144, FitOffset: found.Settings.FitOffset,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := served.Start(planner.Settled(forecaster.Series(*p.Demand))); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(served.Outlook(), *p.Expected); diff != "" {
		t.Errorf("-server +plot:\n%s", diff)
	}
}

func TestPlotRefuses(t *testing.T) {
	cases := map[string]struct{ args, want string }{
		"no name":  {"", "NAMESPACE/NAME"},
		"colour":   {"a/b --color pink", "pink"},
		"width":    {"a/b --width 10", "--width"},
		"no ahead": {"a/b --ahead 0s", "--ahead"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := headstart(t, "plot "+tc.args)
			if code == 0 || stdout != "" || !strings.Contains(stderr, tc.want) {
				t.Errorf("exit %d, %q, %q", code, stdout, stderr)
			}
		})
	}
}
