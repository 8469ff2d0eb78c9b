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
// A start that never finishes tells nothing about those that do, yet while it lasts it looks like a slow one, and so does one that was
// given up on. The two are told apart by their odds: a share of all starts is lost, and of those that finish a share takes longer than this
// one has lasted (one in n+1, where it has lasted longer than n that finished). Past four times the quantile a start is lost for certain.
func estimate(samples []sample, q, prior, believe float64) verdict {
	seen := summarize(samples, q, prior)
	v := verdict{failed: seen.lost(samples, believe)}
	odds := finishing(samples, v.failed, seen.usual, seen.total)
	kept := make([]sample, 0, len(samples))
	for i, s := range samples {
		v.failed[i] = v.failed[i] || (!s.event && !s.live && odds[i] < 0.5)
		if v.failed[i] {
			continue
		}
		s.weight *= odds[i]
		if !s.event && s.secs > seen.longest {
			s.event, s.secs = true, s.secs*overdue
		}
		if s.event {
			v.starts += s.weight
		}
		kept = append(kept, s)
	}
	v.secs = quantile(kept, q)
	return v
}

// summary is what is known without the starts that did not finish.
type summary struct {
	total, finished float64 // weight of all starts, and of those that finished
	longest         float64 // that finished; seconds
	usual           float64 // the quantile of those; seconds
}

func summarize(samples []sample, q, prior float64) summary {
	out := summary{usual: prior}
	events := make([]sample, 0, len(samples))
	for _, s := range samples {
		out.total += s.weight
		if s.event {
			out.finished += s.weight
			out.longest = max(out.longest, s.secs)
			events = append(events, s)
		}
	}
	if out.finished > 0 {
		out.usual = shrink(quantile(events, q), prior, out.finished)
	}
	if out.finished < 1 {
		out.longest = max(out.longest, prior)
	}
	return out
}

// lost says which starts will certainly not finish.
func (k summary) lost(samples []sample, believe float64) []bool {
	limit := min(max(lost*k.usual, lostSpread*k.longest), max(believe, k.longest))
	out := make([]bool, len(samples))
	for i, s := range samples {
		out[i] = !s.event && (s.failed || s.secs > limit || (!s.live && s.secs > k.longest))
	}
	return out
}

// finishing is how likely each start is to be one of those that finish, or would have been had it not ended; 1 for those that did. lost says
// which do not for certain. What is not certain depends on how many are lost, so the two are found in turns, beginning with all lost that ended
// later than is usual.
func finishing(samples []sample, lost []bool, usual, total float64) []float64 {
	odds := make([]float64, len(samples))
	for i, s := range samples {
		if !lost[i] && (s.event || s.live || s.secs <= usual) {
			odds[i] = 1
		}
	}
	for range 4 {
		gone := 0.0
		for i, s := range samples {
			if !s.event && (lost[i] || !s.live) {
				gone += s.weight * (1 - odds[i])
			}
		}
		if gone == 0 {
			break
		}
		share := gone / total
		for i, s := range samples {
			if !s.event && !lost[i] {
				slower := slowerThan(samples, s.secs) * (1 - share)
				odds[i] = slower / (slower + share)
			}
		}
	}
	return odds
}

// slowerThan is the share of the starts that finish which take longer than secs, counting one more that takes longer than all.
func slowerThan(samples []sample, secs float64) float64 {
	above, all := 1.0, 1.0
	for _, s := range samples {
		if s.event {
			all += s.weight
			if s.secs > secs {
				above += s.weight
			}
		}
	}
	return above / all
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
