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
	start   time.Time // of raw[0]
	born    time.Time // start of the series as first given
	dropped int       // steps of the series before raw[0]
	raw     []float64 // demand as given; NaN is a gap
	due     int       // number of steps of the series at which the next fit is due
	state   *state
}

// New returns a Forecaster without history. It fails on Options that cannot be served.
func New(o Options) (*Forecaster, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("forecaster: %w", err)
	}
	return &Forecaster{opts: o}, nil
}

// errNotStarted says that a series has to be given first.
var errNotStarted = errors.New("forecaster: Start must be given a series first")

// Start forgets everything and reads a series from scratch: it fits at the last fit instant at or before the end of s, on at most
// MaxHistory steps before that instant, and then updates with the steps from there on.
func (f *Forecaster) Start(s Series) error {
	if s.Step != f.opts.Step {
		return fmt.Errorf("forecaster: series has a step of %s, the options one of %s", s.Step, f.opts.Step)
	}
	if spare := len(s.Values) - f.opts.MaxHistory - 5*f.slack(); spare > 0 {
		s = Series{Start: demand.After(s.Start, s.Step, spare), Step: s.Step, Values: s.Values[spare:]}
	}
	f.born, f.start, f.dropped = s.Start, s.Start, 0
	n := lastFit(f.born, f.opts.Step, len(s.Values))
	from := max(0, n-f.opts.MaxHistory)
	f.raw = make([]float64, 0, len(s.Values)-from+f.slack())
	for _, v := range s.Values[from:] {
		f.raw = append(f.raw, demand.Clean(v))
	}
	f.drop(from)
	f.fit(n)
	return nil
}

// Update appends the next steps of the series. Where a fit instant is crossed, it fits there first.
func (f *Forecaster) Update(values ...float64) error {
	if f.state == nil {
		return errNotStarted
	}
	for _, v := range values {
		f.raw = append(f.raw, demand.Clean(v))
		if f.total() >= f.due {
			if n := lastFit(f.born, f.opts.Step, f.total()); n > f.state.fittedAt {
				f.refit(n)
				continue
			}
			f.due = nextFit(f.born, f.opts.Step, f.total())
		}
		f.state.push(f.raw[len(f.raw)-1])
	}
	return nil
}

// SetLead changes the lead window, in steps, and refits.
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

// Origin returns the end of the last known step: the instant at which the Outlook begins. It is zero before Start.
func (f *Forecaster) Origin() time.Time {
	return f.start.Add(time.Duration(len(f.raw)) * f.opts.Step)
}

// total is the number of steps of the series so far.
func (f *Forecaster) total() int { return f.dropped + len(f.raw) }

// slack is how many steps arrive between two fits, at most.
func (f *Forecaster) slack() int {
	return int(min(FitInterval(f.opts.Step)/f.opts.Step, 100_000)) + 2
}

// drop forgets the bookkeeping of n steps at the beginning.
func (f *Forecaster) drop(n int) {
	f.dropped += n
	f.start = f.start.Add(time.Duration(n) * f.opts.Step)
}

// refit fits at step n of the series on nothing older than MaxHistory.
func (f *Forecaster) refit(n int) {
	if from := n - f.opts.MaxHistory - f.dropped; from > 0 {
		f.raw = f.raw[:copy(f.raw, f.raw[from:])]
		f.drop(from)
	}
	f.fit(n)
}

// fit builds the state at step n of the series and carries it on to the newest step.
func (f *Forecaster) fit(n int) {
	k := n - f.dropped
	f.state = fitState(f.opts, f.start, f.raw[:k], f.slack())
	f.state.fittedAt = n
	for _, v := range f.raw[k:] {
		f.state.push(v)
	}
	f.due = nextFit(f.born, f.opts.Step, f.total())
}
