package report

import (
	"fmt"
	"math"
	"time"

	"headstart.dev/headstart/report/gain"
	"headstart.dev/headstart/report/internal/format"
	"headstart.dev/headstart/report/propose"
	"headstart.dev/headstart/report/verdict"
)

// Change is one row of the comparison of today and Headstart.
type Change struct {
	// What is compared, in words.
	What string `json:"what"`
	// Today and Headstart are the two values, with units.
	Today     string `json:"today"`
	Headstart string `json:"headstart"`
}

// conclude compares Headstart with the policies of today, and fills in what follows from that.
func (r *Report) conclude() {
	r.Doubts = r.options.Doubts
	head, ok := r.Result(PolicyHeadstart)
	if !ok || head.Figures == nil {
		return
	}
	r.Verdict = fmt.Sprintf("Headstart would have left %s of the demand unserved, with %s replica-hours.",
		format.Share(head.Unserved), format.Whole(head.ReplicaHours))
	r.matchAll(head.Frontier)
	if today, ok := r.today(); ok {
		r.Today, r.Baseline = today.Policy, &today
		r.Gain = gain.Of(head.Cost, today.Cost, head.Weeks, r.weeksOf(today))
		r.Doubts = r.doubts(*today.Figures)
		decision := verdict.Decide(r.facts(*head.Figures, today))
		r.Decision = &decision
		r.Verdict = decision.Advice.String() + ": " + decision.Reasons[0] + "."
		r.Headline = r.headline(today)
		r.Changes = r.changes(*head.Figures, *today.Figures)
	} else {
		r.Verdict += " There is no advice: " + r.nothingToCompare() + "."
	}
	r.Objective = r.objective()
	r.Proposal = propose.Manifests(r.proposed(*head.Figures))
}

// proposed returns what the manifests are made of. What the replay does not know comes from the
// Forecast that exists, or is for the user to check.
func (r *Report) proposed(head Figures) propose.Input {
	o := r.options
	in := propose.Input{
		Service: o.Service, Existing: o.Existing, Query: o.Query, Step: r.trace.step, History: r.historySpan(),
		Lead: o.Lead, Capacity: o.Capacity, Contract: o.Contract, AtMost: o.AtMost, Horizon: o.Horizon,
		Location:    o.location(),
		MinReplicas: o.MinReplicas, MaxReplicas: o.MaxReplicas, UsedReplicas: head.PeakReplicas,
		OfToday:       r.settingOfToday(),
		Stabilization: o.Stabilization, Door: o.Door, Kubernetes: o.Kubernetes,
	}
	if l := o.Learn; l != nil {
		q := l.Objective
		in.Learn = &propose.Objective{Query: q.Query, Replicas: q.ReplicasQuery, AtMost: q.AtMost, Attain: q.Attain}
	}
	if h := o.HPA; h != nil {
		in.Today = propose.Autoscaler{HPA: h.Name, ScaledObject: h.ScaledObject, ReadsForecast: h.ReadsForecast}
	}
	return in
}

// historySpan returns how much history the Forecast should read: what the replay had, at least four
// weeks, and at most what a fit looks back on.
func (r *Report) historySpan() time.Duration {
	const day = 24 * time.Hour
	const maxSteps = 40320
	span := max(28*day, r.Input.From.Sub(r.Input.Start).Truncate(day))
	return max(day, min(span, (maxSteps*r.trace.step).Truncate(day), 365*day))
}

// weeksOf returns the weekly costs of the policy that Headstart is compared with.
func (r *Report) weeksOf(today Today) []float64 {
	p, _ := r.Result(today.Policy)
	if today.Tuned {
		return p.tunedWeeks
	}
	return p.Weeks
}

// facts collects the figures that decide, rounded as they are shown.
func (r *Report) facts(head Figures, today Today) verdict.Facts {
	rival, others := r.rivals(today)
	f := verdict.Facts{
		Unit: r.Unit(), Own: verdict.Rival{Unserved: format.Shown(head.Unserved), Cost: shownCost(head)},
		Today: rival, Others: others, Promise: r.promise(head), Doubts: r.Doubts,
		Multiple: math.Round(10*ratio(head.ReplicaHours, today.ReplicaHours)) / 10,
	}
	f.Weighed = r.options.Contract.ShortageCost > 0
	f.Unreliable = f.Weighed && r.Gain.Unreliable()
	return f
}

