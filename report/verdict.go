package report

import (
	"fmt"
	"math"
	"time"
)

// Change is one row of the table before and after.
type Change struct {
	// What is compared, in words.
	What string `json:"what"`
	// Today and Headstart are what it comes to, with units.
	Today     string `json:"today"`
	Headstart string `json:"headstart"`
}

// SweepPoint is what another lead comes to.
type SweepPoint struct {
	LeadSeconds float64 `json:"leadSeconds"`
	LeadSteps   int     `json:"leadSteps"`
	Headstart   Figures `json:"headstart"`
	Reactive    Figures `json:"reactive"`
}

// conclude draws the conclusions from the figures.
func (r *Report) conclude() {
	head, ok := r.Result(PolicyHeadstart)
	if !ok || head.Figures == nil {
		return
	}
	r.Verdict = fmt.Sprintf("Headstart would have left %s of the demand unserved, at %s replica-hours.", share(head.Unserved), whole(head.ReplicaHours))
	for _, name := range []string{PolicyReactive, PolicyReactiveExact, PolicyStatic} {
		if today, ok := r.Result(name); ok && today.Figures != nil {
			r.Today = name
			r.Doubts = r.doubts(*head.Figures, *today.Figures)
			r.Verdict = verdict(*head.Figures, *today.Figures, todayName(name), len(r.Doubts) > 0)
			r.Changes = changes(*head.Figures, *today.Figures)
			break
		}
	}
	r.Proposal = r.proposal(*head.Figures)
}

func todayName(policy string) string {
	if policy == PolicyStatic {
		return "the static fleet"
	}
	return "the reactive HPA"
}

// gainful is by how much Headstart must be cheaper before the report advises it.
const gainful = 0.05

func verdict(head, today Figures, name string, doubted bool) string {
	first := fmt.Sprintf("Headstart would have left %s of the demand unserved, where %s leaves %s, at %s replica-hours instead of %s (%s).",
		share(head.Unserved), name, share(today.Unserved), whole(head.ReplicaHours), whole(today.ReplicaHours), more(ratio(head.ReplicaHours, today.ReplicaHours)))
	gain := 1 - ratio(head.Cost, today.Cost)
	advice := "there is little to gain here"
	switch {
	case gain > gainful && doubted:
		advice = fmt.Sprintf("that is %.0f %% cheaper: worth a trial in mode DryRun, with the doubts below", 100*gain)
	case gain > gainful:
		advice = fmt.Sprintf("that is %.0f %% cheaper: switch it on", 100*gain)
	case gain < -gainful:
		advice = fmt.Sprintf("that is %.0f %% dearer: leave it off for this service", -100*gain)
	}
	return first + " With unserved demand weighed in, " + advice + "."
}

// more says by how much a ratio is above or below one.
func more(q float64) string {
	switch p := 100 * (q - 1); {
	case p >= 0.5:
		return fmt.Sprintf("%.0f %% more", p)
	case p <= -0.5:
		return fmt.Sprintf("%.0f %% fewer", -p)
	default:
		return "as many"
	}
}

// doubts are the reasons for which a forecast may not help.
func (r *Report) doubts(head, today Figures) []string {
	var out []string
	history := r.Input.From.Sub(r.Input.Start)
	switch {
	case history < 2*24*time.Hour:
		out = append(out, fmt.Sprintf("the replay began with %s of history: a daily rhythm shows after two days, a weekly one after two weeks", span0(history)))
	case r.Model != nil && len(r.Model.PeriodSeconds) == 0:
		out = append(out, "no daily or weekly rhythm was found: what comes cannot be told much earlier than it is seen")
	}
	if r.Model != nil && r.Model.SkilledShare < 0.5 {
		out = append(out, fmt.Sprintf("the forecast was good enough to be served at %s of the steps only; at the others observed demand was", share(r.Model.SkilledShare)))
	}
	if r.Input.LeadSeconds <= 2*hpaSync.Seconds() {
		out = append(out, fmt.Sprintf("a replica serves %s after it is asked for, about as fast as an HPA looks: a reactive one is fast enough", seconds(r.Input.LeadSeconds)))
	}
	if today.Unserved < 0.0005 && head.ReplicaHours > 0.95*today.ReplicaHours {
		out = append(out, fmt.Sprintf("what runs today leaves %s unserved already, and hardly more replicas than are needed", share(today.Unserved)))
	}
	if gaps := ratio(float64(r.Input.Gaps), float64(r.Input.Scored)); gaps > 0.5 {
		out = append(out, fmt.Sprintf("%s of the replayed steps have no value: the figures rest on the others", share(gaps)))
	}
	return out
}

func changes(head, today Figures) []Change {
	rows := []Change{
		{"demand served", share(1 - today.Unserved), share(1 - head.Unserved)},
		{"steps short", share(today.Short), share(head.Short)},
		{"time to catch up, mean", seconds(today.MeanShortfallSeconds), seconds(head.MeanShortfallSeconds)},
		{"replica-hours", whole(today.ReplicaHours), whole(head.ReplicaHours)},
	}
	if head.GPUHours > 0 {
		rows = append(rows, Change{"GPU-hours", whole(today.GPUHours), whole(head.GPUHours)})
	}
	if head.Money > 0 {
		rows = append(rows, Change{"money", whole(today.Money), whole(head.Money)})
	}
	return append(
		rows,
		Change{"replicas at most", whole(today.PeakReplicas), whole(head.PeakReplicas)},
		Change{"utilisation", percent(today.Utilisation), percent(head.Utilisation)},
		Change{"cost, unserved demand weighed in, over the oracle's", fmt.Sprintf("%.2f", today.CostOverOracle), fmt.Sprintf("%.2f", head.CostOverOracle)},
	)
}

// sweep takes over what the other leads came to, with the own one among them.
func (r *Report) sweep(others []*Report) {
	if len(others) == 0 {
		return
	}
	for _, o := range append([]*Report{r}, others...) {
		head, _ := o.Result(PolicyHeadstart)
		reactive, _ := o.Result(PolicyReactive)
		if head.Figures == nil || reactive.Figures == nil {
			continue
		}
		point := SweepPoint{LeadSeconds: o.Input.LeadSeconds, LeadSteps: o.Input.LeadSteps, Headstart: *head.Figures, Reactive: *reactive.Figures}
		at := len(r.Sweep)
		for at > 0 && r.Sweep[at-1].LeadSteps > point.LeadSteps {
			at--
		}
		r.Sweep = append(r.Sweep[:at], append([]SweepPoint{point}, r.Sweep[at:]...)...)
	}
}

// whole writes a number rounded to a whole one, with separators.
func whole(v float64) string { return count(int(math.Round(v))) }

func percent(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) }
