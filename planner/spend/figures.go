package spend

import (
	"math"
	"time"
)

// Figures are what a Ledger says of the trailing week.
type Figures struct {
	// Keep is how much of the forecast is planned with.
	Keep Keep
	// Counted is how much of the week was counted.
	Counted time.Duration
	// Ratio is how many times the replica-hours of a reactive policy the plans asked for. Full is
	// how many times the whole forecast would have asked for. Both are NaN while nothing was
	// counted.
	Ratio, Full float64
	// Reachable is the share of lead windows that a plan with Keep covers. NaN is not known.
	Reachable float64
	// Excess is by how much more was asked for than the bound allows in a week, as a share of that.
	// From [Tolerance] on, nothing that a forecast says is planned with.
	Excess float64
}

// Exceeded reports whether more was asked for than the bound allows, and nothing that a forecast
// says is planned with until that is over.
func (f Figures) Exceeded() bool { return f.Excess > Tolerance && f.Keep <= Nothing }

// WholeWeek reports whether nearly all of the week was counted.
func (f Figures) WholeWeek() bool { return f.Counted >= week*99/100 }

// Lowered reports whether the plan is below what the service level asks for.
func (f Figures) Lowered() bool { return f.Keep < All }

// Figures returns the figures at the newest step, under the bound that was last decided by.
func (l *Ledger) Figures() Figures {
	p := l.sums(l.decided.at)
	f := Figures{
		Keep: l.decided.keep, Counted: time.Duration(p.hours * float64(time.Hour)),
		Ratio: math.NaN(), Full: math.NaN(), Reachable: l.reach.level(l.decided.keep),
	}
	if l.decided.atMost > 0 {
		f.Excess = p.excess(l.decided.atMost)
	}
	if p.reactive > 0 {
		f.Ratio, f.Full = p.asked/p.reactive, p.full/p.reactive
	}
	return f
}