// promise returns what the contract asks for, and what was reached, as both are shown.
func (r *Report) promise(head Figures) verdict.Promise {
	if level := r.options.Contract.ServiceLevel; level > 0 {
		if r.Model == nil || r.windows == 0 {
			return verdict.Promise{}
		}
		return verdict.Promise{Of: "lead windows", Asked: level, Reached: format.Shown(r.Model.WindowsCovered)}
	}
	asked := 1 - 1/r.options.Contract.ShortageCost
	return verdict.Promise{Of: "steps", Asked: asked, Reached: 1 - format.Shown(head.Short)}
}

// Unit names what is paid.
func (r *Report) Unit() string {
	if r.Input.GPUsPerReplica > 0 {
		return "GPU-hours"
	}
	return "replica-hours"
}

// Paid writes replica-hours in the unit of the report.
func (r *Report) Paid(replicaHours float64) string {
	if r.Input.GPUsPerReplica > 0 {
		replicaHours *= r.Input.GPUsPerReplica
	}
	return format.Whole(replicaHours)
}

// headline compares at equal service and at equal cost: with the policy of today, and with the HPA
// as it is.
func (r *Report) headline(today Today) []string {
	out := []string{r.compared(today.Name(), *today.Figures)}
	if hpa, ok := r.Result(PolicyHPA); ok && hpa.Figures != nil && today.Policy != PolicyHPA {
		out = append(out, r.compared(hpa.Label, *hpa.Figures))
	}
	return out
}

// compared compares Headstart with one policy, in two sentences.
func (r *Report) compared(name string, f Figures) string {
	text := fmt.Sprintf("At the service of %s (%s unserved), no setting of Headstart serves as much.",
		name, format.Share(f.Unserved))
	if f.HeadstartHours != nil {
		text = fmt.Sprintf("At the service of %s (%s unserved): %s %s (%s instead of %s, with %s).", name,
			format.Share(f.Unserved), format.Change(*f.HeadstartHours, f.ReplicaHours), r.Unit(),
			r.Paid(*f.HeadstartHours), r.Paid(f.ReplicaHours), r.Setting(*f.HeadstartHours))
	}
	if f.HeadstartUnserved == nil {
		return text + fmt.Sprintf(" No setting of Headstart is as cheap as its %s %s.", r.Paid(f.ReplicaHours), r.Unit())
	}
	return text + fmt.Sprintf(" At its %s: %s unserved instead of %s.",
		r.Unit(), format.Share(*f.HeadstartUnserved), format.Share(f.Unserved))
}

// MoneyName names money with its currency. The price itself may have none.
func (r *Report) MoneyName() string {
	if r.Input.Currency == "" {
		return "money"
	}
	return "money in " + r.Input.Currency
}

// changes returns the rows of the comparison.
func (r *Report) changes(head, today Figures) []Change {
	var rows []Change
	add := func(what string, text func(float64) string, figure func(Figures) float64) {
		rows = append(rows, Change{What: what, Today: text(figure(today)), Headstart: text(figure(head))})
	}
	add("demand served", format.Share, func(f Figures) float64 { return 1 - f.Unserved })
	add("steps with unserved demand", format.Share, func(f Figures) float64 { return f.Short })
	add("mean length of a shortage", format.Seconds, func(f Figures) float64 { return f.MeanShortfallSeconds })
	add("replica-hours", format.Whole, func(f Figures) float64 { return f.ReplicaHours })
	if head.GPUHours > 0 {
		add("GPU-hours", format.Whole, func(f Figures) float64 { return f.GPUHours })
	}
	if head.Money > 0 {
		add(r.MoneyName(), format.Whole, func(f Figures) float64 { return f.Money })
	}
	add("most replicas at a time", format.Whole, func(f Figures) float64 { return f.PeakReplicas })
	add("utilisation", format.Percent, func(f Figures) float64 { return f.Utilisation })
	factor := func(v float64) string { return fmt.Sprintf("%.2f", v) }
	add("weighed cost over the oracle's", factor, func(f Figures) float64 { return f.CostOverOracle })
	return rows
}
