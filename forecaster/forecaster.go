package forecaster

import (
	"errors"
	"fmt"
	"time"

	"headstart.dev/headstart/forecaster/internal/demand"
	"headstart.dev/headstart/forecaster/internal/global"
	"headstart.dev/headstart/forecaster/internal/values"
)

// A Forecaster holds the state of one demand series. It is not safe for concurrent use.
type Forecaster struct {
	opts    Options
	began   time.Time // start of the series as first given
	start   time.Time // of the first step of raw
	dropped int       // steps of the series before raw
	raw     values.Given
	nextFit int    // number of steps of the series at which the next fit is due
	rarer   bool   // see Thrift.RarerFits
	state   *state // nil before Start
}

// New returns a Forecaster without history. It fails on Options that are not valid.
func New(o Options) (*Forecaster, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("forecaster: %w", err)
	}
	if o.Global == nil {
		shipped, err := global.Default()
		if err != nil {
			return nil, fmt.Errorf("forecaster: %w", err)
		}
		o.Global = shipped
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
	n := lastFit(f.began, f.opts.Step, f.opts.FitOffset, len(s.Values))
	from := max(0, n-f.opts.MaxHistory)
	f.raw = values.NewGiven(len(s.Values) - from + f.slack())
	for _, v := range s.Values[from:] {
		f.raw.Append(demand.Clean(v))
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
		v = demand.Clean(v)
		f.raw.Append(v)
		if f.total() >= f.nextFit {
			if n := lastFit(f.began, f.opts.Step, f.opts.FitOffset, f.total()); n > f.state.fittedAt && !f.postpones(n) {
				f.refit(n)
				continue
			}
			f.nextFit = NextFit(f.began, f.opts.Step, f.opts.FitOffset, f.total())
		}
		f.state.push(v)
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

// Shrink gives back the memory that a fit leaves. Between two steps a Forecaster then keeps little
// beside its models, and uses the values of kept where they agree with what it was given. So their
// owner must not change them. Results stay the same to the last bit, while updates take longer.
//
// A fit needs the memory again. To keep it small, call Shrink after each update.
func (f *Forecaster) Shrink(kept Series) {
	since := f.start.Sub(kept.Start)
	if f.state == nil || kept.Step != f.opts.Step || since%kept.Step != 0 {
		return
	}
	f.raw.Share(kept.Values, int(since/kept.Step))
	f.state.history.Shrink(&f.raw)
}

// Origin returns the end of the last known step: the instant at which the Outlook begins. It is
// zero before Start.
func (f *Forecaster) Origin() time.Time {
	return f.start.Add(time.Duration(f.raw.N()) * f.opts.Step)
}

// total returns the number of steps of the series so far.
func (f *Forecaster) total() int { return f.dropped + f.raw.N() }

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
		f.raw.KeepFrom(from, f.slack())
		f.skip(from)
	}
	f.fit(n)
}

// fit builds the state at step n of the series and carries it on to the newest step.
func (f *Forecaster) fit(n int) {
	k, raw := n-f.dropped, f.raw.KeepFrom(0, f.slack())
	f.state = newState(f.opts, f.start, raw[:k], f.slack())
	f.state.fittedAt = n
	for _, v := range raw[k:] {
		f.state.push(v)
	}
	f.nextFit = NextFit(f.began, f.opts.Step, f.opts.FitOffset, f.total())
}
