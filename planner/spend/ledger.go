package spend

import (
	"math"
	"time"
)

const (
	// Tolerance is by how much more than the bound a week may take while the rule corrects it.
	Tolerance = 0.05
	// week is how far back a Ledger looks.
	week = 7 * 24 * time.Hour
	// periodLength is what is summed up together, and maxPeriods how many of these overlap a week.
	periodLength = 6 * time.Hour
	maxPeriods   = int(week/periodLength) + 1
)

// Bound is what a Ledger holds plans to.
type Bound struct {
	// AtMost is how many times the replica-hours of a reactive policy plans may ask for; 1 or
	// above.
	AtMost float64
	// Level is the service level of the forecasts. Under another one the counts begin again.
	Level float64
}

// Replicas are what is asked for during one step.
type Replicas struct {
	// Asked is by the plan, and Reactive by a policy that follows observed demand.
	Asked, Reactive float64
	// Full would be by a plan with the whole forecast, and Expected by one with expected demand
	// alone.
	Full, Expected float64
}

// Window is what plans provide for in the lead window that begins with a step, in the unit of
// demand.
type Window struct {
	// Steps is the length of the window.
	Steps int
	// Observed is the newest demand before the window. Full and Expected are what plans provide
	// for: with the whole forecast, and with expected demand alone.
	Observed, Full, Expected float64
}

// Step is one step of a service.
type Step struct {
	// At is when the step begins. Demand is known up to here.
	At time.Time
	// Length of the step.
	Length time.Duration
	// Demand of the step before.
	Demand float64
	Replicas
	Window Window
}

// Ledger counts what plans ask for. The zero value has counted nothing. It takes less than 2 KiB.
type Ledger struct {
	level   float64
	first   int64    // number of the oldest period, since the Unix epoch
	periods []period // without a gap
	until   time.Time
	decided decision
	reach   reach
}

// period is the sums of six hours.
type period struct {
	hours, asked, reactive, full, expected float64
}

// decision is what was last decided. A step that is planned twice must be planned in the same way.
type decision struct {
	at     time.Time
	atMost float64
	keep   Keep
}

// Keep returns how much of a forecast to plan with in the step that begins at an instant. For one
// instant and bound the answer stays the same.
func (l *Ledger) Keep(at time.Time, b Bound) Keep {
	if l.level != b.Level {
		*l = Ledger{level: b.Level}
	}
	if d := l.decided; !d.at.IsZero() && d.at.Equal(at) && d.atMost == b.AtMost {
		return d.keep
	}
	l.decided = decision{at, b.AtMost, l.sums(at).keep(b.AtMost)}
	return l.decided.keep
}

// Awaits reports whether a step that begins at an instant is not counted yet.
func (l *Ledger) Awaits(at time.Time) bool { return at.After(l.until) }

// Count counts a step. It does nothing for a step that does not come after the last one.
func (l *Ledger) Count(s Step) {
	if s.Length <= 0 || !l.Awaits(s.At) || !s.known() {
		return
	}
	l.reach.observe(s, l.until)
	l.until = s.At
	p := l.period(periodOf(s.At))
	hours := s.Length.Hours()
	p.hours += hours
	p.asked += hours * s.Asked
	p.reactive += hours * s.Reactive
	p.full += hours * s.Full
	p.expected += hours * s.Expected
}

// known reports whether all figures of a step can be summed up.
func (s Step) known() bool {
	for _, v := range []float64{
		s.Demand, s.Asked, s.Reactive, s.Full, s.Expected, s.Window.Observed, s.Window.Full, s.Window.Expected,
	} {
		if !(v >= 0) || math.IsInf(v, 1) {
			return false
		}
	}
	return true
}

// periodOf returns the number of the period that an instant lies in.
func periodOf(at time.Time) int64 {
	return int64(math.Floor(float64(at.Unix()) / periodLength.Seconds()))
}

// period returns the period of a number that is not below that of the newest one.
func (l *Ledger) period(n int64) *period {
	end := l.first + int64(len(l.periods))
	if len(l.periods) == 0 || n >= end+int64(maxPeriods) {
		l.first, l.periods = n, append(l.periods[:0], period{})
		return &l.periods[0]
	}
	for ; end <= n; end++ {
		l.periods = append(l.periods, period{})
	}
	if over := len(l.periods) - maxPeriods; over > 0 {
		l.periods = append(l.periods[:0], l.periods[over:]...)
		l.first += int64(over)
	}
	return &l.periods[n-l.first]
}

// sums returns what was counted in the week before an instant. Of the oldest period only the part
// counts that lies in that week, so that nothing jumps when it leaves.
func (l *Ledger) sums(at time.Time) period {
	var out period
	begin := at.Add(-week)
	for i, p := range l.periods {
		end := time.Unix((l.first+int64(i)+1)*int64(periodLength/time.Second), 0)
		share := min(max(float64(end.Sub(begin))/float64(periodLength), 0), 1)
		out.hours += share * p.hours
		out.asked += share * p.asked
		out.reactive += share * p.reactive
		out.full += share * p.full
		out.expected += share * p.expected
	}
	return out
}

// excess returns by how much more was asked for than the bound allows, as a share of what it allows
// in a week. The part of the week that was not counted is taken as spent at the bound.
func (p period) excess(atMost float64) float64 {
	if !(p.reactive > 0) {
		return 0
	}
	return (p.asked/p.reactive/atMost - 1) * min(1, p.hours/week.Hours())
}

// keep returns how much of a forecast may be kept.
func (p period) keep(atMost float64) Keep {
	if !(p.reactive > 0) {
		return All
	}
	expected := max(1, p.expected/p.reactive)
	full := max(expected, p.full/p.reactive)
	over := min(1, max(0, p.excess(atMost)/Tolerance))
	price := atMost - over*(atMost-1)
	keep := All
	switch {
	case price >= full:
	case price >= expected:
		keep = Expected + Keep((price-expected)/(full-expected))
	default:
		keep = Keep((price - 1) / (expected - 1))
	}
	// The week may not have seen what a forecast costs now. At the tolerance nothing is kept of it.
	return min(keep, Keep(1-over)*All)
}
