package model_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/explain"
	"headstart.dev/headstart/cmd/headstart/cli/internal/ui/model"
)

var update = flag.Bool("update", false, "write the golden files")

// now is the time of all tests.
var now = time.Date(2026, 3, 18, 9, 0, 0, 0, time.UTC)

// fixture reads the objects of testdata/cluster.yaml.
func fixture(t testing.TB) model.Objects {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "cluster.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	o := model.Objects{Targets: map[model.TargetKey]model.Target{
		{Namespace: "shop", APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}:  {Wanted: 30, Ready: 27},
		{Namespace: "shop", APIVersion: "apps/v1", Kind: "Deployment", Name: "chat"}: {Wanted: 2, Ready: 2},
	}, Access: []model.Access{
		{Kind: "forecasts", State: model.Live},
		{Kind: "horizontalpodautoscalers", Namespace: "", State: model.Denied, Message: "you may not list them"},
		{Kind: "horizontalpodautoscalers", Namespace: "shop", State: model.Live},
	}}
	for i, doc := range strings.Split(string(text), "\n---\n") {
		var kind metav1.TypeMeta
		must(t, yaml.Unmarshal([]byte(doc), &kind))
		switch kind.Kind {
		case "Forecast":
			o.Forecasts = append(o.Forecasts, read[v1alpha1.Forecast](t, doc))
		case "PeakSchedule":
			o.PeakSchedules = append(o.PeakSchedules, read[v1alpha1.PeakSchedule](t, doc))
		case "Calendar":
			o.Calendars = append(o.Calendars, read[v1alpha1.Calendar](t, doc))
		case "WarmPool":
			o.WarmPools = append(o.WarmPools, read[v1alpha1.WarmPool](t, doc))
		case "HorizontalPodAutoscaler":
			o.HPAs = append(o.HPAs, read[autoscalingv2.HorizontalPodAutoscaler](t, doc))
		default:
			t.Fatalf("document %d is a %q", i, kind.Kind)
		}
	}
	return o
}

func read[T any](t testing.TB, doc string) T {
	t.Helper()
	var out T
	must(t, yaml.UnmarshalStrict([]byte(doc), &out))
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func builder(t testing.TB) *model.Builder {
	t.Helper()
	table, err := explain.Load()
	must(t, err)
	return model.NewBuilder(table)
}

func TestGolden(t *testing.T) {
	service, ok := builder(t).Service(fixture(t), "shop/web", now)
	if !ok {
		t.Fatal("shop/web was not found")
	}
	zone, err := time.LoadLocation("Europe/Berlin")
	must(t, err)
	for name, value := range map[string]any{
		"fleet":   builder(t).Fleet(fixture(t), now),
		"service": service,
		// The week has the night in which summer time begins.
		"week": builder(t).Week(fixture(t), now.AddDate(0, 0, 7), zone),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := json.MarshalIndent(value, "", "  ")
			must(t, err)
			path := filepath.Join("testdata", name+".json")
			if *update {
				must(t, os.WriteFile(path, append(got, '\n'), 0o644))
			}
			want, err := os.ReadFile(path)
			must(t, err)
			if diff := cmp.Diff(string(bytes.TrimSpace(want)), string(got)); diff != "" {
				t.Errorf("run the test with -update; -want, +got:\n%s", diff)
			}
		})
	}
}

