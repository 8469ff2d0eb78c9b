package simulator

import (
	"math"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestDemand(t *testing.T) {
	d, err := NewDemand(noon, 2*time.Second, []float64{10, 0, 30})
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason    string
		at        time.Duration
		rate, sum float64
	}{
		"Before":      {"nothing is offered before the first step", -time.Second, 0, 0},
		"Begin":       {"a step covers its begin", 0, 10, 0},
		"InAStep":     {"requests come evenly over a step", 500 * time.Millisecond, 10, 5},
		"NextStep":    {"a step does not cover its end", 2 * time.Second, 0, 20},
		"LastStep":    {"the last step", 5 * time.Second, 30, 50},
		"AfterTheEnd": {"the last value stays", 8 * time.Second, 30, 140},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			at := noon.Add(tc.at)
			if rate, sum := d.At(at), d.Total(at); rate != tc.rate || sum != tc.sum {
				t.Errorf("%s: At, Total = %v, %v, want %v, %v", tc.reason, rate, sum, tc.rate, tc.sum)
			}
		})
	}
}

func TestNewDemandRefuses(t *testing.T) {
	cases := map[string]struct {
		reason string
		step   time.Duration
		values []float64
	}{
		"Empty":    {"no step", time.Second, nil},
		"NoStep":   {"a step of no length", 0, []float64{1}},
		"NaN":      {"not a number", time.Second, []float64{1, math.NaN()}},
		"Inf":      {"not finite", time.Second, []float64{math.Inf(1)}},
		"Negative": {"below 0", time.Second, []float64{-1}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := NewDemand(noon, tc.step, tc.values); err == nil {
				t.Errorf("%s: no error", tc.reason)
			}
		})
	}
}

func TestWeek(t *testing.T) {
	w := DefaultWeek(14, 144)
	values := w.Values()
	if len(values) != 14*144 {
		t.Fatalf("%d values, want %d", len(values), 14*144)
	}
	for i, v := range w.Values() {
		if v != values[i] {
			t.Fatalf("step %d is %v and %v with the same seed", i, values[i], v)
		}
	}
	mean := func(day int, from, to float64) float64 {
		sum, n := 0.0, 0
		for h := from; h < to; h += 24.0 / 144 {
			sum += values[day*144+int(h*6)]
			n++
		}
		return sum / float64(n)
	}
	for name, c := range map[string]struct{ low, high float64 }{
		"the night is below a third of the morning": {3 * mean(1, 1, 5), mean(1, 10, 12)},
		"lunch dips":                                   {1.1 * mean(1, 12.4, 13), mean(1, 10, 12)},
		"the morning doubles within an hour":           {2 * mean(1, 7.8, 8), mean(1, 9, 9.2)},
		"a Saturday has less than two thirds of it":    {1.5 * mean(5, 10, 16), mean(4, 10, 16)},
		"a weekday peaks near the peak that was asked": {0.85 * w.Peak, mean(2, 10, 12)},
	} {
		if c.low >= c.high {
			t.Errorf("%s: %.1f is not below %.1f", name, c.low, c.high)
		}
	}
}
