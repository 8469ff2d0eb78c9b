package capacity

import "math"

// A guard reacts to misses at once. The summary needs much more evidence against what it learned. It holds
// a bound on what is used. The bound falls with misses in a row, and rises again with steps that met
// the objective.
type guard struct {
	score   float64 // evidence of misses at loads that should be carried, as a log-likelihood ratio
	slow    float64 // the same for a share of misses that is higher than allowed, and not high
	bound   float64 // on what is used; 0 without one
	bad     float64 // the lowest load that was missed since the bound began
	began   float64 // load at which it began
	waited  int     // steps that missed it before the load per replica fell
	below   int     // steps that missed the objective well below that
	changed bool    // the summary knows this change
	missed  float64 // load of the last miss
	met     int     // steps that met the objective, up to proven
	inARow  int     // steps that missed it since the last one that met it
	rise    float64 // evidence of latencies far below what was usual at the load
}

const (
	// alarm is the score at which misses are no accident: about three in a row, or four with others
	// between them.
	alarm = 8
	// mostEvidence bounds the evidence of a single miss: two in a row, both far above the objective
	// and above nearly all that was seen, are an alarm.
	mostEvidence = alarm / 2
	// proven is how many steps must have met the objective before a miss is taken for a load too high.
	proven = 10
	// hopelessSteps is how many steps in a row that miss the objective teach no more.
	hopelessSteps = 180
	// A step that misses is this likely after a change.
	missesAfter = 0.5
	// lowest is how far a bound falls at most, relative to the load at its beginning. Few requests at
	// night may miss an objective at any load, and no number of replicas would help.
	lowest = 0.35
	// A step that misses is this likely after a change that shows in few steps only. slowAlarm is
	// reached by a tenth of the steps missing for two hours.
	missesSlowly = 0.1
	slowAlarm    = 10
	slowFactor   = 0.85 // on what is used, at a slow alarm
	// A change is confirmed, and what was learned before forgotten, by so many steps that miss the
	// objective well below the load at which the bound began. One burst is not a change.
	confirmed = 3
	wellBelow = 0.85
	// helps is how many steps the replicas that a bound asks for may take to help. In a replay they
	// never come.
	helps = 45
	// A bound rises by quick per step that met the objective, and by slow near loads that missed it.
	quick, slow = 0.01, 0.001
	nearBad     = 0.85
	busy        = 0.8 // of the bound: at lower loads a met objective says nothing
	// riseAlarm is the score at which latencies are no longer what they were: about 20 steps in a row
	// below nearly all that were seen at such loads.
	riseAlarm = 60
)

// hopeless reports whether the objective was missed for so long that nothing more is to be learned:
// the latency may be in another unit since its exporter changed, or no more replicas can come.
func (g *guard) hopeless() bool { return g.inARow >= hopelessSteps }

// judges reports whether a miss is evidence about the load.
func (g *guard) judges() bool { return g.met >= proven && !g.hopeless() }

// A verdict says what a step means for the summary.
type verdict int

const (
	usual verdict = iota
	dropped
	risen
)

// step takes a step with its load per replica, its latency relative to the objective, and what is
// used now. allowed is the share of steps that may miss. far is the share of steps that are usually
// far above the objective, where this one is, and 0 where it is not.
func (g *guard) step(load, latency, used, allowed, far float64) verdict {
	if latency <= 1 {
		g.met, g.inARow = min(g.met+1, proven), 0
	} else {
		g.inARow++
	}
	if !g.judges() {
		return usual // the bound stays where it is
	}
	expected := min(3*allowed, missesAfter/2) // neighbours miss together, so more than allowed
	switch {
	case latency > 1 && load <= used*1.02:
		g.score = min(g.score+evidenceOf(expected, far), 2*alarm)
		g.missed = load
	case latency <= 1 && load >= busy*min(used, g.missed):
		g.score = max(g.score-math.Log((1-expected)/(1-missesAfter)), 0)
	}
	if v := g.slowly(load, latency, used, allowed); v != usual {
		return v
	}
	switch {
	case latency > 1 && g.score >= alarm:
		return g.lower(load, latency, used)
	case latency <= 1 && g.bound > 0 && load >= busy*g.bound && g.score < alarm:
		g.raise()
	}
	return usual
}

// evidenceOf returns the evidence of a miss. expected is the share of misses that is usual, and far
// that of latencies so far above the objective; 0 where the miss is not far above it.
func evidenceOf(expected, far float64) float64 {
	usual := math.Log(missesAfter / expected)
	if far == 0 {
		return usual
	}
	return max(usual, min(math.Log(missesAfter/(together*far)), mostEvidence))
}

// slowly looks for a share of misses that stays too high without many in a row.
func (g *guard) slowly(load, latency, used, allowed float64) verdict {
	expected := min(2*allowed, missesSlowly/2)
	switch {
	case latency > 1 && load <= used*1.02:
		g.slow += math.Log(missesSlowly / expected)
	case latency <= 1 && load >= busy*min(used, g.missed):
		g.slow = max(g.slow-math.Log((1-expected)/(1-missesSlowly)), 0)
	}
	if g.slow < slowAlarm || g.score >= alarm {
		g.slow = min(g.slow, slowAlarm)
		return usual
	}
	g.slow = 0
	if g.bound == 0 {
		g.bound, g.bad, g.began, g.below = used, load, load, 0
		g.waited = 0
	}
	g.changed = true
	g.bound = min(g.bound, max(used*slowFactor, lowest*g.began))
	return dropped
}

// lower reacts to a miss during an alarm: the further beyond the objective, the more.
func (g *guard) lower(load, latency, used float64) verdict {
	if g.bound == 0 {
		g.bound, g.bad, g.began, g.below, g.changed = used, load, load, 0, false
		g.waited = 0
	}
	switch {
	case load < wellBelow*g.began:
		g.below++
	case load > g.bound/wellBelow:
		if g.waited++; g.waited > helps { // no help came, so that a lower bound says no more
			g.bound = max(g.bound, min(g.bound*(1+quick), nearBad*g.bad))
			return usual
		}
	}
	g.bad = min(g.bad, load)
	factor := min(max(1/math.Sqrt(latency), 0.7), 0.97)
	g.bound = min(g.bound, max(min(g.bound, load)*factor, lowest*g.began))
	if !g.changed && g.below >= confirmed {
		g.changed = true
		return dropped
	}
	return usual
}

func (g *guard) raise() {
	if g.bound < nearBad*g.bad {
		g.bound *= 1 + quick
	} else {
		g.bound *= 1 + slow
	}
}

// compare takes the rank of a latency among those seen at such loads, from 0 to 1.
func (g *guard) compare(rank float64) verdict {
	g.rise = max(0, g.rise-math.Log(max(rank, 0.005))-2)
	if g.rise < riseAlarm {
		return usual
	}
	g.rise = 0
	return risen
}
