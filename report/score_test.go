package report

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
)

var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// optionsFor returns Options for values with a step of ten minutes.
func optionsFor(values []float64, from int) Options {
	o := DefaultOptions()
	o.Series = history.Series{Start: start, Step: 10 * time.Minute, Values: values}
	o.From, o.Lead, o.Capacity = from, 10*time.Minute, 10
	o.Contract = forecaster.Contract{ShortageCost: 20}
	return o
}

// plainScore computes the closed loop as the package documentation states it, without any shortcut.
func plainScore(s span, desired []float64, stabilization int) Figures {
	var paidSum, unserved, total, short, steps float64
	paid := func(t int) float64 {
		largest := 0.0
		for k := max(0, t-stabilization); k <= t; k++ {
			largest = max(largest, desired[k])
		}
		return largest
	}
	for t, d := range s.demand {
		if !s.known[t] {
			continue
		}
		ready := math.Inf(1)
		for k := max(0, t-s.t.lead); k <= t; k++ {
			ready = min(ready, paid(k))
		}
		missing := max(0, d-ready*s.t.capacity)
		steps++
		total += d
		unserved += missing
		paidSum += paid(t)
		if missing > 1e-9 {
			short++
		}
	}
	return Figures{
		Unserved: unserved / total, Short: short / steps, MeanReplicas: paidSum / steps,
		Utilisation: total / (paidSum * s.t.capacity), Cost: paidSum + s.t.shortageCost*unserved/s.t.capacity,
	}
}

func TestScoreIsTheClosedLoop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(5, 60).Draw(t, "steps")
		values := rapid.SliceOfN(rapid.Float64Range(0.1, 500), n, n).Draw(t, "demand")
		for i := range values {
			if i > 1 && i < n-1 && rapid.IntRange(0, 4).Draw(t, "gap") == 0 {
				values[i] = math.NaN()
			}
		}
		o := optionsFor(values, 2)
		o.Lead = time.Duration(rapid.IntRange(0, 60).Draw(t, "lead")) * time.Minute
		o.Stabilization = time.Duration(rapid.IntRange(0, 60).Draw(t, "stabilization")) * time.Minute
		tr := newTrace(o)
		s := tr.span(2, n)
		desired := make([]float64, n-2)
		for i := range desired {
			desired[i] = float64(rapid.IntRange(1, 60).Draw(t, "desired"))
		}
		if got, want := tr.lead, int(math.Ceil(o.Lead.Minutes()/10)); got != want {
			t.Fatalf("a lead of %s is %d steps, want %d", o.Lead, got, want)
		}
		got, want := s.score(desired, tr.stabilization), plainScore(s, desired, tr.stabilization)
		same := cmp.Options{
			cmpopts.EquateApprox(1e-12, 1e-12),
			cmpopts.IgnoreFields(Figures{}, "LongestShortfallSeconds", "Shortfalls", "MeanShortfallSeconds", "PeakReplicas",
				"ReplicaHours", "Scalings", "ReplicasOverOracle", "CostOverOracle"),
		}
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Fatalf("-want, +got:\n%s", diff)
		}
		oracle := s.score(s.oracle(), 0)
		if oracle.Unserved > 1e-12 {
			t.Fatalf("the oracle leaves %v unserved", oracle.Unserved)
		}
		if got.Unserved == 0 && got.Cost < oracle.Cost-1e-9 {
			t.Fatalf("%v serves all demand for less than the oracle's %v", got.Cost, oracle.Cost)
		}
	})
}

func TestFiguresByHand(t *testing.T) {
	nan := math.NaN()
	// The capacity is 10, the lead is one step, and there is no stabilisation. Desired replicas of
	// 1 1 3 3 2 1 are paid at once. New ones serve a step later: 1 1 1 3 2 1 are ready. The demand
	// is 10 20 30 - 20 12, where - is a gap. Unserved are 0 10 20 - 0 2 of 92. 3 of 5 steps are
	// short, and the longest run is 2 steps. Paid are 1+1+3+2+1 = 8, without the gap.
	o := optionsFor([]float64{5, 10, 20, 30, nan, 20, 12}, 1)
	o.Stabilization = 0
	tr := newTrace(o)
	got := tr.span(1, 7).score([]float64{1, 1, 3, 3, 2, 1}, 0)
	want := Figures{
		Unserved: 32.0 / 92, Short: 3.0 / 5, LongestShortfallSeconds: 1200, Shortfalls: 2, MeanShortfallSeconds: 900,
		MeanReplicas: 8.0 / 5, PeakReplicas: 3, ReplicaHours: 8.0 / 6, Utilisation: 92.0 / 80, Scalings: 3,
		Cost: 8 + 20*3.2,
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(1e-12, 0)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	// The oracle needs 1 2 3 0 2 2. It requests them a step ahead: 2 3 3 2 2 2. A gap needs
	// no replica.
	if diff := cmp.Diff([]float64{2, 3, 3, 2, 2, 2}, tr.span(1, 7).oracle()); diff != "" {
		t.Errorf("oracle: -want, +got:\n%s", diff)
	}
}

func TestHPAFollow(t *testing.T) {
	cases := map[string]struct {
		reason string
		step   time.Duration
		metric []float64
		window time.Duration // of stabilisation
		want   []float64
	}{
		"Tolerance": {
			reason: "a load 10 % above that of ten replicas is within the tolerance, 11 % is not",
			step:   time.Minute, metric: []float64{100, 110, 111}, window: 5 * time.Minute, want: []float64{10, 10, 12},
		},
		"Ramp": {
			reason: "2 → 4 → 8 → 16 → 32 within one minute's four syncs, then 40",
			step:   time.Minute, metric: []float64{20, 400, 400}, window: 5 * time.Minute, want: []float64{2, 32, 40},
		},
		"Stabilization": {
			reason: "the largest recommendation of the last 2 minutes counts",
			step:   time.Minute, metric: []float64{100, 20, 20, 20}, window: 2 * time.Minute, want: []float64{10, 10, 2, 2},
		},
		"LongStep": {
			reason: "an hour is long enough for the whole ramp",
			step:   time.Hour, metric: []float64{20, 5000, 20}, window: 5 * time.Minute, want: []float64{2, 500, 2},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := optionsFor([]float64{1, 1}, 1)
			o.Series.Step = tc.step
			h := HPA{Stabilization: tc.window, MinReplicas: o.MinReplicas, MaxReplicas: o.MaxReplicas}
			if diff := cmp.Diff(tc.want, newTrace(o).hpaFollow(tc.metric, h)); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
