package capacity

import (
	"fmt"
	"math"
	"time"
)

// A Sample is what was measured in one step.
type Sample struct {
	At       time.Time // start of the step
	Load     float64   // demand in the step, of all replicas together
	Replicas float64   // ready replicas, the mean over the step
	// Settled reports whether the step says something about the steady state: no replica started or
	// stopped, warmed up, or changed its release in it or shortly before.
	Settled bool
	Latency float64 // NaN where it was not measured
}

// An Estimator holds what the samples so far say. It is not safe for concurrent use.
type Estimator struct {
	opts  Options
	first time.Time // the first sample
	since time.Time // the first sample that counts
	last  Sample    // the newest one
	any   bool      // whether there was a sample
	seen  seen
	trail trail
	bins  summary
	guard guard
	scale scale
	// carried is the largest load that was carried before the last rise of the capacity.
	carried float64
	fell    bool     // whether the last change was a drop to below the default
	cached  Estimate // of the summary
	wild    float64  // steps with absurd loads; older ones count less
	fresh   int      // steps that the summary got since
}

// seen counts what the samples had, to say what is missing.
type seen struct {
	samples, loads, replicas, latencies int
	low, high                           float64 // the latencies
	// A run of equal latencies: how many, and the lowest and the highest load of them.
	same              int
	last              float64
	sameLow, sameHigh float64
}

// constant reports whether the latency stays the same while the load does not: the query may have
// stopped to measure.
func (n *seen) constant() bool { return n.same >= 100 && n.sameHigh >= 1.5*n.sameLow }

// New returns an Estimator without evidence. It fails on Options that are not valid.
func New(o Options) (*Estimator, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("capacity: %w", err)
	}
	e := &Estimator{opts: o, trail: trail{step: o.Step}}
	e.seen.low, e.seen.high = math.Inf(1), math.Inf(-1)
	e.summarise()
	return e, nil
}

// Clone returns a copy that shares nothing with e.
func (e *Estimator) Clone() *Estimator {
	c := *e
	return &c
}

// Add takes the next sample. A sample that is not later than the last one is ignored. So is what is
// not a finite number, or is below zero: it teaches nothing, and harms nothing.
func (e *Estimator) Add(s Sample) {
	if e.any && !s.At.After(e.last.At) {
		return
	}
	before, had := e.last, e.any
	e.last = s
	if !e.any {
		e.any, e.first, e.since = true, s.At, s.At
	}
	e.seen.add(s)
	each := s.Load / s.Replicas
	follows := had && s.follows(before, e.opts.Step)
	if !follows || !s.Settled || !whole(s.Replicas) || e.absurd(each) {
		e.unsettled(s)
		return
	}
	e.settled(s, each)
}

// unsettled takes a step that does not teach. Where the steps before it tell of a drop, its miss is
// the first one that counts.
func (e *Estimator) unsettled(s Sample) {
	if whole(s.Replicas) && measured(s.Latency) && e.guard.judges() {
		e.scale.begin(s.Load/s.Replicas, s.Latency/e.opts.AtMost, e.inUse(), e.guard.bound > 0)
	}
	e.trail.reset()
}

// settled takes a step of the steady state with its load per replica.
func (e *Estimator) settled(s Sample, each float64) {
	load, n := e.trail.add(each)
	if !measured(s.Latency) || load == 0 || e.stuck(s.Latency) {
		return
	}
	latency := min(s.Latency/e.opts.AtMost, largestLatency)
	e.watch(s.At, load, latency, n)
	if n >= e.trail.shortest() {
		e.bins.forget(s.At)
		e.bins.comeDown(s.At, load)
		e.bins.add(load, latency)
		e.fresh++
	}
	if e.fresh > 0 && e.fresh >= refresh(e.cached.Steps) {
		e.summarise()
	}
}

// follows reports whether a sample comes right after another one, with the same replicas.
func (s Sample) follows(before Sample, step time.Duration) bool {
	return s.At.Sub(before.At) <= step*3/2 && s.Replicas == before.Replicas
}

// stuck reports whether a latency is the same number again and again although it meets the
// objective: then the query measures nothing. Above the objective the same number says that the
// service is overloaded, and that its histogram ends there.
func (e *Estimator) stuck(latency float64) bool {
	return e.seen.same > repeats && latency <= e.opts.AtMost
}

// refresh returns the number of steps that teach after which the summary is read again: fewer while
// it has few. Between them only the guard moves. It is counted in samples, so that it does not matter
// when somebody asks.
func refresh(steps float64) int {
	switch {
	case steps < enoughSteps:
		return 1
	case steps < 1000:
		return 15
	}
	return 60
}

