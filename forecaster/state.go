package forecaster

import (
	"math"
	"time"

	"headstart.dev/headstart/forecaster/internal/demand"
	"headstart.dev/headstart/forecaster/internal/past"
	"headstart.dev/headstart/forecaster/internal/season"
)

// A state is the result of a fit, carried on by updates.
type state struct {
	opts      Options
	fittedAt  int // step of the series that the fit ended at
	points    int // steps the fit looked at
	history   *past.History
	periods   season.Periods
	features  featurizer
	served    servedEstimate
	margin    float64 // of a distant lead window, on the log scale, when none was measured
	weekShare float64 // share of last week in the path; the rest is yesterday's
	warnings  []string
	screen    demand.Screen // of the steps after the fit

	shifts   *past.Shifts // level shifts before step shiftsAt, kept for the next question
	shiftsAt int
}

// newState fits to raw, the history up to the fit instant. It leaves room for slack more steps.
func newState(o Options, start time.Time, raw []float64, slack int) *state {
	n, given := len(raw), raw
	raw, absurd, screen := demand.Screened(o.Step, raw)
	s := &state{opts: o, points: n, screen: screen}
	s.periods = season.Find(o.Step, o.Periods, raw)
	s.history = past.New(start, o.reading(), raw, n+slack, s.periods)
	s.features = newFeaturizer(s.periods, o.Lead, n, o.Contract.maxChange())
	s.served.decider = s.newDecider(o.Contract)
	for _, c := range o.others() {
		s.served.others = append(s.served.others, s.newDecider(c))
	}
	if o.Contract.ServiceLevel > 0 {
		s.fitServiceLevel()
	} else {
		s.fitShortageCost()
	}
	s.served.step(s.history)
	s.fitWeekShare()
	s.measureMargins()
	s.warn(raw)
	if len(absurd) > 0 {
		s.warnings = append(s.warnings, warnAbsurd(start, o.Step, given, absurd))
	}
	return s
}

// newDecider returns a decider under a contract, which has no calibrator yet.
func (s *state) newDecider(c Contract) decider {
	o := s.opts
	o.Contract = c
	return decider{contract: c, scores: newScores(o, s.history, s.features)}
}

// folds is how many fits the estimate behind a service level is cross-validated on.
const folds = 5

// heldOut returns how many steps at the end of a history of n are replayed. Margins at a high
// service level are learned from rare events; weights at a shortage cost settle in days.
func (s *state) heldOut(n int) int {
	day := s.periods.Day
	if s.opts.Contract.ServiceLevel > 0 {
		return min(n/2, max(14*day, 4000))
	}
	return min(n/3, max(min(3*day, 3000), 400, day))
}

// fitShortageCost replays the end of the history on candidates that were fitted to what came before
// it, and then fits them to all of it.
func (s *state) fitShortageCost() {
	n := s.history.N()
	from := n - s.heldOut(n)
	trial := newShortageCandidates(s.history, s.features, from, trialRows, s.opts, nil)
	x := newWeightedExperts(s.opts, s.history, trial.size(), s.periods.Day)
	x.expect(trial.names(), s.opts.Step)
	s.served.calibrator = x
	s.compareShortageCosts(trial)
	s.margin = 2 * s.replay(trial, from, n)
	if trial.fitted {
		s.served.set = newShortageCandidates(s.history, s.features, n, maxRows, s.opts, trial)
	}
}

// fitServiceLevel replays the end of the history in folds, each on an estimate that was fitted to
// everything else. That includes what came after: an estimate from half of the history errs more
// than the one that will serve, and margins would be too wide by as much.
func (s *state) fitServiceLevel() {
	h, level := s.history, s.opts.Contract.ServiceLevel
	n := h.N()
	d := newDesign(h, s.features, n, maxRows)
	final := s.newLevelCandidate(d, level, nil)
	s.served.calibrator = newConformalMargins(s.opts.Contract, h.Lead, s.periods.Day, final.meanError(d))
	s.compareServiceLevels(final, d)
	hold := s.heldOut(n)
	errs := 0.0
	for k := range folds {
		from, to := n-hold+hold*k/folds, n-hold+hold*(k+1)/folds
		others := d.Without(from-2*h.Lead-1, to+h.Lead+1)
		for _, b := range s.served.bases {
			b.set = s.newLevelCandidate(others, b.level, b.final)
		}
		errs += s.replay(s.newLevelCandidate(others, level, final), from, to)
	}
	s.margin = 2 * errs / folds
	s.served.set = final
	for _, b := range s.served.bases {
		b.set = b.final
	}
}

// replay serves the steps from … to with the estimates of a candidate set. It returns the mean
// absolute error of the first candidate.
func (s *state) replay(set *candidateSet, from, to int) float64 {
	full, view := s.history, *s.history
	var errs, n float64
	s.served.set = set
	for i := from; i < to; i++ {
		s.served.step(full.Prefix(i, &view))
		if i+full.Lead < full.N() {
			errs += math.Abs(full.WindowMaxAt(i) - full.LevelAt(i) - s.served.estimates[0])
			n++
		}
	}
	return errs / math.Max(n, 1)
}

// push takes one more step of demand into account, in the user's unit; NaN is a gap.
func (s *state) push(v float64) {
	if s.screen.Absurd(v) {
		v = math.NaN()
	}
	s.history.Push(v)
	s.served.step(s.history)
}
