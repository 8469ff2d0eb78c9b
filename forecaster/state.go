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
	s.served.record = newRecord(o.Contract.level(), o.Lead, f)
	hold := s.heldOut(n)
	trial := learnFamily(s.track, f, n-hold, trialRows, o.Contract)
	s.replay(trial, n-hold)
	if trial.learned {
		s.served.family = learnFamily(s.track, f, n, maxRows, o.Contract)
	}
	s.served.step(s.track)
	s.weighSeasons()
	s.margins = s.measureFar()
	return s
}

// heldOut returns how many steps at the end of a history of n judge models that were fitted without them.
func (s *state) heldOut(n int) int {
	if s.opts.Contract.ServiceLevel > 0 {
		return min(n/3, max(7*s.day, 3000)) // a margin at a high level is learned from rare events
	}
	return min(n/3, max(3*s.day, 400))
}

// replay carries the controller from step from on through the history, on estimates that did not see it.
func (s *state) replay(trial *family, from int) {
	full := s.track
	n := full.n()
	if c := s.opts.Contract; c.ShortageCost > 0 {
		s.served.control = newMixer(c, full, len(trial.candidates), s.day)
	} else {
		s.served.control = newSteerer(c, full.lead, s.day, spread(full, trial, from))
	}
	s.served.family = trial
	t := *full
	var errs, size float64
	for i := from; i < n; i++ {
		s.served.step(full.prefix(i, &t))
		if i+full.lead < n {
			errs += math.Abs(full.peak[i] - full.level[i] - s.served.estimates[0])
			size++
		}
	}
	s.far = 2 * errs / math.Max(size, 1)
}

// spread returns the mean error of a family's first candidate before step end, on some of the windows that it was fitted to.
func spread(t *track, f *family, end int) float64 {
	var sum, n float64
	var buf []float64
	var view track = *t
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
