package report

import (
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"headstart.dev/headstart/report/internal/format"
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
	r.Verdict = fmt.Sprintf("Headstart would have left %s of the demand unserved, at %s replica-hours.", format.Share(head.Unserved), format.Whole(head.ReplicaHours))
	for _, name := range []string{PolicyReactive, PolicyReactiveExact, PolicyStatic} {
		if today, ok := r.Result(name); ok && today.Figures != nil {
			r.Today = name
			r.Doubts = r.doubts(*head.Figures, *today.Figures)
			r.Gain = gainOf(head, today)
			r.Advice = advice(1-ratio(head.Cost, today.Cost), r.Gain, len(r.Doubts) > 0)
			if better := r.cheaper(head); better != "" {
				r.Doubts = append(r.Doubts, better)
			}
			r.Verdict = verdict(*head.Figures, *today.Figures, todayName(name), r.Advice)
			r.Changes = changes(*head.Figures, *today.Figures)
			break
		}
	}
	r.Proposal = r.proposal(*head.Figures)
}

// cheaper names what came out cheaper than Headstart by more than 2 %, with its head-room or without: a report that kept quiet about it
// could not be trusted.
func (r *Report) cheaper(head Result) string {
	least, name := 0.98*head.Cost, ""
	for _, p := range r.Policies {
		if p.Figures == nil || p.Policy == PolicyOracle || p.Policy == PolicyHeadstart || p.Policy == PolicyHeadstartNoPeaks {
			continue
		}
		if p.Cost < least {
			least, name = p.Cost, p.Policy
		}
		if p.Tuned != nil && p.Tuned.Cost < least {
			least, name = p.Tuned.Cost, p.Policy+" with head-room"
		}
	}
	if name == "" {
		return ""
	}
	return fmt.Sprintf("%s came out %.0f %% cheaper than Headstart here, unserved demand weighed in: see the table", name, 100*(1-ratio(least, head.Cost)))
}

func todayName(policy string) string {
	if policy == PolicyStatic {
		return "the static fleet"
	}
	return "the reactive HPA"
}

// gainful is by how much Headstart must be cheaper before the report advises it.
const gainful = 0.05

// Gain is by how much Headstart is cheaper than what runs today, unserved demand weighed in.
type Gain struct {
	// Share of today's cost that is saved; below 0 where Headstart is dearer.
	Share float64 `json:"share"`
	// Weeks are the same of each whole week, where there are two or more, and Cheaper the number of those above 0.
	Weeks   []float64 `json:"weeks,omitempty"`
	Cheaper int       `json:"cheaper,omitempty"`
	// Low and High bound the mean of the weeks with 95 % confidence, where there are three or more.
	Low  *float64 `json:"low,omitempty"`
	High *float64 `json:"high,omitempty"`
}

func gainOf(head, today Result) *Gain {
	g := &Gain{Share: 1 - ratio(head.Cost, today.Cost)}
	if len(head.Weeks) != len(today.Weeks) {
		return g
	}
	for i, h := range head.Weeks { // both over the same oracle
		v := 1 - ratio(h, today.Weeks[i])
		g.Weeks = append(g.Weeks, v)
		if v > 0 {
			g.Cheaper++
		}
	}
	if half, ok := halfWidth(g.Weeks); ok {
		mean := stat.Mean(g.Weeks, nil)
		low, high := mean-half, mean+half
		g.Low, g.High = &low, &high
	}
	return g
}

// Worthwhile reports whether the gain is enough to advise a change.
func (g *Gain) Worthwhile() bool { return g.Share > gainful }

// String says it in words.
func (g *Gain) String() string {
	if len(g.Weeks) < 2 {
		return ""
	}
	span := format.Percent(slices.Min(g.Weeks))
	if most := format.Percent(slices.Max(g.Weeks)); most != span {
		span += " to " + most
	}
	text := fmt.Sprintf("Headstart is cheaper in %d of %d weeks, by %s", g.Cheaper, len(g.Weeks), span)
	if g.Low != nil {
		text += fmt.Sprintf("; the mean week lies from %s to %s, with 95 %% confidence", format.Percent(*g.Low), format.Percent(*g.High))
	}
	return text
}

