package survival

import "math"

// FullWeightStarts is the number of finished starts from which [Shrink] ignores the prior.
const FullWeightStarts = 10

// An unfinished start is certainly lost once it has lasted longer than both of these.
const (
	// lostQuantiles is a multiple of the quantile of the finished starts.
	lostQuantiles = 4
	// lostLongest is a multiple of the longest finished start.
	lostLongest = 1.5
)

// overdueFactor is how much longer a start is assumed to last that has outlasted all finished ones.
const overdueFactor = 1.25

// Result is an estimate.
type Result struct {
	// Seconds is the quantile; 0 without a finished sample.
	Seconds float64
	// Starts is the total weight of the finished starts behind it.
	Starts float64
	// Failed is true for each sample that was left out because it will not finish.
	Failed []bool
}

// Estimate is the q-quantile of the times of the starts that finish. The samples are oldest first
// and at one level; see [AlignLevels]. prior is the quantile that is assumed without samples, and
// longestBelieved the longest credible time, both in seconds.
//
// A start that never finishes says nothing about the time of those that do. But while it goes on it
// looks like a slow start, and so does a start that was deleted before it finished. So every
// unfinished start counts with the probability that it would finish. That follows from two shares:
// the share of starts that are lost, and, of the starts that finish, the share that takes longer
// than this one has lasted (1/(n+1) when n finished ones were all faster). A start that has lasted
// much longer than usual is certainly lost.
func Estimate(samples []Sample, q, prior, longestBelieved float64) Result {
	known := summarize(samples, q, prior)
	out := Result{Failed: known.certainlyLost(samples, longestBelieved)}
	probability := finishProbabilities(samples, out.Failed, known.usual, known.total)
	kept := make([]Sample, 0, len(samples))
	for i, s := range samples {
		out.Failed[i] = out.Failed[i] || (!s.Finished && !s.Ongoing && probability[i] < 0.5)
		if out.Failed[i] {
			continue
		}
		s.Weight *= probability[i]
		if !s.Finished && s.Seconds > known.longest {
			s.Finished, s.Seconds = true, s.Seconds*overdueFactor
		}
		if s.Finished {
			out.Starts += s.Weight
		}
		kept = append(kept, s)
	}
	out.Seconds = quantile(kept, q)
	return out
}

// summary is what the finished starts alone say.
type summary struct {
	total   float64 // weight of all starts, finished or not
	longest float64 // finished start; seconds
	usual   float64 // quantile of the finished starts; seconds
}

func summarize(samples []Sample, q, prior float64) summary {
	out := summary{usual: prior}
	count := 0.0
	finished := make([]Sample, 0, len(samples))
	for _, s := range samples {
		out.total += s.Weight
		if s.Finished {
			count += s.Weight
			out.longest = max(out.longest, s.Seconds)
			finished = append(finished, s)
		}
	}
	if count > 0 {
		out.usual = Shrink(quantile(finished, q), prior, count)
	}
	if count < 1 {
		out.longest = max(out.longest, prior)
	}
	return out
}

// certainlyLost reports for each start whether it will certainly not finish.
func (s summary) certainlyLost(samples []Sample, longestBelieved float64) []bool {
	limit := min(max(lostQuantiles*s.usual, lostLongest*s.longest), max(longestBelieved, s.longest))
	out := make([]bool, len(samples))
	for i, x := range samples {
		tooLong := x.Seconds > limit || (!x.Ongoing && x.Seconds > s.longest)
		out[i] = !x.Finished && (x.Failed || tooLong)
	}
	return out
}

// finishProbabilities is for each start the probability that it finishes, or would have finished
// had it not ended before; 1 for finished ones. lost are the starts that certainly do not finish.
// The probabilities depend on the share of lost starts, and that share on the probabilities, so
// both are found in turns. The first turn counts all starts as lost that ended later than usual.
func finishProbabilities(samples []Sample, lost []bool, usual, total float64) []float64 {
	out := make([]float64, len(samples))
	for i, s := range samples {
		if !lost[i] && (s.Finished || s.Ongoing || s.Seconds <= usual) {
			out[i] = 1
		}
	}
	for range 4 {
		lostWeight := 0.0
		for i, s := range samples {
			if !s.Finished && (lost[i] || !s.Ongoing) {
				lostWeight += s.Weight * (1 - out[i])
			}
		}
		if lostWeight == 0 {
			break
		}
		share := lostWeight / total
		for i, s := range samples {
			if !s.Finished && !lost[i] {
				slower := slowerThan(samples, s.Seconds) * (1 - share)
				out[i] = slower / (slower + share)
			}
		}
	}
	return out
}

// slowerThan is the share of the finished starts that took longer than secs. One more start counts
// as slower than all.
func slowerThan(samples []Sample, secs float64) float64 {
	above, all := 1.0, 1.0
	for _, s := range samples {
		if s.Finished {
			all += s.Weight
			if s.Seconds > secs {
				above += s.Weight
			}
		}
	}
	return above / all
}

// Shrink moves the estimate secs of n starts towards a prior, in logarithms: by two thirds after
// one start, by a third after three, and not at all from [FullWeightStarts] on.
func Shrink(secs, prior, n float64) float64 {
	if secs <= 0 || n <= 0 {
		return prior
	}
	w := n / (n + 2*max(0, 1-n/FullWeightStarts))
	return math.Exp(w*math.Log(secs) + (1-w)*math.Log(prior))
}
