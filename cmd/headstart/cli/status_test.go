package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/status"
)

// statusForecasts returns one Forecast with all that status can show, and one without any status.
func statusForecasts(now time.Time) []v1alpha1.Forecast {
	full := planned(now)
	full.Spec.TargetRef = v1alpha1.TargetReference{Kind: "Deployment", Name: "web"}
	ago := func(d time.Duration) metav1.Time { return metav1.NewTime(now.Add(-d)) }
	s := &full.Status
	s.Observed = &v1alpha1.Sample{Value: resource.MustParse("96"), Time: ago(20 * time.Second)}
	s.Served = &v1alpha1.Sample{Value: resource.MustParse("131500m"), Time: ago(5 * time.Second)}
	s.LeadTime = &v1alpha1.LeadTimeStatus{
		Value: "7m", Source: v1alpha1.LeadSourceLearned, Starts: 12, WarmUp: "6m", ControlLoopDelay: "1m",
	}
	s.CapacityPerReplica = &v1alpha1.CapacityStatus{
		Value: resource.MustParse("5"), Source: "HorizontalPodAutoscaler", Name: "web",
	}
	estimate, lower := resource.MustParse("5500m"), resource.MustParse("5200m")
	s.Capacity = &v1alpha1.LearnedCapacity{
		Value: resource.MustParse("5"), Source: v1alpha1.CapacitySourceLearned, Estimate: &estimate, Lower: &lower,
		Steps: 4032, Missed: 21,
	}
	s.Model = &v1alpha1.ModelStatus{
		Skill: "0.42", Coverage: "0.96", Periods: []v1alpha1.Duration{"1d", "7d"}, Points: 4032,
		Weights:  []v1alpha1.ModelWeight{{Name: "daily", Weight: "0.7"}, {Name: "level", Weight: "0.3"}},
		Warnings: []string{"3 % of the history has no value"},
	}
	s.Accuracy = &v1alpha1.AccuracyStatus{
		Asked:   "0.95",
		LastDay: &v1alpha1.AccuracyFigures{Windows: 1440, Coverage: "0.961", Skill: "0.40", Bias: "0.02"},
	}
	s.NextPeak = &v1alpha1.PeakOccurrence{
		Schedule: "sale", Window: "noon", Start: ago(-3 * time.Hour), End: ago(-5 * time.Hour),
	}
	s.Conditions = []metav1.Condition{{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue,
		Reason: "AsExpected", Message: "the plan is served",
	}}
	empty := v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "chat"}}
	empty.Spec.Mode = v1alpha1.ForecastDryRun
	return []v1alpha1.Forecast{*full, empty}
}

func TestStatus(t *testing.T) {
	now := time.Date(2026, 3, 18, 9, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	if err := status.Show(&out, statusForecasts(now), "text", false, now); err != nil {
		t.Errorf("the table: %v", err)
	}
	err := status.Show(&out, statusForecasts(now), "text", true, now)
	if err == nil || !strings.Contains(err.Error(), "shop/chat is not ready") {
		t.Errorf("the details: %v, want an error about the Forecast that is not ready", err)
	}
	if err := status.Show(&out, statusForecasts(now)[:1], "text", true, now.Add(25*time.Hour)); err != nil {
		t.Errorf("the details of a Forecast that is ready: %v", err)
	}
	wantGolden(t, "status.golden", out.String())
}

func TestStatusAsJSON(t *testing.T) {
	now := time.Date(2026, 3, 18, 9, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	if err := status.Show(&out, statusForecasts(now), "json", false, now); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.HasPrefix(text, "[") || !strings.Contains(text, `"skill": "0.42"`) {
		t.Errorf("not a list of Forecasts: %s", text)
	}
	if err := status.Show(&out, nil, "xml", false, now); err == nil || !strings.Contains(err.Error(), "json or yaml") {
		t.Errorf("an unknown output: %v", err)
	}
}

// YAML has one document per Forecast, as kubectl reads it.
func TestStatusAsYAML(t *testing.T) {
	now := time.Date(2026, 3, 18, 9, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	if err := status.Show(&out, statusForecasts(now), "yaml", false, now); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if strings.Count(text, "---\n") != 2 || !strings.Contains(text, "\n    skill: \"0.42\"\n") {
		t.Errorf("not two documents with a status:\n%s", text)
	}
}

// The wide table ends with the mode, the target, the capacity and the message of Ready in one line.
func TestWideStatus(t *testing.T) {
	now := time.Date(2026, 3, 18, 9, 0, 0, 0, time.UTC)
	list := statusForecasts(now)
	for i := range list {
		if c := list[i].Status.Conditions; len(c) > 0 {
			c[0].Message = "the plan\nis served"
		}
	}
	var out bytes.Buffer
	if err := status.Show(&out, list, "wide", false, now); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("want three lines:\n%s", out.String())
	}
	for i, want := range []string{
		"MODE TARGET CAPACITY MESSAGE", "DryRun / - -", "Active Deployment/web 5 the plan is served",
	} {
		if got := strings.Join(strings.Fields(lines[i]), " "); !strings.HasSuffix(got, want) {
			t.Errorf("line %d is %q, want %q at its end", i, got, want)
		}
	}
}

func TestLeads(t *testing.T) {
	var out bytes.Buffer
	status.WriteLeads(&out, statusForecasts(time.Date(2026, 3, 18, 9, 0, 0, 0, time.UTC)))
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"NAMESPACE NAME LEAD SOURCE STARTS WARM-UP CONTROL LOOP FAILING",
		"shop chat - - 0 - - -", "shop web 7m Learned 12 6m 1m -",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
}

func TestDecimalShowsTheQuantityExactly(t *testing.T) {
	for _, tc := range []struct{ why, quantity, want string }{
		{"its nearest float has 17 digits", "112987m", "112.987"},
		{"a half", "131500m", "131.5"},
		{"whole", "40", "40"},
		{"zeros of a whole number stay", "120", "120"},
		{"a binary unit", "2Ki", "2048"},
		{"a decimal unit with a fraction", "1.5k", "1500"},
		{"small", "3n", "0.000000003"},
		{"negative", "-250m", "-0.25"},
		{"zero", "0", "0"},
		{"beyond an int64", "1e20", "100000000000000000000"},
	} {
		if got := status.Sample(&v1alpha1.Sample{Value: resource.MustParse(tc.quantity)}); got != tc.want {
			t.Errorf("%s: %s is shown as %s, not %s", tc.why, tc.quantity, got, tc.want)
		}
	}
}
