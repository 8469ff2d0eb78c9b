// Package verdict decides whether to switch Headstart on. The decision follows from the figures
// that a report shows, as it shows them, and from nothing else: so a report cannot advise one thing
// and show another.
package verdict

import (
	"fmt"

	"headstart.dev/headstart/report/internal/format"
)

// Advice is what to do.
type Advice string

// What to do.
const (
	SwitchOn  Advice = "switchOn"
	TryDryRun Advice = "tryDryRun"
	LeaveOff  Advice = "leaveOff"
)

// String returns the advice as a sentence without a full stop.
func (a Advice) String() string {
	switch a {
	case SwitchOn:
		return "Switch it on"
	case TryDryRun:
		return "Try it in DryRun"
	}
	return "Leave it off"
}

// The limits of a decision. docs/report.md names them.
const (
	// Worthwhile is the least saving, in percent of replica-hours at the same service, to switch
	// on for.
	Worthwhile = 5
	// Manifold is how many times the replica-hours of today are too many to switch on at once.
	Manifold = 2
	// Kept is how many times what may be missed a promise may miss, and KeptPoints how much more in
	// percentage points. Twice alone would let a service level of 0.5 miss everything.
	Kept       = 2
	KeptPoints = 10
)

// Rival is a row of the table: a policy of today.
type Rival struct {
	// Name is how the table names it.
	Name string
	// More is by how many percent Headstart needs more replica-hours at the service of this policy,
	// as a whole number. It is below 0 if Headstart needs fewer, and format.Endless if the policy
	// needs none at all.
	More int
	// Beyond reports whether no setting of Headstart reaches the service of this policy.
	Beyond bool
	// Unserved is the share of the demand that it left unserved, and Cost its weighed cost, both as
	// they are shown.
	Unserved, Cost float64
}

// Promise is what Headstart was asked for.
type Promise struct {
	// Of is what is counted, such as "lead windows".
	Of string
	// Asked and Reached are shares. Asked is 0 if nothing was asked for.
	Asked, Reached float64
}

// Kept reports whether the promise was kept: at most twice as much was missed as may be, and at
// most ten percentage points more.
func (p Promise) Kept() bool {
	missed, may := 1-p.Reached, 1-p.Asked
	return p.Asked == 0 || missed <= min(Kept*may, may+KeptPoints/100.0)+1e-9
}

// Facts are the figures that a decision follows from.
type Facts struct {
	// Unit is what is paid: "replica-hours" or "GPU-hours".
	Unit string
	// Own is Headstart at the asked contract. Only its Unserved and its Cost count.
	Own Rival
	// Today is the policy that a careful team would run. Others are the other rows of the table.
	Today  Rival
	Others []Rival
	// Weighed reports whether the contract is a shortage cost. Then the weighed cost counts.
	Weighed bool
	// Promise is what was asked for, and what was reached.
	Promise Promise
	// Multiple is Headstart's replica-hours at the asked contract over those of Today.
	Multiple float64
	// Unreliable reports whether the saving may be none in an average week.
	Unreliable bool
	// Doubts are reasons why the figures may not hold.
	Doubts []string
}

// Decision says what to do, and why.
type Decision struct {
	// Advice is what to do.
	Advice Advice `json:"advice"`
	// Reasons are clauses, the strongest first. Warnings among them come before all else.
	Reasons []string `json:"reasons"`
}

// Decide returns the decision that follows from the figures.
func Decide(f Facts) Decision {
	d := Decision{Advice: SwitchOn}
	add := func(advice Advice, format string, args ...any) {
		d.Reasons = append(d.Reasons, fmt.Sprintf(format, args...))
		if advice == LeaveOff || d.Advice == SwitchOn {
			d.Advice = advice
		}
	}
	if !f.Promise.Kept() {
		add(TryDryRun, "the promise was not kept: %s of %s were covered, of %s asked",
			format.Share(f.Promise.Reached), f.Promise.Of, format.Share(f.Promise.Asked))
	}
	if f.Multiple >= Manifold {
		add(TryDryRun, "as asked, it would use %.1f times the %s of %s", f.Multiple, f.Unit, f.Today.Name)
	}
	saving := len(d.Reasons)
	f.judgeToday(add)
	f.judgeOthers(add)
	if f.Unreliable {
		add(TryDryRun, "the gain differs so much from week to week that an average week may have none")
	}
	for _, doubt := range f.Doubts {
		add(TryDryRun, "%s", doubt)
	}
	if saving == 0 && d.Advice == TryDryRun && -f.Today.More >= Worthwhile {
		// The first reason speaks for Headstart. It would not say why only to try.
		d.Reasons = append([]string{d.Reasons[0] + ", but " + d.Reasons[1]}, d.Reasons[2:]...)
	}
	return d
}

// because adds a reason for an advice.
type because func(advice Advice, format string, args ...any)

// judgeToday compares with what a careful team would run.
func (f Facts) judgeToday(add because) {
	at := "at the service of " + f.Today.Name + ", Headstart "
	switch more := f.Today.More; {
	case f.Today.Beyond:
		add(LeaveOff, "no setting of Headstart reaches the service of %s", f.Today.Name)
	case more > 0:
		add(LeaveOff, "%sneeds %s %s", at, format.ByPercent(more), f.Unit)
	case more == 0:
		add(LeaveOff, "%sneeds as many %s: a tie goes to what runs today", at, f.Unit)
	case -more < Worthwhile:
		add(TryDryRun, "%sneeds only %d %% fewer %s", at, -more, f.Unit)
	default:
		add(SwitchOn, "%sneeds %d %% fewer %s", at, -more, f.Unit)
	}
}

// judgeOthers looks for rows of the table that turned out better than Headstart. A row that serves
// less than Headstart and than the policy of today is none that anybody would choose.
func (f Facts) judgeOthers(add because) {
	for _, r := range f.Others {
		switch {
		case r.Unserved > max(f.Own.Unserved, f.Today.Unserved):
		case r.Beyond:
			add(TryDryRun, "no setting of Headstart reaches the service of %s", r.Name)
			continue
		case r.More > 0:
			add(TryDryRun, "%s turned out better: at its service, Headstart needs %s %s",
				r.Name, format.ByPercent(r.More), f.Unit)
			continue
		case r.More == 0:
			add(TryDryRun, "%s turned out as good: at its service, Headstart needs as many %s", r.Name, f.Unit)
			continue
		}
		f.judgeCost(r, add)
	}
	f.judgeCost(f.Today, add)
}

// judgeCost compares the weighed costs, if the contract weighs.
func (f Facts) judgeCost(r Rival, add because) {
	if f.Weighed && r.Cost <= f.Own.Cost {
		add(TryDryRun, "the weighed cost of %s is no higher than that of Headstart as asked: %.3f and %.3f",
			r.Name, r.Cost, f.Own.Cost)
	}
}
