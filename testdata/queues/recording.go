package queues

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// A Recording holds what was measured at fixed loads. A [Replay] puts pieces of it together, which
// is some thousand times as fast as the queue itself. It holds as long as the load changes little
// from step to step, as it does over a day.
type Recording struct {
	Loads []float64 // per replica
	Steps [][]Recorded
	World World
}

// Recorded is one step: load per replica and latency.
type Recorded struct{ Load, Latency float32 }

// The levels are relative to the capacity. They lie close together where it matters.
func levels() []float64 {
	l := []float64{0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7}
	for x := 0.725; x < 1.16; x += 0.025 {
		l = append(l, x)
	}
	return l
}

// Record measures so many steps at each load near the capacity, and a quarter of them at low loads.
func (w World) Record(seed uint64, steps int) *Recording {
	r := &Recording{World: w}
	for i, level := range levels() {
		s := w.Start(seed+uint64(i)<<32, Replicas)
		n := steps
		if level < 0.6 {
			n = steps / 4
		}
		load := level * w.Capacity
		all := make([]Recorded, 0, n)
		for k := range n + 30 {
			if m := s.Step(load*Replicas, time.Minute); k >= 30 { // it starts empty
				all = append(all, Recorded{float32(m.Load / Replicas), float32(m.Latency)})
			}
		}
		r.Loads, r.Steps = append(r.Loads, load), append(r.Steps, all)
	}
	return r
}

// Missed returns the share of the steps that missed the objective at each load.
func (r *Recording) Missed() (loads, shares []float64) {
	for _, steps := range r.Steps {
		missed := 0.0
		for _, s := range steps {
			if float64(s.Latency) > r.World.AtMost {
				missed++
			}
		}
		shares = append(shares, missed/float64(len(steps)))
	}
	return r.Loads, shares
}

// Capacity returns the load at which the share of misses is what the objective allows, by a
// regression of the logarithm of that share on the load.
func (r *Recording) Capacity() float64 {
	loads, shares := r.Missed()
	allowed := 1 - r.World.Attain
	var n, points, sx, sy, sxx, sxy float64
	for wide := 3.0; points < 3 && wide < 100; wide *= 1.5 {
		n, points, sx, sy, sxx, sxy = 0, 0, 0, 0, 0, 0
		for i, p := range shares {
			if p < allowed/wide || p > allowed*wide || loads[i] < r.World.Capacity*0.7 {
				continue
			}
			w := math.Sqrt(p)
			x, y := loads[i], math.Log(p)
			n, points, sx, sy, sxx, sxy = n+w, points+1, sx+w*x, sy+w*y, sxx+w*x*x, sxy+w*x*y
		}
	}
	slope := (n*sxy - sx*sy) / (n*sxx - sx*sx)
	return (math.Log(allowed) - (sy-slope*sx)/n) / slope
}

// A Replay is a service that follows a Recording.
type Replay struct {
	from *Recording
	rand *rand.Rand
	at   []int // the next step of each level
}

// Replay returns a service. The same seed gives the same measurements.
func (r *Recording) Replay(seed uint64) *Replay {
	p := &Replay{from: r, rand: rand.New(rand.NewPCG(seed, 7)), at: make([]int, len(r.Steps))}
	for i := range p.at {
		p.at[i] = p.rand.IntN(len(r.Steps[i]))
	}
	return p
}

// Step returns what was measured at a load per replica, at one of the recorded loads next to it. The
// measured load is changed in proportion.
func (p *Replay) Step(load float64) Measurement {
	levels := p.from.Loads
	i, _ := slices.BinarySearch(levels, load)
	i = min(max(i, 1), len(levels)-1)
	if part := (load - levels[i-1]) / (levels[i] - levels[i-1]); p.rand.Float64() >= part {
		i--
	}
	steps := p.from.Steps[i]
	s := steps[p.at[i]]
	p.at[i] = (p.at[i] + 1) % len(steps)
	return Measurement{
		Load:     float64(s.Load) * load / levels[i] * Replicas,
		Replicas: Replicas,
		Latency:  float64(s.Latency),
	}
}
