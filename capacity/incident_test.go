package capacity

import (
	"math"
	"testing"
	"time"
)

// TestIncidents gives five days to an estimator of which the fourth goes wrong.
func TestIncidents(t *testing.T) {
	const from = 3 * 1440
	cases := map[string]struct {
		reason string
		usual  float64
		change func(i int, s *Sample) // from the fourth day on
		low    float64                // what is used in the end, at least and at most
		high   float64
		miss   Missing
	}{
		"overload for days": {
			reason: "misses never raise what is used to a default that is too high", usual: 20,
			change: func(_ int, s *Sample) { s.Load, s.Latency = s.Load*2, s.Latency*20 },
			low:    1.5, high: 9.3, miss: MissingMet,
		},
		"another unit of latency": {
			reason: "the same: nothing distinguishes it from an overload", usual: 20,
			change: func(_ int, s *Sample) { s.Latency *= 1000 }, low: 1.5, high: 9.3, miss: MissingMet,
		},
		"one of twenty replicas for half an hour": {
			reason: "loads far above all others do not move the bins", usual: 5,
			change: func(i int, s *Sample) {
				if i < from+600 {
					s.Load *= 17
				}
				if i >= from+30 {
					*s = day(1, 9.4, nil)[i%1440]
					s.At = monday.Add(minutes(i))
				}
			},
			low: 8, high: 9.5,
		},
		"a thousand times the load for two hours": {
			reason: "the bins come down again", usual: 5,
			change: func(i int, s *Sample) {
				if i < from+120 {
					s.Load *= 1000
				}
			},
			low: 5, high: 9.5, miss: MissingBusy, // ten hours after that
		},
		"a latency that stays the same": {
			reason: "a query that stopped to measure meets every objective", usual: 20,
			change: func(_ int, s *Sample) { s.Latency, s.Load = 0.1, s.Load*3 },
			low:    8, high: 9.5, miss: MissingVariation,
		},
		"an overload beyond the end of the histogram": {
			reason: "the same number above the objective is a miss, each time", usual: 20,
			change: func(_ int, s *Sample) { s.Latency, s.Load = 10, s.Load*2 }, low: 1.5, high: 9.3, miss: MissingMet,
		},
		"total time-outs": {
			reason: "busy steps without latency teach nothing", usual: 20,
			change: func(_ int, s *Sample) { s.Latency, s.Load = math.NaN(), s.Load*3 }, low: 8, high: 9.5,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := valid()
			o.Default = tc.usual
			samples := day(5, 9.4, func(i int, s *Sample) {
				if i >= from {
					tc.change(i, s)
				}
			})
			e, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			highest := 0.0
			for i, s := range samples {
				e.Add(s)
				if i >= from {
					highest = max(highest, e.Estimate().Used)
				}
			}
			got := e.Estimate()
			if got.Used < tc.low || got.Used > tc.high || highest > tc.high || got.Missing != tc.miss {
				t.Errorf("uses %.2f in the end and %.2f at most, want %.1f to %.1f and missing %q: %+v\nReason: %s",
					got.Used, highest, tc.low, tc.high, tc.miss, got, tc.reason)
			}
		})
	}
}

func TestSamplesThatTeachNothing(t *testing.T) {
	for name, change := range map[string]func(i int, s *Sample){
		"half a replica":     func(_ int, s *Sample) { s.Replicas = 0.5 },
		"a mean of replicas": func(_ int, s *Sample) { s.Replicas = 3.5 },
		"a load without end": func(_ int, s *Sample) { s.Load, s.Replicas = 1e308, 1 },
		"hardly a replica":   func(_ int, s *Sample) { s.Load, s.Replicas = 1e15, 1e-300 },
	} {
		o := valid()
		o.Default = 3
		if got := estimate(t, o, day(2, 9.4, change)); got.Used != 3 || got.Steps != 0 {
			t.Errorf("%s: %+v, want the default and no step that taught", name, got)
		}
		// What comes after that teaches as if nothing had been.
		got := estimate(t, o, day(4, 9.4, func(i int, s *Sample) {
			if i < 1440 {
				change(i, s)
			}
		}))
		if got.Source != SourceLearned || math.Abs(got.Used/9-1) > 0.05 {
			t.Errorf("%s on the first day: %+v, want about 9", name, got)
		}
	}
}

func TestWithoutMaximumFourTimesTheDefault(t *testing.T) {
	o := valid()
	o.Default = 1
	if got := estimate(t, o, day(4, 8.6, nil)); got.Used != 4 {
		t.Errorf("uses %.2f with a default of 1, want 4: %+v", got.Used, got)
	}
}

func minutes(n int) time.Duration { return time.Duration(n) * time.Minute }

// TestLoadsThatLastAreBelieved is the other side: what was learned at high loads outlives the long
// times of low ones, and a high load that is no incident teaches.
func TestLoadsThatLastAreBelieved(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		load   func(i int) float64 // of each replica, at a minute
	}{
		"a launch": {
			"a day of nearly nothing, then the real load", func(i int) float64 { return pick(i >= 1440, 6, 0.1) },
		},
		"quiet nights": {
			"one replica idles from the evening on", func(i int) float64 { return pick(i%1440 < 600, 6, 0.15) },
		},
		"an hour a day": {
			"a batch has 40 times the load of the day", func(i int) float64 { return pick(i%1440 < 60, 6, 0.15) },
		},
		"a quiet weekend": {
			"nothing but workdays", func(i int) float64 { return pick(i/1440%7 < 5 && i%1440 < 600, 6, 0.15) },
		},
	} {
		var samples []Sample
		for i := range 14*1440 - 1 {
			samples = append(samples, Sample{
				At: monday.Add(minutes(i)), Load: 4 * tc.load(i), Replicas: 4, Settled: true,
				Latency: 0.4 + 0.02*math.Sin(float64(i)*12.9898),
			})
		}
		if got := estimate(t, valid(), samples); math.Abs(got.Carried/6-1) > 0.05 {
			t.Errorf("%s: %+v, want about 6 carried\nReason: %s", name, got, tc.reason)
		}
	}
}

func pick(first bool, a, b float64) float64 {
	if first {
		return a
	}
	return b
}
