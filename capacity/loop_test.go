package capacity_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"headstart.dev/headstart/capacity"
	"headstart.dev/headstart/testdata/queues"
)

// A loop is a service whose replicas follow a capacity: demand is known a lead ahead, so that
// nothing but the capacity decides.
type loop struct {
	world    queues.World
	seed     uint64
	days     int
	replicas float64 // at the maximum of the day
	fixed    float64 // capacity; 0 to learn it
	usual    float64 // the default of a learned one
	lengths  func(minute int) float64
	from     int // minute from which the outcome counts
}

const lead = 5 // minutes until a replica is ready

type outcome struct {
	hours    float64 // of replicas
	attained float64 // share of the steps
	missed   []bool
	estimate []float64 // what was used, by minute
	last     capacity.Estimate
}

// noise is demand around its daily cycle: 5 % with a memory of half an hour.
func (l loop) demand() []float64 {
	r := rand.New(rand.NewPCG(l.seed, 99))
	out, x := make([]float64, l.days*1440+lead), 0.0
	for i := range out {
		const memory = 1 - 1.0/30
		x = memory*x + math.Sqrt(1-memory*memory)*r.NormFloat64()
		at := monday.Add(time.Duration(i) * time.Minute)
		out[i] = daily(at, l.replicas*l.world.Capacity) * math.Exp(0.05*x)
	}
	return out
}

type capEstimate = capacity.Estimate

var trace func(int, capEstimate)

func (l loop) run(t *testing.T) outcome {
	t.Helper()
	usual := l.usual
	if usual == 0 {
		usual = l.fixed
	}
	e, err := capacity.New(options(l.world, usual))
	if err != nil {
		t.Fatal(err)
	}
	demand := l.demand()
	used := usual
	need := func(i int) int { return int(math.Ceil(demand[i]/used - 1e-9)) }
	ready := need(0)
	s := l.world.Start(l.seed, ready)
	wanted := make([]int, 0, len(demand)) // replicas that were asked for, by minute
	quiet := 0
	var out outcome
	steps, met := 0, 0.0
	for i := range l.days * 1440 {
		want := 0
		for k := range lead + 1 { // the most within the lead
			want = max(want, need(i+k))
		}
		wanted = append(wanted, want)
		now := want // a replica is ready when it was wanted for a lead; it goes at once
		for _, w := range wanted[max(0, i-lead):] {
			now = min(now, w)
		}
		now = max(now, min(ready, want))
		quiet++
		if now != ready {
			ready, quiet = now, 0
			s.Scale(ready)
		}
		if l.lengths != nil {
			s.SetLength(l.lengths(i))
		}
		m := s.Step(demand[i], time.Minute)
		miss := m.Latency > l.world.AtMost
		if l.fixed == 0 {
			at := monday.Add(time.Duration(i) * time.Minute)
			e.Add(capacity.Sample{
				At: at, Load: m.Load, Replicas: m.Replicas, Settled: quiet >= 2, Latency: m.Latency,
			})
			used = e.Estimate().Used
			if trace != nil {
				trace(i, e.Estimate())
			}
		}
		out.missed = append(out.missed, miss)
		out.estimate = append(out.estimate, used)
		if i >= l.from {
			steps++
			out.hours += float64(ready) / 60
			if !miss {
				met++
			}
		}
	}
	out.attained, out.last = met/float64(steps), e.Estimate()
	return out
}

func TestLoop(t *testing.T) {
	for _, w := range queues.Worlds() {
		if w.Name != "diffusion" && w.Name != "decode" && w.Name != "web" {
			continue
		}
		for _, x := range []float64{0.9, 1, 1.05, 1.1, 1.15, 1.3} {
			o := loop{world: w, seed: 1, days: 7, replicas: 8, fixed: x * w.Capacity}.run(t)
			t.Logf("%s fixed %.2f: hours %.0f attained %.4f", w.Name, x, o.hours, o.attained)
		}
		for _, x := range []float64{0.7, 1, 1.3} {
			o := loop{world: w, seed: 1, days: 7, replicas: 8, usual: x * w.Capacity}.run(t)
			t.Logf("%s learned from %.2f: hours %.0f attained %.4f: %+v", w.Name, x, o.hours, o.attained, o.last)
			for d := range 7 {
				miss := 0
				for _, m := range o.missed[d*1440 : d*1440+1440] {
					if m {
						miss++
					}
				}
				t.Logf("   day %d used %.2f %.2f %.2f %.2f missed %d", d, o.estimate[d*1440+360]/w.Capacity, o.estimate[d*1440+720]/w.Capacity, o.estimate[d*1440+960]/w.Capacity, o.estimate[d*1440+1439]/w.Capacity, miss)
			}
		}
	}
}

func TestChange(t *testing.T) {
	const at = 3*1440 + 13*60 // two hours before the maximum of the day
	step := func(to float64) func(int) float64 {
		return func(i int) float64 {
			if i < at {
				return 1
			}
			return to
		}
	}
	ramp := func(to float64) func(int) float64 {
		return func(i int) float64 {
			return math.Exp(math.Log(to) * min(max(float64(i-at)/120, 0), 1))
		}
	}
	for _, w := range queues.Worlds() {
		for name, f := range map[string]func(int) float64{
			"halves at once": step(w.Longer), "halves in two hours": ramp(w.Longer), "doubles": step(w.Shorter),
		} {
			o := loop{world: w, seed: 1, days: 5, replicas: 8, usual: 1 * w.Capacity, lengths: f}.run(t)
			count := func(from, to int) int {
				n := 0
				for _, m := range o.missed[from:to] {
					if m {
						n++
					}
				}
				return n
			}
			var moved []float64
			for _, k := range []int{-10, 5, 10, 20, 30, 60, 120, 180, 240, 480, 720, 1440} {
				moved = append(moved, math.Round(100*o.estimate[at+k]/w.Capacity)/100)
			}
			t.Logf("%-9s %-20s missed before %.4f, in 2 h %d, next 2 h %d, rest %.4f; used %v", w.Name, name, float64(count(0, at))/at,
				count(at, at+120), count(at+120, at+240), float64(count(at+240, len(o.missed)))/float64(len(o.missed)-at-240), moved)
		}
	}
}
