package weights

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"headstart.dev/headstart/testdata/queues"
)

// A model server whose prompts are cached to a share that varies, with weights that count requests
// alone. Its capacity is 1.37 requests/s without a cache, and 2.82 with 60 % of the prompts cached,
// so prompts are 86 % of the work (World.Measure, 1500 steps). With prefill in chunks, the capacity
// is 0.39 and 2.32: prompts are all of the work, and more than in proportion.
func TestWeightsOfAModelServer(t *testing.T) {
	for name, tc := range map[string]struct{ capacity, low, high float64 }{
		"chat":  {1.37, 0.70, 0.97},
		"cache": {0.39, 0.9, 1},
	} {
		for _, w := range queues.Worlds() {
			if w.Name != name {
				continue
			}
			in := cached(w, tc.capacity)
			got, err := Find(in)
			found := got.Weights[0] / (got.Weights[0] + got.Weights[1])
			t.Logf("%s: prompts are %.2f of the work: %+v", name, found, got)
			if err != nil || got.Verdict != Better || found < tc.low || found > tc.high {
				t.Errorf("%s: prompts are %.2f of the work, want %v to %v: %+v, %v", name, found, tc.low, tc.high, got, err)
			}
			used := learn(t, evidence(t, in, 5), in.Given, in.Given)
			t.Logf("%s: learned for use: %+v", name, used)
			if share := used.Weights[0] / (used.Weights[0] + used.Weights[1]); used.Verdict != Better ||
				share < min(tc.low, 0.6) || share > tc.high {
				t.Errorf("%s: prompts are %.2f of the work in use: %+v", name, share, used)
			}
		}
	}
}

// cached simulates eight days of a service with two replicas. The terms are prompts without what is
// cached, and requests.
func cached(w queues.World, capacity float64) Input {
	const step, days, replicas = time.Minute, 8, 2
	rng := rand.New(rand.NewPCG(1, 3))
	s := w.Start(1, replicas)
	in := Input{Start: epoch, Step: step, AtMost: w.AtMost, Terms: make([][]float64, 2), Given: []float64{0.1, 1}}
	share := 0.0
	for i := range days * 1440 {
		if i%360 == 0 {
			share = 0.6 * rng.Float64()
			s.SetCached(share)
		}
		rate := capacity * (0.9 - 0.6*math.Cos(2*math.Pi*float64(i)/1440))
		m := s.Step(replicas*rate, step)
		in.Terms[0], in.Terms[1] = append(in.Terms[0], m.Load*(1-share)), append(in.Terms[1], m.Load)
		in.Latency, in.Replicas = append(in.Latency, m.Latency), append(in.Replicas, m.Replicas)
	}
	return in
}