// watch looks for a change of the service. It looks at steps that are too short after a scale event
// to teach too: after a change, waiting costs the most.
func (e *Estimator) watch(at time.Time, load, latency float64, n int) {
	base, used := e.cached.Used, e.inUse()
	far := 0.0
	if latency > farAbove {
		far = e.bins.above(farAbove)
	}
	v := e.guard.step(load, latency, used, 1-e.opts.Attain, far)
	if e.guard.bound >= base {
		e.guard.bound = 0
	}
	if v == usual && e.guard.judges() {
		v = e.scale.step(load, latency, base, used, e.guard.bound > 0)
	}
	if v == usual && n >= e.trail.shortest() && e.seen.same == 1 {
		if rank, ok := e.bins.rank(load, latency); ok {
			v = e.guard.compare(rank)
		}
	}
	switch v {
	case dropped:
		e.carried, e.fell, e.scale.stale = 0, e.inUse() < e.opts.Default, true
	case risen:
		e.fell, e.scale = false, scale{}
		e.carried = max(e.carried, e.bins.carried(e.opts.Attain))
	default:
		return
	}
	e.bins.forget(at)
	e.bins.doubt()
	e.since = at
	e.summarise()
}

// Release says that the service changed at this time: another image, another accelerator. What was
// learned before no longer counts.
func (e *Estimator) Release(at time.Time) {
	e.bins, e.guard, e.scale, e.carried, e.fell = summary{}, guard{}, scale{}, 0, false
	e.seen.low, e.seen.high, e.seen.same = math.Inf(1), math.Inf(-1), 0
	e.trail.reset()
	e.since = at
	e.summarise()
}

func measured(v float64) bool { return v >= 0 && v <= math.MaxFloat64 }

// whole reports whether a number of replicas is one: a mean between two numbers is a scale event.
func whole(replicas float64) bool { return replicas >= 1 && replicas == math.Trunc(replicas) }

const (
	// repeats is how many equal latencies in a row teach.
	repeats        = 5
	largestLoad    = 1e200
	largestLatency = 1e6 // relative to the objective
)

func (n *seen) add(s Sample) {
	n.samples++
	if measured(s.Load) && s.Load > 0 {
		n.loads++
	}
	if measured(s.Replicas) && s.Replicas > 0 {
		n.replicas++
	}
	if measured(s.Latency) {
		n.latencies++
		n.low, n.high = min(n.low, s.Latency), max(n.high, s.Latency)
		n.repeat(s)
	}
}

// repeat follows the run of equal latencies.
func (n *seen) repeat(s Sample) {
	if !measured(s.Load) {
		return
	}
	if n.same == 0 || s.Latency != n.last {
		n.same, n.last, n.sameLow, n.sameHigh = 1, s.Latency, s.Load, s.Load
		return
	}
	n.same++
	n.sameLow, n.sameHigh = min(n.sameLow, s.Load), max(n.sameHigh, s.Load)
}

// A trail is the load per replica since the last scale event, some minutes of it. Queues remember:
// the latency of a step is due to the load of the steps before it too. And what arrives in one step
// says little about the load: with 60 requests, it is off by an eighth. So the trail is as long as
// the noise of the steps asks for.
type trail struct {
	step  time.Duration
	loads [maxTrail]float64
	next  int     // place of the next step in loads
	n     int     // steps since the last scale event, at most maxTrail
	noise float64 // variance of the load of a step around the mean, relative to the square of that
	seen  float64 // weight of the differences that noise is the mean of
}

const (
	maxTrail     = 30
	shortTrail   = 5 * time.Minute
	longTrail    = 30 * time.Minute
	trailNoise   = 0.02      // what a trail should be off by at most
	noiseForgets = 1 / 500.0 // weight of the next difference
)

func (t *trail) reset() { t.n = 0 }

// add appends a step. It returns the mean load over the trail, and the steps in it.
func (t *trail) add(load float64) (mean float64, steps int) {
	if t.n > 0 {
		t.learnNoise(t.loads[(t.next+maxTrail-1)%maxTrail], load)
	}
	t.loads[t.next] = load
	t.next = (t.next + 1) % maxTrail
	t.n = min(t.n+1, maxTrail)
	n := max(int(math.Ceil(t.noise/(trailNoise*trailNoise))), t.shortest())
	n = min(n, int(min(max(longTrail/t.step, 1), maxTrail)), t.n)
	for i := 1; i <= n; i++ {
		mean += t.loads[(t.next+maxTrail-i)%maxTrail] / float64(n)
	}
	return mean, n
}

// shortest is the number of steps of a trail from which a step teaches.
func (t *trail) shortest() int { return int(min(max(shortTrail/t.step, 1), maxTrail)) }

// learnNoise takes the difference of two steps in a row. What is between them besides noise is small
// from minute to minute.
func (t *trail) learnNoise(before, load float64) {
	if before+load == 0 {
		return
	}
	d := (load - before) / ((load + before) / 2)
	t.seen += noiseForgets * (1 - t.seen)
	t.noise += noiseForgets / t.seen * (d*d/2 - t.noise)
}
