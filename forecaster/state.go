package forecaster

import (
	"math"
	"time"

	"headstart.dev/headstart/forecaster/internal/season"
)

// A state is what a fit leaves and updates carry on.
type state struct {
	opts     Options
	fittedAt int // step of the series that the fit ended at
	points   int // steps the fit looked at
	track    *track
	periods  season.Periods
	served   served
	far      float64 // margin, on the log scale, of an estimate many steps ahead, where margins has none
	margins  farMargins
	weekly   float64 // share of last week in the path; the rest is yesterday's
	warnings []string

	features featurizer
	moved    *shifts // of earlier seasons, before step movedAt
	movedAt  int
}

// fitState fits to raw, the history up to the fit instant.
func fitState(o Options, start time.Time, raw []float64, slack int) *state {
	s := &state{opts: o, points: len(raw)}
	n := len(raw)
	s.periods = season.Find(o.Step, o.Periods, raw)
	s.track = newTrack(start, o, raw, n+slack, s.periods)
	f := newFeaturizer(s.periods, o.Lead, n, o.Contract.reach())
	s.features = f
	s.served.record = newRecord(o, s.track, f)
	learned := s.learn(f)
	s.served.step(s.track)
	s.weighSeasons()
	s.margins = s.measureFar()
	s.warn(raw, learned)
	return s
}

// promiseFolds is how many fits the estimate behind a service level is replayed on, each without the part that it is replayed over.
const promiseFolds = 5

// heldOut returns how many steps at the end of a history of n are replayed. Margins at a high service level are learned from rare events;
// weights at a shortage cost settle in days.
func (s *state) heldOut(n int) int {
	if s.opts.Contract.ServiceLevel > 0 {
		return min(n/2, max(14*s.periods.Day, 4000))
	}
	return min(n/3, max(min(3*s.periods.Day, 3000), 400, s.periods.Day))
}

// learn fits the candidates, and carries the controller through the held-out end of the history on estimates that did not see it. It
// reports whether there was enough to learn from.
func (s *state) learn(f featurizer) (learned bool) {
	if s.opts.Contract.ServiceLevel > 0 {
		s.learnPromise(f)
	} else {
		s.learnTradeoff(f)
	}
	return s.served.family.learned
}

// learnTradeoff replays the end of the history on candidates that were fitted to what came before it.
func (s *state) learnTradeoff(f featurizer) {
	n := s.track.n()
	from := n - s.heldOut(n)
	trial := learnFamily(s.track, f, from, trialRows, s.opts)
	s.served.control = newMixer(s.opts, s.track, len(trial.candidates), s.periods.Day)
	s.far = 2 * s.replay(trial, from, n)
	if trial.learned {
		s.served.family = learnFamily(s.track, f, n, maxRows, s.opts)
	}
}

// learnPromise replays the end of the history in parts, each on an estimate that was fitted to everything else: to what came after as well,
// since an estimate from half of the history errs more than the one that will serve, and margins would be as much too wide.
func (s *state) learnPromise(f featurizer) {
	n := s.track.n()
	d := buildDesign(s.track, f, n, maxRows)
	final := promiseFamily(d, f, s.opts.Contract.ServiceLevel, nil)
	s.served.control = newSteerer(s.opts.Contract, s.track.lead, s.periods.Day, final.spread(d))
	hold := s.heldOut(n)
	errs := 0.0
	for k := range promiseFolds {
		from, to := n-hold+hold*k/promiseFolds, n-hold+hold*(k+1)/promiseFolds
		rest := d.Without(from-2*s.track.lead-1, to+s.track.lead+1)
		errs += s.replay(promiseFamily(rest, f, s.opts.Contract.ServiceLevel, final), from, to)
	}
	s.far = 2 * errs / promiseFolds
	s.served.family = final
}

// replay serves the steps from … to with a family's estimates and returns their mean error.
func (s *state) replay(trial *family, from, to int) float64 {
	full, view := s.track, *s.track
	var errs, size float64
	s.served.family = trial
	for i := from; i < to; i++ {
		s.served.step(full.prefix(i, &view))
		if i+full.lead < full.n() {
			errs += math.Abs(full.peak[i] - full.level[i] - s.served.estimates[0])
			size++
		}
	}
	return errs / math.Max(size, 1)
}

// push takes one more step into account.
func (s *state) push(v float64) {
	s.track.push(v)
	s.served.step(s.track)
}

func sqrt(n int) float64 { return math.Sqrt(float64(n)) }