// What needs attention, and how much. The condition Ready repeats the reason of another one.
func TestAttention(t *testing.T) {
	condition := func(kind, status, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: metav1.ConditionStatus(status), Reason: reason}
	}
	ready := condition("Ready", "True", "ServingPlan")
	cases := map[string]struct {
		reason     string
		conditions []metav1.Condition
		change     func(*v1alpha1.Forecast)
		want       []string
		level      model.Level
	}{
		"Fine": {reason: "all is as it should be", conditions: []metav1.Condition{ready}},
		"Unknown": {
			"nothing to judge yet",
			[]metav1.Condition{ready, condition("Skilled", "Unknown", "Reading")},
			nil, nil,
			model.Fine,
		},
		"GoodFalse": {
			"a condition whose good status is False",
			[]metav1.Condition{ready, condition("Drifting", "False", "AsAsked")},
			nil, nil, model.Fine,
		},
		"BadTrue": {
			"the same one is True",
			[]metav1.Condition{ready, condition("Drifting", "True", "Missed")},
			nil,
			[]string{"Missed"},
			model.Warn,
		},
		"Repeated": {
			"Ready has the reason of HPALinted, so that counts once and is broken",
			[]metav1.Condition{condition("Ready", "False", "NoHPA"), condition("HPALinted", "False", "NoHPA")},
			nil,
			[]string{"NoHPA"},
			model.Bad,
		},
		"OwnReason": {
			"Ready has a reason of its own",
			[]metav1.Condition{
				condition("Ready", "False", "InvalidSpec"), condition("LeadTimeLearned", "False", "TooFewStarts"),
			},
			nil,
			[]string{"InvalidSpec", "TooFewStarts"},
			model.Bad,
		},
		"FutureCondition": {
			"a condition that this version does not know says nothing",
			[]metav1.Condition{ready, condition("Sparkling", "False", "Flat")},
			nil, nil, model.Fine,
		},
		"NotSeen": {"nobody looks at it", nil, nil, []string{"NotSeen"}, model.Bad},
		"New": {
			"it was made a moment ago", nil,
			func(fc *v1alpha1.Forecast) { fc.CreationTimestamp = metav1.NewTime(now.Add(-time.Second)) },
			[]string{"New"},
			model.Note,
		},
		"Changed": {
			"the spec is newer than the status",
			[]metav1.Condition{ready},
			func(fc *v1alpha1.Forecast) { fc.Generation = 2 },
			[]string{"Changed"},
			model.Note,
		},
		"PlanEnded": {
			"the controller is gone, and its conditions are old",
			[]metav1.Condition{ready},
			planFrom(-26 * time.Hour),
			[]string{"PlanEnded"},
			model.Bad,
		},
		"PlanOld": {
			"nobody makes a new one", []metav1.Condition{ready}, planFrom(-time.Hour), []string{"PlanOld"}, model.Warn,
		},
		"PlanFresh": {"as it should be", []metav1.Condition{ready}, planFrom(-time.Minute), nil, model.Fine},
		"PlanUnreadable": {
			"a plan of another version",
			[]metav1.Condition{ready},
			func(fc *v1alpha1.Forecast) { planFrom(0)(fc); fc.Status.Plan.Segments[0].Values = "five" },
			[]string{"PlanUnreadable"},
			model.Bad,
		},
		"Paused": {
			"a paused Forecast makes no new plans",
			[]metav1.Condition{ready},
			func(fc *v1alpha1.Forecast) { planFrom(-time.Hour)(fc); fc.Spec.Mode = v1alpha1.ForecastPaused }, nil, model.Fine,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			fc := v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{
				Namespace: "shop", Name: "x", CreationTimestamp: metav1.NewTime(now.Add(-time.Hour)),
			}}
			fc.Status.Conditions = tc.conditions
			if tc.change != nil {
				tc.change(&fc)
			}
			row := builder(t).Fleet(model.Objects{Forecasts: []v1alpha1.Forecast{fc}}, now).Rows[0]
			var got []string
			for _, i := range row.Attention {
				got = append(got, i.What)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || row.Level != tc.level {
				t.Errorf("%s: level %d, want %d; -want, +got:\n%s", tc.reason, row.Level, tc.level, diff)
			}
		})
	}
}

// planFrom gives a Forecast a plan of a day that was computed some time from now.
func planFrom(d time.Duration) func(*v1alpha1.Forecast) {
	return func(fc *v1alpha1.Forecast) {
		at := metav1.NewTime(now.Add(d))
		fc.Status.Plan = &v1alpha1.Plan{
			ComputedAt: at, Start: at, End: metav1.NewTime(at.Add(24 * time.Hour)),
			Segments: []v1alpha1.PlanSegment{{Step: "1h", Values: strings.TrimSpace(strings.Repeat("5 ", 24))}},
		}
	}
}

