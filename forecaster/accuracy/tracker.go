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
	// span is what one tally covers. It begins at multiples of it since the Unix epoch.
	span = 6 * time.Hour
	// perDay and perWeek are the whole tallies of a day and of a week.
	perDay, perWeek = 4, 28
	// maxTallies are a week of whole tallies and the one that is filling up.
	maxTallies = perWeek + 1
	// maxPending bounds the promises whose windows are not over. At the longest lead a window ends
	// MaxLead + 1 steps after its promise; the rest is for demand that takes up to 1,440 steps to
	// settle.
	maxPending = forecaster.MaxLead + 1440
)

// Options configure a Tracker.
type Options struct {
	// Step of the demand series.
	Step time.Duration
	// Contract is what served demand is held to.
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

// Asked returns the share of windows that must be covered; under a shortage cost, of steps.
func (o Options) Asked() float64 {
	if o.Contract.ShortageCost > 0 {
		return 1 - 1/o.Contract.ShortageCost
	}
	return o.Contract.ServiceLevel
}

// A Promise is what the metric served at one step, for the demand from there on.
type Promise struct {
	// At is the beginning of the step.
	At time.Time
	// Lead is S: the window covers the steps 0 … S from At on, and a replica requested at At serves
	// from step S on.
	Lead int
	// Served is the demand that was provisioned for.
	Served float64
}

// An Estimate is what the forecast was at one origin, of demand without declared peaks.
type Estimate struct {
	// At is the origin: the beginning of the first unknown step.
	At time.Time
	// Lead is S.
	Lead int
	// Cover is the demand to provision for over the window, and Benchmarks what simple rules would
	// have provisioned for.
	Cover      float64
	Benchmarks [2]float64
	// Expected is the demand expected at step S; NaN when it is unknown.
	Expected float64
}

// A tally sums the outcomes of the promises and estimates that were made within one span.
type tally struct {
	promises, missed float64
	loss             float64    // pinball loss of the estimates
	benchmarks       [2]float64 // pinball loss of the benchmarks
	over             float64    // expected less actual demand
	actual           float64    // actual demand, of the same estimates
}

// A Tracker scores promises once their windows are over. It is not safe for concurrent use.
type Tracker struct {
	opts      Options
	promises  []Promise  // whose windows are not over, oldest first
	estimates []Estimate // likewise
	first     int64      // number of the first tally: spans since the Unix epoch
	tallies   []tally
	lead      int       // of the newest promise
	until     time.Time // step of the newest promise
}

// New returns a Tracker without promises. It fails on Options that are not valid.
func New(o Options) (*Tracker, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	return &Tracker{opts: o}, nil
}

// Options returns those that the Tracker was made with.
func (t *Tracker) Options() Options { return t.opts }

// Promise notes what was served at a step. It ignores all but the first promise of a step, and one
// that is not a finite number of zero or more.
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
// reports whether there is one. Observe looks at nothing before it.
func (t *Tracker) PendingSince() (time.Time, bool) {
	switch {
	case len(t.promises) == 0 && len(t.estimates) == 0:
		return time.Time{}, false
	case len(t.promises) == 0 || len(t.estimates) > 0 && t.estimates[0].At.Before(t.promises[0].At):
		return t.estimates[0].At, true
	}
	return t.promises[0].At, true
}

// Estimate notes what the forecast was. It ignores all but the first estimate of an origin.
func (t *Tracker) Estimate(e Estimate) {
	if n := len(t.estimates); n > 0 && !e.At.After(t.estimates[n-1].At) || !(e.Cover >= 0) || e.Lead < 0 {
		return
	}
	t.estimates = append(t.estimates[max(0, len(t.estimates)+1-maxPending):], e)
}

// Observe scores everything whose window is over by the end of the series. Promises are scored
// against demand; estimates against baseline, which is the demand without its declared peaks. Both
// have the same start. A window of which a step is missing is not scored.
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

// window returns the values of the steps 0 … lead from at on; nil when one is missing.
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
	need := w[len(w)-1] // what a replica requested at the promise serves first
	if t.opts.Contract.ServiceLevel > 0 {
		need = stats.Max(w)
	}
	if b := t.tally(p.At); b != nil {
		b.promises++
		if need > p.Served*(1+1e-9) {
			b.missed++
		}
	}
}

// scoreEstimate scores an estimate on the values of its window.
func (t *Tracker) scoreEstimate(e Estimate, w []float64) {
	b := t.tally(e.At)
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
		b.over += e.Expected - last
		b.actual += last
	}
}

// tally returns the tally of the span that an instant lies in; nil when that is no longer kept. It
// drops tallies that are older than a week.
func (t *Tracker) tally(at time.Time) *tally {
	k := spanNumber(at)
	if len(t.tallies) == 0 {
		t.first = k
	}
	if k < t.first {
		return nil
	}
	if k-t.first >= int64(len(t.tallies)) {
		if k-t.first >= int64(len(t.tallies)+maxTallies) { // none of them is of this week
			t.first, t.tallies = k, nil
		}
		for int64(len(t.tallies)) <= k-t.first {
			t.tallies = append(t.tallies, tally{})
		}
		if spare := len(t.tallies) - maxTallies; spare > 0 {
			t.tallies = append([]tally(nil), t.tallies[spare:]...)
			t.first += int64(spare)
		}
	}
	return &t.tallies[k-t.first]
}

// spanNumber returns how many spans lie between the Unix epoch and the one that at lies in.
func spanNumber(at time.Time) int64 {
	s, n := at.Unix(), int64(span/time.Second)
	k := s / n
	if s%n < 0 {
		k--
	}
	return k
}