// halfWidth of the 95 % interval of a mean, by Student's t; false for less than three values.
func halfWidth(x []float64) (float64, bool) {
	if len(x) < 3 {
		return 0, false
	}
	n := float64(len(x))
	return distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile(0.975) * stat.StdDev(x, nil) / math.Sqrt(n), true
}

func verdict(head, today Figures, name, advice string) string {
	return fmt.Sprintf("Headstart would have left %s of the demand unserved, where %s leaves %s, at %s replica-hours instead of %s (%s). "+
		"With unserved demand weighed in, %s.",
		format.Share(head.Unserved), name, format.Share(today.Unserved), format.Whole(head.ReplicaHours), format.Whole(today.ReplicaHours), format.Change(head.ReplicaHours, today.ReplicaHours), advice)
}

// advice is what to make of a gain, with the weeks that it came from and the doubts about it.
func advice(gain float64, weeks *Gain, doubted bool) string {
	switch {
	case gain > gainful && doubted:
		return fmt.Sprintf("that is %.0f %% cheaper: worth a trial in mode DryRun, with the doubts below", 100*gain)
	case gain > gainful && weeks != nil && weeks.Low != nil && *weeks.Low <= 0:
		return fmt.Sprintf("that is %.0f %% cheaper, but not reliably from week to week: worth a trial in mode DryRun", 100*gain)
	case gain > gainful:
		return fmt.Sprintf("that is %.0f %% cheaper: switch it on", 100*gain)
	case gain < -gainful:
		return fmt.Sprintf("that is %.0f %% dearer: leave it off for this service", -100*gain)
	}
	return "there is little to gain here"
}

// doubts are the reasons for which a forecast may not help.
func (r *Report) doubts(head, today Figures) []string {
	var out []string
	history := r.Input.From.Sub(r.Input.Start)
	switch {
	case history < 2*24*time.Hour:
		out = append(out, fmt.Sprintf("the replay began with %s of history: a daily rhythm shows after two days, a weekly one after two weeks", format.Duration(history)))
	case r.Model != nil && len(r.Model.PeriodSeconds) == 0:
		out = append(out, "no daily or weekly rhythm was found: what comes cannot be told much earlier than it is seen")
	}
	if r.Model != nil && r.Model.SkilledShare < 0.5 {
		out = append(out, fmt.Sprintf("the forecast was good enough to be served at %s of the steps only; at the others observed demand was", format.Share(r.Model.SkilledShare)))
	}
	if r.Input.LeadSeconds <= 2*hpaSync.Seconds() && today.Unserved < 0.01 {
		out = append(out, fmt.Sprintf("a replica serves %s after it is asked for, about as fast as an HPA looks: a reactive one is fast enough", format.Seconds(r.Input.LeadSeconds)))
	}
	if today.Unserved < 0.0005 && head.ReplicaHours > 0.95*today.ReplicaHours {
		out = append(out, fmt.Sprintf("what runs today leaves %s unserved already, and hardly more replicas than are needed", format.Share(today.Unserved)))
	}
	if gaps := ratio(float64(r.Input.Gaps), float64(r.Input.Scored)); gaps > 0.5 {
		out = append(out, fmt.Sprintf("%s of the replayed steps have no value: the figures rest on the others", format.Share(gaps)))
	}
	return out
}

func changes(head, today Figures) []Change {
	rows := []Change{
		{"demand served", format.Share(1 - today.Unserved), format.Share(1 - head.Unserved)},
		{"steps short", format.Share(today.Short), format.Share(head.Short)},
		{"time to catch up, mean", format.Seconds(today.MeanShortfallSeconds), format.Seconds(head.MeanShortfallSeconds)},
		{"replica-hours", format.Whole(today.ReplicaHours), format.Whole(head.ReplicaHours)},
	}
	if head.GPUHours > 0 {
		rows = append(rows, Change{"GPU-hours", format.Whole(today.GPUHours), format.Whole(head.GPUHours)})
	}
	if head.Money > 0 {
		rows = append(rows, Change{"money", format.Whole(today.Money), format.Whole(head.Money)})
	}
	return append(
		rows,
		Change{"replicas at most", format.Whole(today.PeakReplicas), format.Whole(head.PeakReplicas)},
		Change{"utilisation", format.Percent(today.Utilisation), format.Percent(head.Utilisation)},
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
