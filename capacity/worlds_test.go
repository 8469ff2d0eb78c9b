package capacity_test

import (
	"flag"
	"math"
	"testing"
	"time"

	"headstart.dev/headstart/capacity"
	"headstart.dev/headstart/testdata/queues"
)

var bars = flag.Bool("bars", false, "measure the bars over all worlds, with 100 seeds where it is cheap; ten minutes")

var monday = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// daily is the load of a day whose maximum is at 15:00.
func daily(at time.Time, highest float64) float64 {
	hour := at.Sub(monday).Hours()
	return highest * (0.575 + 0.425*math.Sin(2*math.Pi*(hour-9)/24))
}

func options(w queues.World, usual float64) capacity.Options {
	return capacity.Options{Step: time.Minute, AtMost: w.AtMost, Attain: w.Attain, Default: usual}
}

// follow gives two weeks of a daily cycle to an estimator.
func follow(t *testing.T, p *queues.Replay, o capacity.Options, highest float64) capacity.Estimate {
	t.Helper()
	e, err := capacity.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 14 * 24 * 60 {
		at := monday.Add(time.Duration(i) * time.Minute)
		m := p.Step(daily(at, highest))
		e.Add(capacity.Sample{At: at, Load: m.Load, Replicas: m.Replicas, Settled: true, Latency: m.Latency})
	}
	return e.Estimate()
}

// attained returns the share of the steps of a day that meet the objective at a load per replica.
func attained(p *queues.Replay, w queues.World, load func(at time.Time) float64) float64 {
	met, all := 0.0, 0.0
	for i := range 1440 {
		m := p.Step(load(monday.Add(time.Duration(i) * time.Minute)))
		if all++; !(m.Latency > w.AtMost) {
			met++
		}
	}
	return met / all
}

// TestEstimateOfKnownCapacities is the first bar: two weeks of a daily cycle that reaches 90 % of the
// capacity give it within 7 % below and 3 % above; a cycle that reaches half of it gives the default.
func TestEstimateOfKnownCapacities(t *testing.T) {
	for _, w := range queues.Worlds() {
		if !*bars && !normally(w) {
			continue
		}
		seeds, recorded, slack := 5, 500, 0.05
		if *bars {
			seeds, recorded, slack = 100, 8000, 0
		}
		t.Run(w.Name, func(t *testing.T) {
			r := w.Record(1, recorded)
			truth := r.Capacity()
			var errors, lower, carried []float64
			var cycle, steady, steadyLower []float64
			atLeast, usual := 0, 0
			for seed := range seeds {
				high := follow(t, r.Replay(uint64(seed)), options(w, truth), 0.9*truth)
				errors, lower = append(errors, high.Capacity/truth-1), append(lower, high.Lower/truth-1)
				again := r.Replay(uint64(seed + seeds))
				always := func(load float64) func(time.Time) float64 {
					return func(time.Time) float64 { return load }
				}
				busiest := func(at time.Time) float64 { return daily(at, high.Capacity) }
				cycle = append(cycle, attained(again, w, busiest))
				steady = append(steady, attained(again, w, always(high.Capacity)))
				steadyLower = append(steadyLower, attained(again, w, always(high.Lower)))
				low := follow(t, r.Replay(uint64(seed)), options(w, 0.6*truth), 0.5*truth)
				carried = append(carried, high.Carried/truth-1)
				if low.AtLeast {
					atLeast++
				}
				if low.Used == 0.6*truth {
					usual++
				}
			}
			t.Logf("the estimate is off by %+.3f (median; %+.3f to %+.3f: 80 %% of the seeds), its lower bound by %+.3f, "+
				"what was carried by %+.3f; half loaded: at least %d, default %d of %d",
				quantile(errors, 0.5), quantile(errors, 0.1), quantile(errors, 0.9), quantile(lower, 0.5),
				quantile(carried, 0.5), atLeast, usual, seeds)
			t.Logf("attained with days that reach the estimate %.4f; at the estimate all day %.4f (median %.4f); "+
				"at its lower bound all day %.4f (median %.4f)", mean(cycle), mean(steady), quantile(steady, 0.5),
				mean(steadyLower), quantile(steadyLower, 0.5))
			// Days that reach the estimate spend most steps below it. All day at the estimate,
			// about half of the seeds attain less than was asked, since it is a median. At its
			// lower bound they do not.
			if m := mean(cycle); m < w.Attain {
				t.Errorf("days that reach the estimate attain %.4f, want %.2f", m, w.Attain)
			}
			if m := mean(steadyLower); m < w.Attain-slack {
				t.Errorf("all day at the lower bound attain %.4f, want %.2f", m, w.Attain)
			}
			if m := quantile(errors, 0.5); !(m >= -0.07-slack && m <= 0.03+slack) {
				t.Errorf("the median estimate is off by %+.3f, want -0.07 to +0.03", m)
			}
			if atLeast < seeds*9/10 || usual < seeds*9/10 {
				t.Errorf("half loaded: %d times at least, %d times the default, of %d", atLeast, usual, seeds)
			}
		})
	}
}

// TestReplayAgreesWithTheQueue compares the replay of a recording with the queue itself, over two days
// of the cycle.
func TestReplayAgreesWithTheQueue(t *testing.T) {
	for _, w := range queues.Worlds() {
		if !*bars && !normally(w) {
			continue
		}
		r := w.Record(1, 1500)
		s, p := w.Start(5, queues.Replicas), r.Replay(5)
		var slow, fast []float64
		for i := range 3 * 1440 {
			u := daily(monday.Add(time.Duration(i)*time.Minute), w.Capacity)
			if u < 0.6*w.Capacity {
				s.Step(u*queues.Replicas, time.Minute)
				continue
			}
			for _, m := range []struct {
				to *[]float64
				queues.Measurement
			}{{&slow, s.Step(u*queues.Replicas, time.Minute)}, {&fast, p.Step(u)}} {
				if !math.IsNaN(m.Latency) {
					*m.to = append(*m.to, m.Latency)
				}
			}
		}
		for _, level := range []float64{0.5, 0.9, 0.97} {
			a, b := quantile(slow, level), quantile(fast, level)
			if math.Abs(a/b-1) > 0.1 {
				t.Errorf("%s: the %.2f quantile of the latency is %.3f by the queue, %.3f by the replay", w.Name, level, a, b)
			}
		}
	}
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v / float64(len(values))
	}
	return sum
}
