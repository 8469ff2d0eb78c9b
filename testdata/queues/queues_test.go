package queues

import (
	"flag"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

var full = flag.Bool("full", false, "measure the capacities of all worlds; minutes")

func TestCapacitiesAreWhatTheWorldsSay(t *testing.T) {
	for _, w := range Worlds() {
		steps, tolerance := 400, 0.08
		if *full {
			steps, tolerance = 8000, 0.02
		} else if w.Name != "diffusion" && w.Name != "decode" {
			continue // the others take seconds
		}
		if got := w.Record(2, steps).Capacity(); math.Abs(got/w.Capacity-1) > tolerance {
			t.Errorf("%s: the capacity is %.4f, the world says %.4f", w.Name, got, w.Capacity)
		}
	}
}

// TestCapacitiesByHits measures the capacity at each share of hits; few of them, and roughly, without
// -full.
func TestCapacitiesByHits(t *testing.T) {
	for _, w := range Worlds() {
		steps, tolerance, shares := 1500, 0.1, w.byCached[:min(1, len(w.byCached))]
		if *full {
			steps, tolerance, shares = 4000, 0.03, w.byCached
		}
		for _, by := range shares {
			if got := w.Measure(1, by.share, steps); math.Abs(got/by.capacity-1) > tolerance {
				t.Errorf("%s: with %.1f cached the capacity is %.4f, the world says %.4f", w.Name, by.share, got, by.capacity)
			}
		}
	}
}

func TestSameSeedSameRequests(t *testing.T) {
	for _, w := range Worlds() {
		run := func(seed uint64) (out []Measurement) {
			s := w.Start(seed, 2)
			for i := range 20 {
				s.Scale(2 + i%2)
				out = append(out, s.Step(w.Capacity*2, time.Minute))
			}
			return out
		}
		a, b, other := run(1), run(1), run(2)
		differ := false
		for i := range a {
			if a[i].Load != b[i].Load || math.Float64bits(a[i].Latency) != math.Float64bits(b[i].Latency) {
				t.Fatalf("%s: step %d differs: %+v and %+v", w.Name, i, a[i], b[i])
			}
			differ = differ || a[i] != other[i]
		}
		if !differ {
			t.Errorf("%s: another seed gives the same requests", w.Name)
		}
	}
}

// TestWorkersAgreeWithTheory compares a long run with the mean wait of an M/M/c queue (Erlang C).
func TestWorkersAgreeWithTheory(t *testing.T) {
	const c, mean, rate = 4, 0.8, 4.0
	offered := rate * mean
	sum, term := 0.0, 1.0
	for k := range c {
		sum += term
		term *= offered / float64(k+1)
	}
	last := term * c / (c - offered)
	want := last/(sum+last)*mean/(c-offered) + mean

	out := &finished{patience: 1e9}
	q := &workers{mean: mean, free: make([]float64, c), pending: pending{out: out}}
	r := rand.New(rand.NewPCG(1, 1))
	at := 0.0
	for range 200_000 {
		at += r.ExpFloat64() / rate
		q.offer(at, work{length: 1}, r)
	}
	q.advance(math.Inf(1))
	got := 0.0
	for _, l := range out.latencies {
		got += l / float64(len(out.latencies))
	}
	if math.Abs(got/want-1) > 0.05 {
		t.Errorf("mean latency %.3f s, by Erlang C %.3f s", got, want)
	}
}

// TestFluidAgreesWithIterations compares the fluid with a model server that is simulated iteration by
// iteration, at three loads.
func TestFluidAgreesWithIterations(t *testing.T) {
	tables := tables()
	for name, law := range map[string]modelServer{
		"prompts first": {
			prompt: tables["chat prompt"], answer: tables["chat answer"], perPrompt: 0.00035, iteration: 0.015,
			perRunning: 0.0004, slots: 48,
		},
		"chunks": {
			prompt: tables["code prompt"], answer: tables["code answer"], perPrompt: 0.00035, iteration: 0.015,
			perRunning: 0.0004, slots: 48, chunk: 512,
		},
		"decode": {
			prompt: tables["chat prompt"], answer: tables["chat answer"], iteration: 0.02, perRunning: 0.0015,
			slots: 128, measure: perToken,
		},
	} {
		for _, rate := range []float64{0.3, 0.5, 0.65} {
			fluid, exact := &finished{patience: 1e9}, &finished{patience: 1e9}
			e := &engine{law: &law, out: fluid}
			requests := rand.New(rand.NewPCG(3, 3))
			var all []request
			at := 0.0
			for range 20_000 {
				at += requests.ExpFloat64() / rate
				e.offer(at, work{length: 1}, requests)
				all = append(all, e.waiting[len(e.waiting)-1])
			}
			e.advance(at + 1e5)
			iterate(law, all, exact)
			a, b := mean(fluid.latencies), mean(exact.latencies)
			if len(fluid.latencies) != len(exact.latencies) || math.Abs(a/b-1) > 0.03 {
				t.Errorf("%s at %.2f/s: mean %.4f s over %d requests, iteration by iteration %.4f s over %d",
					name, rate, a, len(fluid.latencies), b, len(exact.latencies))
			}
		}
	}
}

func mean(l []float64) float64 {
	sum := 0.0
	for _, v := range l {
		sum += v
	}
	return sum / float64(len(l))
}

// iterate simulates a model server iteration by iteration. Prompts and answers are whole tokens.
func iterate(law modelServer, arrivals []request, out *finished) {
	var running, waiting []request
	left, now := 0.0, 0.0
	for len(arrivals)+len(running)+len(waiting) > 0 {
		if len(running)+len(waiting) == 0 {
			now = max(now, arrivals[0].arrived)
		}
		for len(arrivals) > 0 && arrivals[0].arrived <= now {
			waiting, arrivals = append(waiting, arrivals[0]), arrivals[1:]
		}
		duration, decode, budget := law.iteration+law.perRunning*float64(len(running)), true, 0.0
		if len(waiting) > 0 && (len(running) < law.slots || left > 0) {
			if left == 0 {
				left = waiting[0].prompt
			}
			switch {
			case law.perPrompt == 0:
				budget = left
			case law.chunk == 0:
				budget, decode, duration = left, false, law.perPrompt*left
			default:
				budget = min(law.chunk-float64(len(running)), left)
				duration += law.perPrompt * budget
			}
		}
		now += duration
		if decode {
			kept := running[:0]
			for _, r := range running {
				if r.ends--; r.ends > 0 {
					kept = append(kept, r)
				} else if law.measure == perToken {
					out.add((now - r.first) / r.answer)
				}
			}
			running = kept
		}
		if budget > 0 {
			if left -= budget; left <= 1e-9 {
				r := waiting[0]
				waiting, left = waiting[1:], 0
				r.first, r.ends = now, math.Round(r.answer)
				if law.measure == firstToken {
					out.add(now - r.arrived)
				}
				running = append(running, r)
			}
		}
	}
}
