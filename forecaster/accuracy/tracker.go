package accuracy

import (
	"errors"
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/forecaster/internal/stats"
)

const (
	// periodLength is the length of a period. Periods begin at 00:00, 06:00, 12:00 and 18:00 UTC.
	periodLength = 6 * time.Hour
	// periodsPerDay and periodsPerWeek are the complete periods of a day and of a week.
	periodsPerDay, periodsPerWeek = 4, 28
	// maxPeriods is how many periods are kept: a week of complete ones, and the current one.
	maxPeriods = periodsPerWeek + 1
	// maxPending bounds the promises that wait for the end of their windows. With the longest lead, a
	// window ends MaxLead + 1 steps after its promise. The other 1,440 steps are for demand that is
	// final only some time after its step.
	maxPending = forecaster.MaxLead + 1440
)

// Options configure a Tracker.
type Options struct {
	// Step of the demand series.
	Step time.Duration
	// Contract is the service level or the shortage cost that served demand must meet.
	Contract forecaster.Contract
}

func (o Options) validate() error {
	switch {
	case o.Step <= 0:
		return errors.New("accuracy: step must be above 0")
	case !(o.Contract.ServiceLevel > 0 && o.Contract.ServiceLevel < 1) && !(o.Contract.ShortageCost > 1):
		return errors.New("accuracy: the contract must be a service level between 0 and 1, or a shortage cost above 1")
	}
	return nil
}

// Asked returns the share that must be covered: of windows under a service level, of steps under a
// shortage cost.
func (o Options) Asked() float64 {
	if o.Contract.ShortageCost > 0 {
		return 1 - 1/o.Contract.ShortageCost
	}
	return o.Contract.ServiceLevel
}

// A Promise is the value that the metric served at one step. It promises that demand in the lead
// window, which begins with that step, is not larger.
type Promise struct {
	// At is the beginning of the step.
	At time.Time
	// Lead is the lead in steps. The lead window has the steps 0 … Lead, counted from At. A replica
	// that is requested at At serves from step Lead on.
	Lead int
	// Served is the demand that was provisioned for.
	Served float64
}

// An Estimate is the forecast that was made at one instant. It is about baseline demand, which has
// no declared peaks.
type Estimate struct {
	// At is the origin of the forecast: the beginning of the first step that it does not know.
	At time.Time
	// Lead is the lead in steps, as in [Promise].
	Lead int
	// Cover is the demand to provision for over the lead window. Benchmarks are what simple rules
	// would have provisioned for.
	Cover      float64
	Benchmarks [2]float64
	// Expected is the demand expected at step Lead; NaN when it is unknown.
	Expected float64
}

// A period has the sums over the promises and estimates that were made within six hours.
type period struct {
	promises, missed float64    // numbers of promises
	loss             float64    // pinball loss of the estimates
	benchmarks       [2]float64 // pinball loss of the benchmarks
	excess           float64    // sum of expected − actual demand
	actual           float64    // sum of actual demand, over the estimates that count in excess
}

// A Tracker scores promises and estimates once their lead windows are over. It is not safe for
// concurrent use.
type Tracker struct {
	opts      Options
	promises  []Promise  // those that are not scored yet, oldest first
	estimates []Estimate // those that are not scored yet, oldest first
	first     int64      // number of the first period, see periodNumber
	periods   []period
	lead      int       // of the newest promise
	until     time.Time // step of the newest promise
}

// New returns a Tracker without promises. It returns an error if the Options are not valid.
func New(o Options) (*Tracker, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	return &Tracker{opts: o}, nil
}

// Options returns the Options that the Tracker was made with.
func (t *Tracker) Options() Options { return t.opts }

// Promise records what was served at a step. It ignores every promise but the first of a step, and
// a promise that is negative or not finite.
func (t *Tracker) Promise(p Promise) {
	if !(p.Served >= 0) || math.IsInf(p.Served, 0) || p.Lead < 0 || !p.At.After(t.until) {
		return
	}
	t.lead, t.until = p.Lead, p.At
	t.promises = append(t.promises[max(0, len(t.promises)+1-maxPending):], p)
}

// PromisedUntil returns the step of the newest promise; zero when there is none.
func (t *Tracker) PromisedUntil() time.Time { return t.until }

