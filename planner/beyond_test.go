package planner

import (
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner/plan"
)

var beyondStart = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

func beyondOf(lead time.Duration, values ...float64) *Beyond {
	return &Beyond{Lead: lead, Timeline: plan.Plan{
		Start: beyondStart, Segments: []plan.Segment{{Step: time.Minute, Values: values}},
	}}
}

func TestBeyondValues(t *testing.T) {
	cases := map[string]struct {
		reason string
		of     *Beyond
		lead   time.Duration
		after  time.Duration // of the first step
		want   []float64
	}{
		"SameLead": {
			reason: "with the same lead it is the timeline itself",
			of:     beyondOf(time.Minute, 0, 4, 4, 0), lead: time.Minute, want: []float64{0, 4, 4, 0},
		},
		"LongerLead": {
			reason: "a longer lead begins earlier, and ends at the same time",
			of:     beyondOf(time.Minute, 0, 0, 0, 4, 0), lead: 3 * time.Minute, want: []float64{0, 4, 4, 4, 0},
		},
		"ShorterLead": {
			reason: "a shorter lead begins later, and ends at the same time",
			of:     beyondOf(3*time.Minute, 0, 4, 4, 4, 4, 0), lead: time.Minute, want: []float64{0, 0, 0, 4, 4, 0},
		},
		"Bridge": {
			reason: "what comes back within the lead is not given up in between",
			of:     beyondOf(time.Minute, 4, 0, 0, 4, 0), lead: 3 * time.Minute, want: []float64{4, 4, 4, 4, 0},
		},
		"LaterStart": {
			reason: "steps before now are left out",
			of:     beyondOf(time.Minute, 9, 4, 5), lead: time.Minute, after: time.Minute, want: []float64{4, 5},
		},
		"ClockBehind": {
			reason: "before the start of the timeline its first value counts",
			of:     beyondOf(time.Minute, 9, 4), lead: time.Minute, after: -time.Minute, want: []float64{9, 9, 4},
		},
		"Ended": {reason: "nothing is known after its end", of: beyondOf(0, 9), after: time.Minute},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := tc.of.values(beyondStart.Add(tc.after), time.Minute, 100, tc.lead)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// What is left of a plan without the overflow is what the plan would have without it.
func TestBeyondOwn(t *testing.T) {
	planOf := func(expected bool, values ...float64) *plan.Plan {
		s := plan.Segment{Step: time.Minute, Values: values}
		if expected {
			s.Expected = values
		}
		coarse := plan.Segment{Step: 5 * time.Minute, Values: []float64{99}}
		return &plan.Plan{Start: beyondStart, Segments: []plan.Segment{s, coarse}}
	}
	b := beyondOf(time.Minute, 0, 4, 4, 0, 6, 6, 6)
	cases := map[string]struct {
		reason string
		of     *Beyond
		plan   *plan.Plan
		lead   time.Duration
		want   []float64
	}{
		"None": {reason: "without an overflow all is the own demand", plan: planOf(true, 7, 7), want: []float64{7, 7}},
		"Rest": {
			reason: "the rest", of: b, plan: planOf(true, 5, 9, 7, 5), lead: time.Minute, want: []float64{5, 5, 3, 5},
		},
		"LaterStep": {
			reason: "of its own lead, also at its end", of: b, plan: planOf(true, 5, 5), lead: 4 * time.Minute,
			want: []float64{1, 0},
		},
		"NoSkill": {reason: "a plan without a forecast says nothing of the own demand", of: b, plan: planOf(false, 5, 9)},
		"Unknown": {reason: "what ended before the plan tells nothing", of: beyondOf(0), plan: planOf(true, 5)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []float64
			if own := tc.of.Own(tc.plan, tc.lead); own != nil {
				got = own.Segments[0].Values
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// Whatever the two leads are, each step covers the demand of its own lead, which the other cluster
// has widened by its lead.
func TestBeyondCoversItsLead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		demand := rapid.SliceOfN(rapid.Float64Range(0, 9), 1, 40).Draw(t, "demand")
		their, own := rapid.IntRange(0, 8).Draw(t, "their lead"), rapid.IntRange(0, 8).Draw(t, "own lead")
		b := beyondOf(time.Duration(their)*time.Minute, slidingMax(demand, len(demand), their+1)...)
		got := b.values(beyondStart, time.Minute, len(demand), time.Duration(own)*time.Minute)
		need := slidingMax(demand, len(demand), own+1)
		for i, v := range got {
			if v < need[i] {
				t.Fatalf("step %d is for %v of %v", i, v, need[i])
			}
		}
	})
}

// TestStepWithBeyond plans for another cluster's overflow, alone and beside demand of its own.
func TestStepWithBeyond(t *testing.T) {
	fc := &v1alpha1.Forecast{Spec: v1alpha1.ForecastSpec{
		OverflowOf: &v1alpha1.OverflowReference{Cluster: "a", Forecast: "shop/web"}, Horizon: "1h",
		ProvisionFor: v1alpha1.ProvisionFor{ServiceLevel: new(v1alpha1.Decimal("0.9"))},
	}}
	set, err := Parse(fc)
	if err != nil {
		t.Fatal(err)
	}
	in := StepInput{Now: beyondStart, Settings: set, Capacity: 5, Beyond: beyondOf(0, 0, 7, 7)}
	out, _ := Step(in, State{})
	if out.Outcome != Planned {
		t.Fatalf("the outcome is %d: %v", out.Outcome, out.Err)
	}
	if diff := cmp.Diff([]float64{0, 7, 7}, out.Plan.Segments[0].Values); diff != "" {
		t.Errorf("the plan ends with what is known: -want, +got\n%s", diff)
	}

	in.Beyond = nil
	if out, _ := Step(in, State{}); out.Outcome != OverflowUnknown {
		t.Errorf("without a timeline the outcome is %d", out.Outcome)
	}
	in.Beyond, in.Now = beyondOf(0, 7), beyondStart.Add(time.Minute)
	if out, _ := Step(in, State{}); out.Outcome != OverflowEnded {
		t.Errorf("after the end of the timeline the outcome is %d", out.Outcome)
	}

	in.Settings.HasDemand, in.Now, in.Beyond = true, beyondStart, beyondOf(0, 0, 7)
	in.Observed = &Observation{Value: 3, At: beyondStart}
	out, _ = Step(in, State{})
	if out.Plan == nil {
		t.Fatalf("the outcome is %d: %v", out.Outcome, out.Err)
	}
	if got := out.Plan.Segments[0].Values; !math.IsNaN(got[0]) || got[1] != 10 {
		t.Errorf("beside demand without a forecast the plan is %v, want no value and 10", got)
	}
}

func TestParseOverflowOf(t *testing.T) {
	for name, text := range map[string]string{"NoNamespace": "web", "NoName": "shop/", "Empty": ""} {
		_, err := ParseSpec(&v1alpha1.ForecastSpec{OverflowOf: &v1alpha1.OverflowReference{Cluster: "a", Forecast: text}})
		if err == nil || !strings.Contains(err.Error(), "spec.overflowOf") {
			t.Errorf("%s: %q is accepted: %v", name, text, err)
		}
	}
}

func TestFinerStep(t *testing.T) {
	set := Settings{Step: time.Minute, Horizon: time.Hour}
	long := Settings{Step: time.Minute, Horizon: 30 * 24 * time.Hour}
	at := func(step time.Duration) *Beyond {
		return &Beyond{Timeline: plan.Plan{Segments: []plan.Segment{{Step: step, Values: []float64{1}}}}}
	}
	cases := map[string]struct {
		reason string
		b      *Beyond
		set    Settings
		want   time.Duration
	}{
		"Finer":   {"a finer timeline is followed", at(15 * time.Second), set, 15 * time.Second},
		"Coarser": {"a coarser one is not", at(5 * time.Minute), set, time.Minute},
		"Demand": {
			"demand has its own resolution", at(15 * time.Second), Settings{Step: time.Minute, HasDemand: true}, time.Minute,
		},
		"TooFine": {
			"another cluster does not choose how long a plan takes", at(time.Millisecond), set, time.Minute,
		},
		"TooMany":   {"nor how many steps it has", at(time.Second), long, time.Minute},
		"NoBeyond":  {"nothing is known", nil, set, time.Minute},
		"NoSegment": {"an empty timeline", &Beyond{}, set, time.Minute},
	}
	for name, tc := range cases {
		if got := tc.b.FinerStep(tc.set); got != tc.want {
			t.Errorf("%s: %s, want %s: %s", name, got, tc.want, tc.reason)
		}
	}
}

// BenchmarkStepWithBeyond is one evaluation of a Forecast that plans for another cluster's overflow
// of a day, and is itself short.
func BenchmarkStepWithBeyond(b *testing.B) {
	values := make([]float64, 1440)
	for i := range values {
		values[i] = float64(i % 700)
	}
	set := Settings{
		Step: time.Minute, Horizon: 24 * time.Hour, Max: math.Inf(1), OverflowOf: &OverflowOf{},
		Scaling: Scaling{MaxReplicas: 50},
	}
	in := StepInput{
		Now: beyondStart, Settings: set, Capacity: 10, Lead: 10 * time.Minute, Beyond: beyondOf(5*time.Minute, values...),
	}
	for b.Loop() {
		out, _ := Step(in, State{})
		if out.Outcome != Planned || out.Overflow.Fits() {
			b.Fatalf("the outcome is %d, and %v", out.Outcome, out.Overflow)
		}
		_ = out.Plan.Encode()
	}
}

// The memory for a plan does not grow with the lead that another cluster claims.
func TestBeyondLeadIsBounded(t *testing.T) {
	b := beyondOf(240*time.Hour, 0, 4, 4, 0)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := b.values(beyondStart, time.Second, 100, time.Minute)
	runtime.ReadMemStats(&after)
	if bytes := after.TotalAlloc - before.TotalAlloc; bytes > 1<<20 || len(got) != 100 {
		t.Errorf("%d values take %d bytes", len(got), bytes)
	}
}
