package learned

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"headstart.dev/headstart/capacity"
)

func curve(points ...CurvePoint) Summary {
	return Summary{Used: 10, Source: capacity.SourceLearned, Curve: points}
}

func TestMet(t *testing.T) {
	s := curve(
		CurvePoint{Load: 2, Steps: 100}, CurvePoint{Load: 6, Steps: 100, Missed: 2}, CurvePoint{Load: 8, Steps: 100},
		CurvePoint{Load: 12, Steps: 100, Missed: 51},
	)
	nan := math.NaN()
	for name, tc := range map[string]struct {
		reason                string
		demand, ready, serves float64
		want                  float64
		ok                    bool
	}{
		"Low":      {"below all that was seen", 10, 10, 10, 1, true},
		"Pooled":   {"one that misses less than a lower load is chance", 70, 10, 10, 0.99, true},
		"Between":  {"half-way", 100, 10, 10, 0.74, true},
		"Beyond":   {"nobody knows", 130, 10, 10, 0, true},
		"Relative": {"a replica that served half then", 35, 10, 5, 0.99, true},
		"None":     {"nothing is ready", 1, 0, 10, 0, true},
		"Gap":      {"it does not count", nan, 1, 10, 0, false},
		"Idle":     {"nor does a step without demand", 0, 1, 10, 0, false},
	} {
		got, ok := s.Met([]float64{tc.demand}, []float64{tc.ready}, []float64{tc.serves})
		if ok != tc.ok || math.Abs(got-tc.want) > 1e-9 {
			t.Errorf("%s: %s: %v, %v, want %v", name, tc.reason, got, ok, tc.want)
		}
	}
	s.Source = capacity.SourceAtLeast
	if _, ok := s.Met([]float64{1}, []float64{1}, []float64{1}); ok {
		t.Error("a share is known although no limit was seen")
	}
}

// More replicas never miss the objective more often, whatever the curve.
func TestMetRisesWithReplicas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Summary{Used: 5, Source: capacity.SourceLearned}
		load := 0.0
		for range rapid.IntRange(1, 20).Draw(t, "points") {
			load += rapid.Float64Range(0.01, 3).Draw(t, "load")
			steps := rapid.Float64Range(0, 50).Draw(t, "steps")
			missed := steps * rapid.Float64Range(0, 1).Draw(t, "missed")
			s.Curve = append(s.Curve, CurvePoint{Load: load, Steps: steps, Missed: missed})
		}
		demand := rapid.Float64Range(0.1, 100).Draw(t, "demand")
		last := 0.0
		for n := range 12 {
			got, ok := s.Met([]float64{demand}, []float64{float64(n)}, []float64{5})
			if ok && (got < last-1e-9 || got < 0 || got > 1) {
				t.Fatalf("%d replicas meet it in %v, and fewer in %v", n, got, last)
			}
			last = got
		}
	})
}