// PendingSince returns the step of the oldest promise or estimate that is not scored yet, and
// reports whether there is one. Observe needs no demand from before this step.
func (t *Tracker) PendingSince() (time.Time, bool) {
	switch {
	case len(t.promises) == 0 && len(t.estimates) == 0:
		return time.Time{}, false
	case len(t.promises) == 0 || len(t.estimates) > 0 && t.estimates[0].At.Before(t.promises[0].At):
		return t.estimates[0].At, true
	}
	return t.promises[0].At, true
}

// Estimate records a forecast. It ignores every estimate but the first of an origin.
func (t *Tracker) Estimate(e Estimate) {
	if n := len(t.estimates); n > 0 && !e.At.After(t.estimates[n-1].At) || !(e.Cover >= 0) || e.Lead < 0 {
		return
	}
	t.estimates = append(t.estimates[max(0, len(t.estimates)+1-maxPending):], e)
}

// Observe scores the promises and estimates whose windows end within the series. Promises are
// scored against demand. Estimates are scored against baseline, which is demand without its
// declared peaks. Both series have the same start. A window with a missing step is not scored.
func (t *Tracker) Observe(demand, baseline forecaster.Series) {
	n := 0
	for _, p := range t.promises {
		if end := p.At.Add(time.Duration(p.Lead+1) * t.opts.Step); end.After(demand.End()) {
			break
		}
		t.scorePromise(p, window(demand, p.At, p.Lead))
		n++
	}
	t.promises = t.promises[n:]
	n = 0
	for _, e := range t.estimates {
		if end := e.At.Add(time.Duration(e.Lead+1) * t.opts.Step); end.After(baseline.End()) {
			break
		}
		t.scoreEstimate(e, window(baseline, e.At, e.Lead))
		n++
	}
	t.estimates = t.estimates[n:]
}

// window returns the values of the steps 0 … lead, counted from at. It returns nil when one is
// missing.
func window(s forecaster.Series, at time.Time, lead int) []float64 {
	i := int(at.Sub(s.Start) / s.Step)
	if at.Before(s.Start) || i+lead >= len(s.Values) {
		return nil
	}
	w := s.Values[i : i+lead+1]
	if slices.ContainsFunc(w, math.IsNaN) {
		return nil
	}
	return w
}

// scorePromise scores a promise on the values of its window.
func (t *Tracker) scorePromise(p Promise, w []float64) {
	if w == nil {
		return
	}
	// A service level is about the whole window. A shortage cost is about its last step alone: there,
	// a replica that was requested at the promise begins to serve.
	need := w[len(w)-1]
	if t.opts.Contract.ServiceLevel > 0 {
		need = stats.Max(w)
	}
	if b := t.periodAt(p.At); b != nil {
		b.promises++
		if need > p.Served*(1+1e-9) {
			b.missed++
		}
	}
}

// scoreEstimate scores an estimate on the values of its window.
func (t *Tracker) scoreEstimate(e Estimate, w []float64) {
	b := t.periodAt(e.At)
	if w == nil || b == nil {
		return
	}
	largest, tau := stats.Max(w), t.opts.Asked()
	b.loss += stats.Pinball(largest, e.Cover, tau)
	for k, q := range e.Benchmarks {
		b.benchmarks[k] += stats.Pinball(largest, q, tau)
	}
	last := w[len(w)-1]
	if !math.IsNaN(e.Expected) {
		b.excess += e.Expected - last
		b.actual += last
	}
}

// periodAt returns the period that an instant lies in; nil when it is no longer kept. It adds the
// period if it is new, and drops periods that are older than a week.
func (t *Tracker) periodAt(at time.Time) *period {
	k := periodNumber(at)
	if len(t.periods) == 0 {
		t.first = k
	}
	if k < t.first {
		return nil
	}
	if k-t.first >= int64(len(t.periods)) {
		if k-t.first >= int64(len(t.periods)+maxPeriods) { // all of them are too old
			t.first, t.periods = k, nil
		}
		for int64(len(t.periods)) <= k-t.first {
			t.periods = append(t.periods, period{})
		}
		if surplus := len(t.periods) - maxPeriods; surplus > 0 {
			t.periods = append([]period(nil), t.periods[surplus:]...)
			t.first += int64(surplus)
		}
	}
	return &t.periods[k-t.first]
}

// periodNumber returns the number of the period that at lies in. The period that begins at the Unix
// epoch has number 0.
func periodNumber(at time.Time) int64 {
	s, n := at.Unix(), int64(periodLength/time.Second)
	k := s / n
	if s%n < 0 {
		k--
	}
	return k
}
