package planner

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/scheduler"
)

var origin = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// peaks returns n steps that are neutral, except for those in at.
func peaks(n int, at map[int]scheduler.Demand) []scheduler.Demand {
	out := make([]scheduler.Demand, n)
	for i := range out {
		out[i] = scheduler.Neutral()
		if d, ok := at[i]; ok {
			out[i] = d
		}
	}
	return out
}

func demand(change func(*scheduler.Demand)) scheduler.Demand {
	d := scheduler.Neutral()
	change(&d)
	return d
}

func skilled(lead int, median, cover []float64) *forecaster.Outlook {
	return &forecaster.Outlook{
		Start: origin, Step: time.Minute, Lead: lead, Median: median, Cover: cover, Skilled: true,
	}
}

func TestBuild(t *testing.T) {
	nan := math.NaN()
	times3 := demand(func(d *scheduler.Demand) { d.Multiply = 3 })
	atLeast := demand(func(d *scheduler.Demand) { d.AtLeast = 100 })
	cases := map[string]struct {
		reason string
		in     buildInput
		want   []float64
	}{
		"ForecastAlone": {
			reason: "without peaks the plan is the forecast's own cover, within the bounds",
			in: buildInput{
				Horizon: 4, Lead: 1, Max: 40, Min: 15,
				Outlook: skilled(1, []float64{5, 10, 20, 30, 30}, []float64{12, 24, 36, 48}),
			},
			want: []float64{15, 24, 36, 40},
		},
		"MultiplyWithinTheWindow": {
			reason: "cover 12 over medians 10, 5: ratio 1.2; with × 3 on the second: max(12, 3·5·1.2) = 18",
			in: buildInput{
				Horizon: 2, Lead: 1, Outlook: skilled(1, []float64{10, 5, 5}, []float64{12, 8}),
				Peaks: peaks(4, map[int]scheduler.Demand{1: times3}),
			},
			// step 1: ratio 8/5 = 1.6; max(3·5·1.6, 5·1.6) = 24
			want: []float64{18, 24},
		},
		"AtLeastALeadAhead": {
			reason: "a minimum counts from exactly one lead before its window",
			in: buildInput{
				Horizon: 6, Lead: 2,
				Outlook: skilled(2, []float64{5, 5, 5, 5, 5, 5, 5, 5}, []float64{6, 6, 6, 6, 6, 6}),
				Peaks:   peaks(9, map[int]scheduler.Demand{4: atLeast}),
			},
			want: []float64{6, 6, 100, 100, 100, 6},
		},
		"OrderOfPeaks": {
			reason: "10·2+5 = 25 → at least 4 replicas of 10 = 40 → at most 30 → bounds.max 28",
			in: buildInput{
				Horizon: 1, Capacity: 10, Max: 28, Ramp: Ramp{None: true},
				Outlook: skilled(0, []float64{10}, []float64{10}),
				Peaks:   peaks(2, map[int]scheduler.Demand{0: {Multiply: 2, Add: 5, Replicas: 4, AtMost: 30}}),
			},
			want: []float64{28},
		},
		"MedianOfZero": {
			reason: "where the medians are 0 there is no proportion, so the cover itself is multiplied",
			in: buildInput{
				Horizon: 1, Lead: 1, Outlook: skilled(1, []float64{0, 0}, []float64{2}),
				Peaks: peaks(3, map[int]scheduler.Demand{1: times3}),
			},
			want: []float64{6},
		},
		"UnskilledHasNoValue": {
			reason: "a forecast without skill is not served, and 0 does not replace it",
			in: buildInput{
				Horizon: 2, Observed: 50, Min: 3,
				Outlook: &forecaster.Outlook{
					Start: origin, Step: time.Minute, Median: []float64{9, 9}, Cover: []float64{9, 9},
				},
			},
			want: []float64{nan, nan},
		},
		"UnskilledPeaks": {
			reason: "observed demand includes the active peak, so the base is the demand before; atLeast has no base",
			in: buildInput{
				Horizon: 6, Observed: 50, PeakBase: 20,
				Peaks: peaks(7, map[int]scheduler.Demand{0: times3, 2: times3, 4: atLeast}),
			},
			want: []float64{60, nan, 60, nan, 100, nan},
		},
		"UnskilledPeakOnNothing": {
			reason: "there was no demand when the window began, so a factor has no effect, whatever is observed since",
			in: buildInput{Horizon: 3, Observed: 50, PeakBase: 0, Peaks: peaks(4, map[int]scheduler.Demand{
				0: times3,
				1: {Multiply: 1, MultiplyTo: 1, Add: 7, AddTo: 7, AtMost: math.Inf(1)},
			})},
			want: []float64{nan, 7, nan},
		},
		"UnskilledPeakToCome": {
			reason: "before a window, observed demand is its base",
			in: buildInput{
				Horizon: 3, Observed: 50, PeakBase: nan,
				Peaks: peaks(4, map[int]scheduler.Demand{2: times3}),
			},
			want: []float64{nan, nan, 150},
		},
		"UnskilledWithoutObservation": {
			reason: "three times unknown is unknown",
			in: buildInput{
				Horizon: 2, Observed: nan, PeakBase: nan,
				Peaks: peaks(3, map[int]scheduler.Demand{0: times3, 1: atLeast}),
			},
			want: []float64{nan, 100},
		},
		"UnskilledLull": {
			reason: "a declared lull alone makes no plan: observed demand is served",
			in: buildInput{Horizon: 1, Observed: 50, Peaks: peaks(2, map[int]scheduler.Demand{
				0: demand(func(d *scheduler.Demand) { d.Multiply = 0.5; d.AtMost = 70 }),
			})},
			want: []float64{nan},
		},
		"PeaksAlone": {
			reason: "without a demand series the plan is 0 outside of peaks",
			in: buildInput{
				Horizon: 3, PeaksAlone: true, Observed: nan, Min: 2,
				Peaks: peaks(4, map[int]scheduler.Demand{1: atLeast}),
			},
			want: []float64{2, 100, 2},
		},
		"OlderOutlook": {
			reason: "a plan may start later than the forecast, and ends with it",
			in: buildInput{
				Start: origin.Add(2 * time.Minute), Horizon: 4,
				Outlook: skilled(0, []float64{1, 2, 3, 4}, []float64{1, 2, 3, 4}),
			},
			want: []float64{3, 4},
		},
		"EarlyForTheRamp": {
			reason: "one sync goes from 20 to 40 replicas, and the four syncs of the minute before from 1 to 20",
			in: buildInput{
				Horizon: 5, Capacity: 2,
				Outlook: skilled(0, []float64{2, 2, 2, 80, 80}, []float64{2, 2, 2, 80, 80}),
			},
			want: []float64{2, 2, 39, 80, 80},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := tc.in
			in.Step, in.Now = time.Minute, origin.Add(30*time.Second)
			if in.Start.IsZero() {
				in.Start = origin
			}
			plan, _, err := build(in)
			if err != nil {
				t.Fatal(err)
			}
			opts := cmp.Options{cmpopts.EquateNaNs(), cmpopts.EquateApprox(1e-12, 0)}
			if diff := cmp.Diff(tc.want, plan.Segments[0].Values, opts); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestBuildNotes(t *testing.T) {
	in := buildInput{
		Now: origin, Start: origin, Step: time.Minute, Horizon: 4, Capacity: 10, MaxReplicas: 3,
		Ramp:    Ramp{None: true},
		Outlook: skilled(0, []float64{10, 35, 52, 20}, []float64{10, 35, 52, 20}),
	}
	_, notes, err := build(in)
	if err != nil {
		t.Fatal(err)
	}
	want := &Shortage{
		From: origin.Add(time.Minute), Replicas: 4, PeakAt: origin.Add(2 * time.Minute), Peak: 6, Max: 3,
	}
	if diff := cmp.Diff(want, notes.Shortage); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	const message = "the plan needs 4 replicas from 2026-03-02T12:01:00Z and 6 at 2026-03-02T12:02:00Z"
	if got := notes.Shortage.String(); got != message {
		t.Errorf("got %q, want %q", got, message)
	}
	in.MaxReplicas = 6
	if _, notes, _ = build(in); notes.Shortage != nil {
		t.Errorf("6 replicas are enough, got %v", notes.Shortage)
	}
}

func TestBuildRejectsInvalidInput(t *testing.T) {
	good := buildInput{Start: origin, Step: time.Minute, Horizon: 1}
	cases := map[string]func(*buildInput){
		"step":     func(in *buildInput) { in.Step = 0 },
		"horizon":  func(in *buildInput) { in.Horizon = 0 },
		"lead":     func(in *buildInput) { in.Lead = -1 },
		"peaks":    func(in *buildInput) { in.Peaks = peaks(1, nil) },
		"capacity": func(in *buildInput) { in.Capacity = math.NaN() },
		"select":   func(in *buildInput) { in.Ramp.Select = "Mean" },
		"value":    func(in *buildInput) { in.Ramp.Policies = []Policy{{Kind: PolicyPods, Period: time.Second}} },
		"policy": func(in *buildInput) {
			in.Ramp.Policies = []Policy{{Kind: "Nodes", Value: 1, Period: time.Second}}
		},
	}
	if _, _, err := build(good); err != nil {
		t.Fatal(err)
	}
	for name, invalidate := range cases {
		t.Run(name, func(t *testing.T) {
			in := good
			invalidate(&in)
			if _, _, err := build(in); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v, want an error that names %s", err, name)
			}
		})
	}
}

// Whatever is declared, a plan is finite and within its bounds. Peaks that only raise demand never
// make it smaller than the plan without peaks.
func TestBuildProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		horizon, lead := rapid.IntRange(1, 40).Draw(t, "horizon"), rapid.IntRange(0, 6).Draw(t, "lead")
		value := rapid.Float64Range(0, 1000)
		median := rapid.SliceOfN(value, horizon+lead, horizon+lead).Draw(t, "median")
		cover := rapid.SliceOfN(value, horizon, horizon).Draw(t, "cover")
		in := buildInput{
			Now: origin, Start: origin, Step: time.Minute, Horizon: horizon, Lead: lead, Capacity: 10,
			Outlook: skilled(lead, median, cover), Max: rapid.SampledFrom([]float64{0, 500}).Draw(t, "max"),
			Ramp: Ramp{None: true},
		}
		plain, _, err := build(in)
		if err != nil {
			t.Fatal(err)
		}
		for range horizon + lead + 1 {
			d := scheduler.Neutral()
			if rapid.Bool().Draw(t, "on") {
				d.Multiply = rapid.Float64Range(1, 5).Draw(t, "multiply")
				d.Add = rapid.Float64Range(0, 50).Draw(t, "add")
				d.AtLeast = rapid.Float64Range(0, 700).Draw(t, "atLeast")
				d.Replicas = rapid.Float64Range(0, 70).Draw(t, "replicas")
			}
			in.Peaks = append(in.Peaks, d)
		}
		raised, _, err := build(in)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range raised.Segments[0].Values {
			p := plain.Segments[0].Values[i]
			if math.IsNaN(v) || math.IsInf(v, 0) || v < p*(1-1e-12) || (in.Max > 0 && v > in.Max) {
				t.Fatalf("step %d: %v, and %v without peaks", i, v, p)
			}
			for j := i; j <= i+lead; j++ {
				d := in.Peaks[j]
				if least := max(d.AtLeast, d.Replicas*10); v < least && v != in.Max {
					t.Fatalf("step %d: %v does not cover the %v declared for step %d", i, v, least, j)
				}
			}
		}
	})
}

