package gpuwarm

import "math"

const (
	// lost is how many times the asked quantile of the starts that finish a start may take; past it, it is not slow but failing.
	lost = 4
	// lostSpread is the same against the longest start that finished.
	lostSpread = 1.5
	// overdue is how much longer a start that is past all others is taken to last.
	overdue = 1.25
	// enough is the number of starts from which nothing but they count.
	enough = 10
)

// verdict is what an estimate comes to.
type verdict struct {
	secs   float64 // the quantile; 0 where nothing is known
	starts float64 // the weight of the starts that it rests on
	failed []bool  // which samples are failing, index by index
}

// estimate is the q-quantile of the time to Ready of the starts that finish, given the samples, oldest first, all at one level. prior is
// what is assumed before there is any, believe the longest time that is believed; both in seconds.
//
// A start that never finishes tells nothing about those that do, yet while it lasts it looks like a slow one. So a start that has lasted
// longer than all that finished counts as slow by the odds of that: one in n+1 starts is slower than n before it, and as many are lost
// as were. Past four times the quantile, or once it ended, it is lost.
func estimate(samples []sample, q, prior, believe float64) verdict {
	v := verdict{failed: make([]bool, len(samples))}
	var finished, total, longest float64
	events := make([]sample, 0, len(samples))
	for _, s := range samples {
		total += s.weight
		if s.event {
			finished += s.weight
			longest = max(longest, s.secs)
			events = append(events, s)
		}
	}
	usual := prior
	if longest > 0 {
		usual = shrink(quantile(events, q), prior, finished)
	}
	longest = max(longest, 1)
	if finished < 1 {
		longest = max(longest, prior)
	}
	limit := min(max(lost*usual, lostSpread*longest), max(believe, longest))
	gone := 0.0
	for i, s := range samples {
		if s.event {
			continue
		}
		if s.failed || s.secs > limit || (!s.live && s.secs > longest) {
			v.failed[i] = true
			gone += s.weight
		}
	}
	slow := 1 / (1 + gone*(finished+1)/max(total, 1))
	kept := make([]sample, 0, len(samples))
	for i, s := range samples {
		if v.failed[i] {
			continue
		}
		if !s.event && s.secs > longest {
			s.event, s.secs, s.weight = true, s.secs*overdue, s.weight*slow
		}
		if s.event {
			v.starts += s.weight
		}
		kept = append(kept, s)
	}
	v.secs = quantile(kept, q)
	return v
}

// shrink moves an estimate from n starts towards what is assumed without them, in logarithms: by two thirds after one start, a third after
// three, not at all after ten.
func shrink(secs, prior, n float64) float64 {
	if secs <= 0 || n <= 0 {
		return prior
	}
	w := n / (n + 2*max(0, 1-n/enough))
	return math.Exp(w*math.Log(secs) + (1-w)*math.Log(prior))
}
