package render

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"headstart.dev/headstart/report"
)

// The page computes shortfalls from rounded demand. They must be those of the exact one: a demand
// that fills its replicas exactly may not become a shortfall.
func TestRoundedDemandNeedsTheSameReplicas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.OneOf(rapid.Float64Range(0.01, 1e5), rapid.SampledFrom([]float64{1, 12345.6, 1.0 / 3})).
			Draw(t, "capacity")
		values := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) float64 {
			v := capacity * float64(rapid.IntRange(0, 5000).Draw(t, "replicas"))
			return v * (1 + rapid.SampledFrom([]float64{0, 1e-6, -1e-6, 1e-12, 0.3}).Draw(t, "near"))
		}), 1, 20).Draw(t, "values")
		text, err := json.Marshal(demand{report.Steps{Demand: values, Capacity: capacity}})
		if err != nil {
			t.Fatal(err)
		}
		var got []float64
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			if now, before := math.Ceil(got[i]/capacity-1e-9), math.Ceil(v/capacity-1e-9); now != before {
				t.Fatalf("%v of capacity %v needs %v replicas, and %v on the page", v, capacity, before, now)
			}
		}
	})
	text, err := json.Marshal(demand{report.Steps{
		Demand: []float64{1234567.8, math.NaN(), 0.123456789}, Capacity: 1e9,
	}})
	if want := `[1.2346e+06,null,0.12346]`; err != nil || string(text) != want {
		t.Errorf("%s, %v, want %s: digits that nobody sees make the page larger", text, err, want)
	}
}

// Where the capacity is learned, the needed replicas of a step follow from that of the step.
func TestNeededByLearnedCapacity(t *testing.T) {
	d := demand{report.Steps{Demand: []float64{10, 10, 10}, From: 1, Capacity: 5, Capacities: []float64{4, 2}}}
	for i, want := range []float64{2, 3, 5} {
		if got := d.needed(i, 10); got != want {
			t.Errorf("step %d needs %v, want %v", i, got, want)
		}
	}
	if got := capacityRuns([]float64{4, 4, 2.5}); !slices.Equal(got, []float64{4, 2, 2.5, 1}) {
		t.Errorf("runs of capacities: %v", got)
	}
}
