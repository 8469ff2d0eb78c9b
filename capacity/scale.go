package capacity

import "math"

// A scale compares the latest steps with a profile whose loads are all reduced by the same factor:
// after a drop of the capacity they fit a lower one best. So the size of the drop is known.
type scale struct {
	usual profile
	logs  [scales]float64 // log-likelihood of the latest steps, by factor
	mean  float64         // of the places of the best factors in logs, of the latest steps
	bound float64         // on what is used; 0 without one
	steps int             // since the bound began
	stale bool            // the service changed since the profile was learned
}

const (
	// forgets is the weight of the latest step among those before it.
	forgets = 1 / 8.0
	// scaleAlarm is the evidence at which a miss is taken for a change. After an alarm of the guard
	// scaleAfter is enough.
	scaleAlarm, scaleAfter = 8, 4
	// lifted is the evidence below which there is no sign of a drop any more.
	lifted = 1
	// farthestBehind is how much less evidence than the best factor has any other one keeps.
	farthestBehind = 4
	// sureOf is the difference of evidence between the factor that fits best, and a lower one that
	// may be true. That one is used, but it is no more than lowerScales lower.
	sureOf      = 1.5
	lowerScales = 2
	// A drop that goes on is further down when replicas come. What the best factor fell by in about
	// so many steps is assumed to come again, but no more than farthestAhead.
	trendForgets  = 1 / 10.0
	farthestAhead = 3
	// telling is the share of the limit below which loads say nothing about it.
	telling = 0.6
	// scaleConfirmed is how many steps a drop must last before it is taken for a change.
	scaleConfirmed = 30
)

// learn takes the profile of the summary, unless the service is changing.
func (s *scale) learn(p profile) {
	if p.limit == 0 || s.bound > 0 && !s.stale {
		return
	}
	if s.stale {
		*s = scale{}
	}
	s.usual = p
}

func factorOf(k int) float64 { return math.Pow(scaleRatio, -float64(k)) }

// add takes a step with a load and a latency relative to the objective.
func (s *scale) add(load, latency float64) {
	best, _, _ := s.fit()
	if s.usual.limit == 0 || load < telling*s.usual.limit*factorOf(best) {
		return
	}
	latency = max(latency, 1e-6)
	at := math.Log(load/s.usual.limit)/math.Log(scaleRatio) + profileBelow
	for k := range s.logs {
		s.logs[k] += s.usual.likelihood(at+float64(k), latency) - forgets*s.logs[k]
	}
	best, _, _ = s.fit()
	for k := 1; k < scales; k++ { // so that a change at once is not outweighed by what was before
		s.logs[k] = max(s.logs[k], s.logs[best]-farthestBehind)
	}
	s.mean += trendForgets * (float64(best) - s.mean)
}

// fit returns the factor that fits best, a lower one that may be true, and the evidence for a drop.
func (s *scale) fit() (best, lower int, evidence float64) {
	for k, v := range s.logs {
		if v > s.logs[best]+1e-9 {
			best = k
		}
	}
	ahead := min(max(int(math.Round(float64(best)-s.mean)), 0), farthestAhead)
	for lower = best; lower+1 < scales && lower < best+lowerScales && s.logs[lower+1] >= s.logs[best]-sureOf; {
		lower++
	}
	if evidence = s.logs[best] - s.logs[0]; evidence < scaleAfter {
		ahead = 0
	}
	return best, min(lower+ahead, scales-1), evidence
}

// begin begins a bound at a miss, where the steps before it tell of a drop. The miss itself need
// not be of a steady step.
func (s *scale) begin(load, latency, used float64, alarmed bool) {
	_, lower, evidence := s.fit()
	target := s.usual.limit * factorOf(lower)
	sign := latency > 1 && load <= used*1.05 && evidence >= scaleAlarm || alarmed && evidence >= scaleAfter
	if s.bound == 0 && sign && target < used {
		s.bound, s.steps = target, 0
	}
}

// step takes a step. base is what is used without the bounds, and used what is used now. It reports
// dropped when the drop has lasted.
func (s *scale) step(load, latency, base, used float64, alarmed bool) verdict {
	s.add(load, latency)
	if s.bound == 0 {
		s.begin(load, latency, used, alarmed)
		return usual
	}
	_, lower, evidence := s.fit()
	target := s.usual.limit * factorOf(lower)
	switch {
	case evidence >= lifted:
		s.bound = min(s.bound*(1+quick), target)
	case latency <= 1 && load >= busy*s.bound:
		s.bound *= 1 + quick
	}
	s.steps++
	switch {
	case s.bound >= base:
		s.bound = 0
	case s.steps >= scaleConfirmed && !s.stale && evidence >= scaleAlarm:
		s.stale = true
		return dropped
	}
	return usual
}
