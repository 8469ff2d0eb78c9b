package queues

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// A replica serves requests that are offered in order of time.
type replica interface {
	offer(at float64, w work, r *rand.Rand)
	advance(to float64)
	idle() bool
}

// work is what the requests are like now.
type work struct {
	length float64 // how long they are, relative to the usual
	cached float64 // share of the tokens of prompts that a cache has
}

// finished collects the latencies of a step.
type finished struct {
	latencies []float64
	patience  float64 // seconds after which a request is given up; it counts with this latency
}

func (f *finished) add(latency float64) { f.latencies = append(f.latencies, latency) }

// A Service is a number of replicas of a World. It is not safe for concurrent use.
type Service struct {
	world    World
	rand     *rand.Rand
	now      float64
	work     work
	replicas []replica // the first ones are ready, the others finish what they have
	ready    int
	next     int
	burst    float64 // see SetBurst
	out      *finished
}

// Start returns a service without load. The same seed gives the same requests.
func (w World) Start(seed uint64, replicas int) *Service {
	s := &Service{
		world: w, rand: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), work: work{length: 1, cached: w.Cached},
		burst: 1,
		out:   &finished{patience: w.patience},
	}
	s.Scale(replicas)
	return s
}

// Scale sets the number of ready replicas, at least one. A replica that goes finishes what it has.
func (s *Service) Scale(replicas int) {
	s.ready = max(replicas, 1)
	for len(s.replicas) < s.ready {
		s.replicas = append(s.replicas, s.world.replica(s.out))
	}
}

// SetLength makes the requests from now on so many times as long as usual.
func (s *Service) SetLength(length float64) { s.work.length = length }

// SetCached sets the share of the tokens of prompts that a cache has from now on.
func (s *Service) SetCached(share float64) { s.work.cached = share }

// SetBurst lets so many times the mean load arrive in the first quarter of each step, up to 4, and the
// rest of it evenly after that.
func (s *Service) SetBurst(times float64) { s.burst = times }

// A Measurement is what is measured in a step.
type Measurement struct {
	Load     float64 // requests per second that arrived, at all replicas together
	Replicas float64
	Latency  float64 // seconds, over what finished; NaN where too few did
}

// Step simulates a step with requests that arrive at random at a rate per second.
func (s *Service) Step(rate float64, step time.Duration) Measurement {
	end := s.now + step.Seconds()
	arrived := 0
	for at := s.now; ; arrived++ {
		now := rate * s.burst
		if at-s.now >= step.Seconds()/4 {
			now = rate * (4 - s.burst) / 3
		}
		at += s.rand.ExpFloat64() / max(now, 1e-12)
		if at >= end {
			break
		}
		s.next = (s.next + 1) % s.ready
		s.replicas[s.next].offer(at, s.work, s.rand)
	}
	for _, r := range s.replicas {
		r.advance(end)
	}
	for len(s.replicas) > s.ready && s.replicas[len(s.replicas)-1].idle() {
		s.replicas = s.replicas[:len(s.replicas)-1]
	}
	s.now = end
	m := Measurement{Load: float64(arrived) / step.Seconds(), Replicas: float64(s.ready), Latency: s.latency()}
	s.out.latencies = s.out.latencies[:0]
	return m
}

func (s *Service) latency() float64 {
	l := s.out.latencies
	switch n := len(l); {
	case n < s.world.few:
		return math.NaN()
	case s.world.mean:
		sum := 0.0
		for _, v := range l {
			sum += v
		}
		return sum / float64(n)
	default:
		slices.Sort(l)
		return l[int(math.Ceil(0.95*float64(n)))-1]
	}
}
