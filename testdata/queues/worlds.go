package queues

import (
	"sync"
	"time"
)

// A World is a kind of service and its objective.
type World struct {
	Name     string
	Latency  string  // what is measured
	AtMost   float64 // the objective, in seconds
	Attain   float64 // the share of the steps that must meet it
	Capacity float64 // requests per second and replica at which they do: see [World.Measure]
	// Longer and Shorter are the lengths of requests at which the capacity is half and double.
	Longer, Shorter float64
	Cached          float64 // usual share of the tokens of prompts that a cache has
	// byCached are capacities at other shares, in order; see [World.CapacityAt].
	byCached []struct{ share, capacity float64 }
	patience float64
	few      int  // requests in a step below which nothing is measured
	mean     bool // the mean instead of the 95th percentile
	replica  func(*finished) replica
}

var tables = sync.OnceValue(func() map[string][]float64 {
	return map[string][]float64{
		"code prompt": codePrompt.table(), "code answer": codeAnswer.table(),
		"chat prompt": chatPrompt.table(), "chat answer": chatAnswer.table(),
	}
})

func model(l modelServer) func(*finished) replica {
	return func(out *finished) replica { return &engine{law: &l, out: out} }
}

// Worlds returns all worlds.
func Worlds() []World {
	t := tables()
	return []World{
		{
			Name: "chat", Latency: "p95 time to first token", AtMost: 4, Attain: 0.99, patience: 60, few: 50,
			Capacity: 1.4, Longer: 1.465, Shorter: 0.545,
			replica: model(modelServer{
				prompt: t["chat prompt"], answer: t["chat answer"], perPrompt: 0.00035, iteration: 0.015,
				perRunning: 0.0004, slots: 48,
			}),
		},
		{
			Name: "code", Latency: "p95 time to first token, prompts in chunks", AtMost: 6, Attain: 0.99,
			Capacity: 0.66, Longer: 1.38, Shorter: 0.645, patience: 60, few: 50,
			replica: model(modelServer{
				prompt: t["code prompt"], answer: t["code answer"], perPrompt: 0.00035, iteration: 0.015,
				perRunning: 0.0004, slots: 48, chunk: 512,
			}),
		},
		{
			Name: "cache", Latency: "p95 time to first token, with a prefix cache", AtMost: 3, Attain: 0.99,
			Capacity: 1.47, Longer: 1.38, Shorter: 0.593, Cached: 0.4, patience: 60, few: 50,
			byCached: []struct{ share, capacity float64 }{
				{0.1, 0.587}, {0.2, 0.824}, {0.3, 1.069}, {0.4, 1.47}, {0.5, 1.925}, {0.6, 2.335}, {0.7, 2.844},
			},
			replica: model(modelServer{
				prompt: t["chat prompt"], answer: t["chat answer"], perPrompt: 0.0005, iteration: 0.015,
				perRunning: 0.0004, slots: 64, chunk: 1024,
			}),
		},
		{
			Name: "decode", Latency: "mean time per output token, decode alone", AtMost: 0.06, Attain: 0.99,
			Capacity: 1.837, Longer: 1.97, Shorter: 0.512, patience: 60, few: 10, mean: true,
			replica: model(modelServer{
				prompt: t["chat prompt"], answer: t["chat answer"], iteration: 0.02, perRunning: 0.0015, slots: 128,
				measure: perToken,
			}),
		},
		{
			Name: "web", Latency: "p95, four workers", AtMost: 5, Attain: 0.99,
			Capacity: 4.02, Longer: 1.57, Shorter: 0.561, patience: 60, few: 50,
			replica: func(out *finished) replica {
				return &workers{mean: 0.8, free: make([]float64, 4), pending: pending{out: out}}
			},
		},
		{
			Name: "diffusion", Latency: "mean, batches of four", AtMost: 20, Attain: 0.99,
			Capacity: 0.453, Longer: 1.634, Shorter: 0.54, patience: 120, few: 5, mean: true,
			replica: func(out *finished) replica {
				return &batcher{setup: 3, each: 1.2, size: 4, length: 1, pending: pending{out: out}}
			},
		},
	}
}

// Replicas is the number of replicas at which the capacities are measured.
const Replicas = 3

// Attainment returns the share of the steps of a minute that meet the objective at a fixed load per
// replica.
func (w World) Attainment(seed uint64, load, length, cached float64, steps int) float64 {
	s := w.Start(seed, Replicas)
	s.SetLength(length)
	s.SetCached(cached)
	met, all := 0, 0
	for i := range steps + 30 {
		m := s.Step(load*Replicas, time.Minute)
		if i < 30 {
			continue // the service starts empty
		}
		all++
		if m.Latency <= w.AtMost || m.Latency != m.Latency {
			met++
		}
	}
	return float64(met) / float64(all)
}

// CapacityAt returns the capacity at a share of the tokens of prompts that a cache has, between
// those that were measured in proportion.
func (w World) CapacityAt(cached float64) float64 {
	by := w.byCached
	if len(by) == 0 {
		return w.Capacity
	}
	for len(by) > 2 && by[1].share < cached {
		by = by[1:]
	}
	part := (cached - by[0].share) / (by[1].share - by[0].share)
	return by[0].capacity + part*(by[1].capacity-by[0].capacity)
}

// Measure returns the capacity for requests of a length and a share that is cached, by bisection.
func (w World) Measure(length, cached float64, steps int) float64 {
	low, high := 0.0, 10*w.Capacity
	for high-low > 0.002*high {
		load := (low + high) / 2
		if low == 0 {
			load = high / 2
		}
		if w.Attainment(1, load, length, cached, steps) >= w.Attain {
			low = load
		} else {
			high = load
		}
	}
	return (low + high) / 2
}
