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
	day      int
	week     int
	served   served
	far      float64 // margin, on the log scale, of an estimate many steps ahead
	warnings []string
}

// steerRate is how far one short step moves the margin, in units of the spread of the estimate's errors.
const steerRate = 0.03

// fitState fits to raw, the history up to the fit instant.
func fitState(o Options, start time.Time, raw []float64, slack int) *state {
	s := &state{opts: o, points: len(raw)}
	s.track = newTrack(start, o, len(raw)+slack, meanKnown(raw))
	for _, v := range raw {
		s.track.push(v)
	}
	n := len(raw)
	s.day, s.week = s.seasons(n)
	f := newFeaturizer(s.day, s.week, o.Lead, n)
	tau := o.Contract.level()
	hold := max(0, min(n/3, max(7*s.day, 2000)))
	s.served.steer = steerer{contract: o.Contract, lead: o.Lead}
	if n-hold < 3*f.size() {
		s.served.model = persistence{}
		s.served.step(s.track)
		return s
	}
	s.replay(fitRegression(s.track, f, n-hold, tau), raw[n-hold:])
	s.served.model = fitRegression(s.track, f, n, tau)
	return s
}

// replay carries the contract's controller through the held-out end of the history, on estimates that did not see it.
func (s *state) replay(model estimator, held []float64) {
	full := s.track
	n := full.n() - len(held)
	var errs, size float64
	t := *full
	for i := n; i < full.n()-full.lead; i++ {
		e := full.peak[i] - full.level[i] - model.estimate(full.prefix(i, &t), i)
		errs += math.Abs(e)
		size++
	}
	if size > 0 {
		s.served.steer.rate = steerRate * errs / size
		s.far = 2 * errs / size
	}
	s.served.model = model
	for i := n; i <= full.n(); i++ {
		s.served.step(full.prefix(i, &t))
	}
}

// prefix makes a view of the track as it was before step i.
func (t *track) prefix(i int, view *track) *track {
	view.x, view.cum, view.level, view.known = t.x[:i], t.cum[:i+1], t.level[:i+1], t.known[:i]
	view.peak = t.peak[:max(0, min(i-t.lead, len(t.peak)))]
	return view
}

// push takes one more step into account.
func (s *state) push(v float64) {
	s.track.push(v)
	s.served.step(s.track)
}

// seasons returns a short and a long season in steps, zero where the history knows none.
func (s *state) seasons(n int) (day, week int) {
	if len(s.opts.Periods) > 0 {
		day = int(s.opts.Periods[0] / s.opts.Step)
		if len(s.opts.Periods) > 1 {
			week = int(s.opts.Periods[1] / s.opts.Step)
		}
		return day, week
	}
	day = int(24 * time.Hour / s.opts.Step)
	if day < 2 || n < day*3/2 {
		return 0, 0
	}
	if n > 7*day*5/4 {
		week = 7 * day
	}
	return day, week
}

// persistence expects the level to stay.
type persistence struct{}

func (persistence) estimate(*track, int) float64 { return 0 }

func meanKnown(values []float64) float64 {
	sum, n := 0.0, 0.0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return sum / n
}
