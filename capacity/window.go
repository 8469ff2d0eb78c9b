package capacity

import "time"

// The bins cover loads from the highest down to a 12th of it. A load far above all others moves them
// up, and what was learned at the usual loads is lost. So such a load must last, and bins that
// moved up by mistake come down again.
const (
	// A load is absurd from so many times the highest one on: a counter was reset, a unit is mistaken, or
	// most replicas are not ready.
	absurdTimes = 4
	// An absurd load is believed after so many steps, and so large a share of the steps that taught.
	believedSteps = 60
	believedShare = 0.02
	// absurdForgets is the share of the absurd steps that each usual step makes forgotten.
	absurdForgets = 1 / 10080.0
	// The bins come down when all loads of such a time lay below them. A service that is busy once a
	// day, or on workdays only, has more steps at its highest loads.
	lowTime  = 36 * time.Hour
	lowTimes = 4 // as many steps below as within
)

// absurd reports whether a load is far above all that was seen, and not seen for long enough.
func (e *Estimator) absurd(load float64) bool {
	if !(load >= 0 && load <= largestLoad) {
		return true // a number that nothing may depend on
	}
	if !e.bins.used || load <= absurdTimes*e.bins.load(e.bins.top()+1) {
		e.wild -= e.wild * absurdForgets
		return false
	}
	e.wild++
	met, missed := e.bins.counts()
	return e.wild < max(believedSteps, believedShare*(met+missed))
}

// comeDown drops the summary when all loads have long been below its bins.
func (s *summary) comeDown(now time.Time, load float64) {
	if !s.used || s.bin(load) >= 0 {
		s.below = 0
		return
	}
	if s.below++; s.below == 1 {
		s.belowSince = now
	}
	if now.Sub(s.belowSince) < lowTime || s.below < believedSteps {
		return
	}
	if met, missed := s.counts(); lowTimes*(met+missed) < float64(s.below) {
		*s = summary{began: now, weight: 1}
	}
}
