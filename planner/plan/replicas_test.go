package plan

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestReplicas(t *testing.T) {
	cases := map[string]struct {
		reason           string
		demand, capacity float64
		want             int
	}{
		"Exact":     {reason: "nothing is rounded up", demand: 10, capacity: 5, want: 2},
		"RoundedUp": {reason: "part of a replica needs a whole one", demand: 10.01, capacity: 5, want: 3},
		"Division": {
			reason: "0.3 / 0.1 is 2.9999999999999996, which is below 3",
			demand: 0.3, capacity: 0.1, want: 3,
		},
		"DivisionUp": {
			reason: "1.1 / 0.1 is 11.000000000000002, which is not 12 replicas",
			demand: 1.1, capacity: 0.1, want: 11,
		},
		"Zero":        {reason: "no demand needs no replica", demand: 0, capacity: 5},
		"Negative":    {reason: "a demand below 0 needs no replica", demand: -1, capacity: 5},
		"NaN":         {reason: "an unknown demand needs no replica", demand: math.NaN(), capacity: 5},
		"NoCapacity":  {reason: "without a capacity nothing is known", demand: 5, capacity: 0},
		"NaNCapacity": {reason: "without a capacity nothing is known", demand: 5, capacity: math.NaN()},
		"Huge": {
			reason: "a mistake in units does not overflow",
			demand: 1e300, capacity: 1e-9, want: MaxReplicas,
		},
		"Inf": {
			reason: "an infinite demand does not overflow",
			demand: math.Inf(1), capacity: 1, want: MaxReplicas,
		},
		"InfByInf":     {reason: "Inf / Inf is NaN", demand: math.Inf(1), capacity: math.Inf(1)},
		"TinyFraction": {reason: "a thousandth of a replica is no rounding error", demand: 5.005, capacity: 5, want: 2},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Replicas(tc.demand, tc.capacity); got != tc.want {
				t.Errorf("Replicas(%v, %v) = %d, want %d: %s", tc.demand, tc.capacity, got, tc.want, tc.reason)
			}
		})
	}
}

// A whole number of replicas comes back as that number, whatever the capacity, and more demand
// never needs fewer replicas.
func TestReplicasOfWholes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 100_000).Draw(t, "n")
		capacity := rapid.Float64Range(1e-6, 1e9).Draw(t, "capacity")
		if got := Replicas(float64(n)*capacity, capacity); got != n {
			t.Fatalf("%d × %v is rounded to %d replicas", n, capacity, got)
		}
		demand := rapid.Float64Range(0, 1e9).Draw(t, "demand")
		more := demand + rapid.Float64Range(0, 1e9).Draw(t, "more")
		if a, b := Replicas(demand, capacity), Replicas(more, capacity); b < a {
			t.Fatalf("demand %v needs %d replicas, and %v only %d", demand, a, more, b)
		}
	})
}
