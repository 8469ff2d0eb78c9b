package forecaster

import (
	"errors"
	"fmt"
	"time"

	"headstart.dev/headstart/forecaster/internal/demand"
)

// A Forecaster holds the state of one demand series. It is not safe for concurrent use.
type Forecaster struct {
	opts    Options
	began   time.Time // start of the series as first given
	start   time.Time // of raw[0]
	dropped int       // steps of the series before raw[0]
	raw     []float64 // demand as given; NaN is a gap
	nextFit int       // number of steps of the series at which the next fit is due
	state   *state    // nil before Start
}

// New returns a Forecaster without history. It fails on Options that are not valid.
func New(o Options) (*Forecaster, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("forecaster: %w", err)
	}
	return &Forecaster{opts: o}, nil
}

var errNotStarted = errors.New("forecaster: call Start with a series first")

// Start forgets everything and reads a series from scratch. It fits at the last fit instant at or
// before the end of s, to at most MaxHistory steps before that instant, and then updates with the
// steps since. It fails when the step of s is not that of the Options.
func (f *Forecaster) Start(s Series) error {
	if s.Step != f.opts.Step {
		return fmt.Errorf("forecaster: series has a step of %s, the options one of %s", s.Step, f.opts.Step)
	}
	if spare := len(s.Values) - f.opts.MaxHistory - 5*f.slack(); spare > 0 {
		s = Series{Start: demand.After(s.Start, s.Step, spare), Step: s.Step, Values: s.Values[spare:]}
	}
	f.began, f.start, f.dropped = s.Start, s.Start, 0
	n := lastFit(f.began, f.opts.Step, len(s.Values))
	from := max(0, n-f.opts.MaxHistory)
	f.raw = make([]float64, 0, len(s.Values)-from+f.slack())
	for _, v := range s.Values[from:] {
		f.raw = append(f.raw, demand.Clean(v))
	}
	f.skip(from)
	f.fit(n)
	return nil
}

// Update appends the next steps of the series, NaN for a gap. When a fit instant is crossed, it
// fits there first. It fails before Start.
func (f *Forecaster) Update(values ...float64) error {
	if f.state == nil {
		return errNotStarted
	}
	for _, v := range values {
		f.raw = append(f.raw, demand.Clean(v))
		if f.total() >= f.nextFit {
			if n := lastFit(f.began, f.opts.Step, f.total()); n > f.state.fittedAt {
				f.refit(n)
				continue
			}
			f.nextFit = NextFit(f.began, f.opts.Step, f.total())
		}
		f.state.push(f.raw[len(f.raw)-1])
	}
	return nil
}

// SetLead changes the lead window, in steps, and fits again when it differs. It fails on a lead
// that is not valid.
func (f *Forecaster) SetLead(lead int) error {
	o := f.opts
	o.Lead = lead
	if err := o.validate(); err != nil {
		return fmt.Errorf("forecaster: %w", err)
	}
	if lead == f.opts.Lead {
		return nil
	}
	f.opts = o
	if f.state != nil {
		f.fit(f.state.fittedAt)
	}
	return nil
}

// Origin returns the end of the last known step: the instant at which the Outlook begins. It is
// zero before Start.
func (f *Forecaster) Origin() time.Time {
	return f.start.Add(time.Duration(len(f.raw)) * f.opts.Step)
}

// total returns the number of steps of the series so far.
func (f *Forecaster) total() int { return f.dropped + len(f.raw) }

// slack returns how many steps arrive between two fits, at most.
func (f *Forecaster) slack() int {
	return int(min(FitInterval(f.opts.Step)/f.opts.Step, 100_000)) + 2
}

// skip notes that the n oldest steps were dropped.
func (f *Forecaster) skip(n int) {
	f.dropped += n
	f.start = f.start.Add(time.Duration(n) * f.opts.Step)
}

// refit drops the steps that are older than MaxHistory at step n of the series, and fits there.
func (f *Forecaster) refit(n int) {
	if from := n - f.opts.MaxHistory - f.dropped; from > 0 {
		f.raw = f.raw[:copy(f.raw, f.raw[from:])]
		f.skip(from)
	}
	f.fit(n)
}

// fit builds the state at step n of the series and carries it on to the newest step.
func (f *Forecaster) fit(n int) {
	k := n - f.dropped
	f.state = newState(f.opts, f.start, f.raw[:k], f.slack())
	f.state.fittedAt = n
	for _, v := range f.raw[k:] {
		f.state.push(v)
	}
	f.nextFit = NextFit(f.began, f.opts.Step, f.total())
}