// Expected is never above the plan's values, has the same peaks and bounds, and is nil without a
// forecast.
func TestBuildExpected(t *testing.T) {
	times3 := demand(func(d *scheduler.Demand) { d.Multiply = 3 })
	cases := map[string]struct {
		reason string
		in     buildInput
		want   []float64
	}{
		"LeadWindow": {
			"the highest median of the lead window, within the bounds",
			buildInput{
				Horizon: 4, Lead: 1, Max: 28, Min: 15,
				Outlook: skilled(1, []float64{5, 10, 20, 30, 30}, []float64{12, 24, 36, 48}),
			},
			[]float64{15, 20, 28, 28},
		},
		"Peaks": {
			"medians 5, 10, the second times 3",
			buildInput{
				Horizon: 1, Lead: 1, Outlook: skilled(1, []float64{5, 10}, []float64{12}),
				Peaks: peaks(3, map[int]scheduler.Demand{1: times3}),
			},
			[]float64{30},
		},
		"NoForecast": {
			"peaks alone are no forecast",
			buildInput{Horizon: 1, Observed: 10, Peaks: peaks(2, map[int]scheduler.Demand{0: times3})},
			nil,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.in.Now, tc.in.Start, tc.in.Step = origin, origin, time.Minute
			plan, _, err := build(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, plan.Segments[0].Expected); diff != "" {
				t.Errorf("\nReason: %s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
