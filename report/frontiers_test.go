package report

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"headstart.dev/headstart/planner"
)

// Whatever the demand, frontiers are monotone, and the setting that was replayed does not lie below
// its frontier.
func TestFrontiersAreMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 500), 30, 120).Draw(t, "values")
		for i := range values {
			if rapid.IntRange(0, 20).Draw(t, "gap") == 0 && i > 0 && i < len(values)-1 {
				values[i] = math.NaN()
			}
		}
		o := optionsFor(values, len(values)/3)
		o.MinReplicas = rapid.IntRange(0, 3).Draw(t, "min")
		if rapid.Bool().Draw(t, "bounded") {
			o.MaxReplicas = 20
		}
		run := newRunner(o, newPool(o))
		served := make([]float64, len(values)-o.From)
		for i := range served {
			served[i] = rapid.Float64Range(0, 500).Draw(t, "served")
		}
		line := run.headstartFrontier(&Replay{Served: served})
		own := run.point(1, run.t.servedReplicas(served, 1, run.t.planned), run.t.stabilization)
		if hours, ok := line.HoursAt(own.Unserved); !ok || hours > own.ReplicaHours+1e-9 {
			t.Fatalf("the replay %v lies below its frontier %v", own, line)
		}
		for i, p := range line {
			if i > 0 && (p.ReplicaHours <= line[i-1].ReplicaHours || p.Unserved >= line[i-1].Unserved) {
				t.Fatalf("not monotone: %v", line)
			}
		}
	})
}

// The HPA of a team scales as its behavior says.
func TestHPABehaviour(t *testing.T) {
	rise := make([]float64, 40)
	for i := range rise {
		rise[i] = 10
		if i >= 10 {
			rise[i] = 1000
		}
	}
	o := optionsFor(rise, 5)
	o.Series.Step /= 10 // a minute
	trace := newTrace(o)
	fast := HPA{Target: 1, MinReplicas: 1}
	slow := HPA{Target: 1, MinReplicas: 1, Ramp: rampOfPods(2)}
	bounded := HPA{Target: 1, MinReplicas: 3, MaxReplicas: 7}
	for name, tc := range map[string]struct {
		reason      string
		hpa         HPA
		first, then float64 // after the first minute of the rise, and after five
	}{
		"Default": {"it doubles every 15 s from 4", fast, 32, 100},
		"Slow":    {"it adds two pods a minute", slow, 3, 11},
		"Bounds":  {"it keeps within its bounds", bounded, 7, 7},
	} {
		t.Run(name, func(t *testing.T) {
			got := trace.hpaFollow(rise, tc.hpa)
			if got[10] != tc.first || got[14] != tc.then {
				t.Errorf("%s: %v and %v, want %v and %v", tc.reason, got[10], got[14], tc.first, tc.then)
			}
		})
	}
}

func rampOfPods(pods int) planner.Ramp {
	return planner.Ramp{Policies: []planner.Policy{{Kind: planner.PolicyPods, Value: pods, Period: time.Minute}}}
}
