package forecaster

import (
	"math"
	"time"
)

// A state is what a fit leaves and updates carry on.
type state struct {
	opts     Options
	fittedAt int // step of the series that the fit ended at
	points   int // steps the fit looked at
	track    *track
	seasons
	served   served
	far      float64 // margin, on the log scale, of an estimate many steps ahead, where margins has none
	margins  farMargins
	weekly   float64 // share of last week in the path; the rest is yesterday's
	warnings []string
}

// fitState fits to raw, the history up to the fit instant.
func fitState(o Options, start time.Time, raw []float64, slack int) *state {
	s := &state{opts: o, points: len(raw)}
	n := len(raw)
	s.seasons = findSeasons(o, raw)
	s.track = newTrack(start, o, raw, n+slack, s.seasons)
	f := newFeaturizer(s.seasons, o.Lead, n)
	s.served.contract = o.Contract
	s.served.record = newRecord(o.Contract, s.track, f)
	learned := s.replay(f)
	if learned {
		s.served.family = learnFamily(s.track, f, n, maxRows, o.Contract)
	}
	s.served.step(s.track)
	s.weighSeasons()
	s.margins = s.measureFar()
	s.warn(raw, learned)
	return s
}

// promiseFolds is how often the estimate behind a service level is fitted anew while the history is replayed.
const promiseFolds = 5

// heldOut returns how many steps at the end of a history of n are replayed, and on how many fits, each of which knows nothing of the
// steps that it is replayed over. A margin at a high service level is learned from rare events, and must have lived with estimates
// like those that it will serve with: a regression is cheap, so there are several. Weights at a shortage cost settle in days.
func (s *state) heldOut(n int) (steps, folds int) {
	if s.opts.Contract.ServiceLevel > 0 {
		steps = min(n/2, max(14*s.day, 4000))
		if s.week > 0 { // what is left to the first fit must know more than one week
			steps = max(n/4, min(steps, n-3*s.week/2))
		}
		return steps, promiseFolds
	}
	return min(n/3, max(min(3*s.day, 3000), 400, s.day)), 1
}

// replay carries the controller through the held-out end of the history, on estimates that did not see it. It reports whether there
// was enough to learn from.
func (s *state) replay(f featurizer) (learned bool) {
	full := s.track
	n := full.n()
	hold, folds := s.heldOut(n)
	t := *full
	var errs, size float64
	for k := range folds {
		from, to := n-hold+hold*k/folds, n-hold+hold*(k+1)/folds
		trial := learnFamily(full, f, from, trialRows, s.opts.Contract)
		learned = trial.learned
		s.served.family = trial
		if k == 0 {
			s.served.control = s.newController(trial, from)
		}
		for i := from; i < to; i++ {
			s.served.step(full.prefix(i, &t))
			if i+full.lead < n {
				errs += math.Abs(full.peak[i] - full.level[i] - s.served.estimates[0])
				size++
			}
		}
	}
	s.far = 2 * errs / math.Max(size, 1)
	return learned
}

func (s *state) newController(trial *family, from int) controller {
	if c := s.opts.Contract; c.ShortageCost > 0 {
		return newMixer(c, s.track, len(trial.candidates), s.day)
	}
	return newSteerer(s.opts.Contract, s.track.lead, s.day, spread(s.track, trial, from))
}

// spread returns the mean error of a family's first candidate before step end, on some of the windows that it was fitted to.
func spread(t *track, f *family, end int) float64 {
	var sum, n float64
	var buf []float64
	view := *t
	for i := max(f.features.first(), end-2000); i+t.lead < end; i += 7 {
		buf = f.estimates(t.prefix(i, &view), i, buf)
		sum += math.Abs(t.peak[i] - t.level[i] - buf[0])
		n++
	}
	if n == 0 {
		return 0.1
	}
	return sum / n
}

// push takes one more step into account.
func (s *state) push(v float64) {
	s.track.push(v)
	s.served.step(s.track)
}

func sqrt(n int) float64 { return math.Sqrt(float64(n)) }