// Whatever is in a status, there is JSON for it, and the rows that need attention come first.
func TestAnyStatusIsShown(t *testing.T) {
	b := builder(t)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"", "x", "-1", "NaN", "1e400", "0.5", "5m", "1 2 3", "NaN NaN", "1e308 -5 _"})
		var o model.Objects
		for range rapid.IntRange(0, 4).Draw(t, "forecasts") {
			fc := v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: text.Draw(t, "name")}}
			fc.Status.Model = &v1alpha1.ModelStatus{Skill: text.Draw(t, "skill"), Coverage: text.Draw(t, "coverage")}
			fc.Status.LeadTime = &v1alpha1.LeadTimeStatus{Value: v1alpha1.Duration(text.Draw(t, "lead"))}
			fc.Status.Plan = &v1alpha1.Plan{
				Start: metav1.NewTime(now), End: metav1.NewTime(now.Add(time.Hour)),
				Segments: []v1alpha1.PlanSegment{{Step: v1alpha1.Duration(text.Draw(t, "step")), Values: text.Draw(t, "values")}},
			}
			fc.Spec.Seasonality.TimeZone = v1alpha1.TimeZone(text.Draw(t, "zone"))
			fc.Status.Conditions = []metav1.Condition{{
				Type:   rapid.SampledFrom([]string{"Ready", "Skilled", "Drifting", "?"}).Draw(t, "type"),
				Status: metav1.ConditionStatus(rapid.SampledFrom([]string{"True", "False", "Unknown", ""}).Draw(t, "status")),
			}}
			o.Forecasts = append(o.Forecasts, fc)
		}
		fleet := b.Fleet(o, now)
		if _, err := json.Marshal(fleet); err != nil || len(fleet.Rows) != len(o.Forecasts) {
			t.Fatalf("%d rows of %d, %v", len(fleet.Rows), len(o.Forecasts), err)
		}
		for i, r := range fleet.Rows {
			if i > 0 && fleet.Rows[i-1].Level < r.Level {
				t.Fatalf("%s has level %d after %d", r.ID, r.Level, fleet.Rows[i-1].Level)
			}
			s, ok := b.Service(o, r.ID, now)
			if _, err := json.Marshal(s); err != nil || !ok {
				t.Fatalf("%s: %v, %v", r.ID, ok, err)
			}
		}
	})
}

// Whether the forecast is served follows from the condition, and not from the figure: a skill of 0
// is served where the last season is repeated.
func TestSkilled(t *testing.T) {
	yes, no := true, false
	for name, tc := range map[string]struct {
		reason, skill, status string
		want                  *bool
	}{
		"Repeated":  {"the last season is repeated, which nothing beats yet", "0.000", "True", &yes},
		"Skilled":   {"the forecast beats the rules", "0.42", "True", &yes},
		"NoSkill":   {"a figure above 0 need not be served", "0.01", "False", &no},
		"Unknown":   {"there is no model yet", "", "Unknown", nil},
		"Undefined": {"no server writes this", "0.5", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			fc := v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "b"}}
			fc.Status.Model = &v1alpha1.ModelStatus{Skill: tc.skill}
			fc.Status.Conditions = []metav1.Condition{{Type: "Skilled", Status: metav1.ConditionStatus(tc.status)}}
			s, _ := builder(t).Service(model.Objects{Forecasts: []v1alpha1.Forecast{fc}}, "a/b", now)
			if diff := cmp.Diff(tc.want, s.Skilled); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

// A Forecast that is not there is no service.
func TestMissingService(t *testing.T) {
	if _, ok := builder(t).Service(fixture(t), "shop/nothing", now); ok {
		t.Error("it was found")
	}
}
