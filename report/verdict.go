package report

import (
	"fmt"

	"headstart.dev/headstart/report/internal/format"
)

// Change is one row of the comparison of today and Headstart.
type Change struct {
	// What is compared, in words.
	What string `json:"what"`
	// Today and Headstart are the two values, with units.
	Today     string `json:"today"`
	Headstart string `json:"headstart"`
}

// conclude compares Headstart with the policy of today, and fills in what follows from that.
func (r *Report) conclude() {
	head, ok := r.Result(PolicyHeadstart)
	if !ok || head.Figures == nil {
		return
	}
	r.Verdict = fmt.Sprintf("Headstart would have left %s of the demand unserved, with %s replica-hours.",
		format.Share(head.Unserved), format.Whole(head.ReplicaHours))
	if today, ok := r.today(); ok {
		r.Today = today.Policy
		r.Gain = gainOf(head, today)
		r.Doubts = r.doubts(*head.Figures, *today.Figures)
		r.Advice = advice(r.Gain, len(r.Doubts) > 0)
		if doubt := r.cheaperPolicy(head); doubt != "" {
			r.Doubts = append(r.Doubts, doubt)
		}
		r.Verdict = verdict(*head.Figures, today, r.Advice)
		r.Changes = changes(*head.Figures, *today.Figures)
	}
	r.Proposal = r.proposal(*head.Figures)
}

// today returns the policy that Headstart is compared with, and false if none was run.
func (r *Report) today() (Result, bool) {
	for _, name := range []string{PolicyReactive, PolicyReactiveExact, PolicyStatic} {
		if p, ok := r.Result(name); ok && p.Figures != nil {
			return p, true
		}
	}
	return Result{}, false
}

func verdict(head Figures, today Result, advice string) string {
	name := "the reactive HPA"
	if today.Policy == PolicyStatic {
		name = "the static number of replicas"
	}
	return fmt.Sprintf("Headstart would have left %s of the demand unserved, and %s %s. "+
		"Headstart would have used %s replica-hours instead of %s (%s). "+
		"With unserved demand counted as a cost, Headstart is %s.",
		format.Share(head.Unserved), name, format.Share(today.Unserved), format.Whole(head.ReplicaHours),
		format.Whole(today.ReplicaHours), format.Change(head.ReplicaHours, today.ReplicaHours), advice)
}

// advice completes the sentence "Headstart is …".
func advice(gain *Gain, doubted bool) string {
	percent := 100 * gain.Share
	switch {
	case gain.Worthwhile() && doubted:
		return fmt.Sprintf("%.0f %% cheaper, but see the doubts below: try it in mode DryRun first", percent)
	case gain.Worthwhile() && gain.Low != nil && *gain.Low <= 0:
		return fmt.Sprintf("%.0f %% cheaper, but not reliably from week to week: try it in mode DryRun first", percent)
	case gain.Worthwhile():
		return fmt.Sprintf("%.0f %% cheaper: switch it on", percent)
	case gain.Share < -worthwhileShare:
		return fmt.Sprintf("%.0f %% more expensive: leave it off for this service", -percent)
	}
	return "about as expensive: there is little to gain"
}

// changes returns the rows of the comparison.
func changes(head, today Figures) []Change {
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
		add("money", format.Whole, func(f Figures) float64 { return f.Money })
	}
	add("most replicas at a time", format.Whole, func(f Figures) float64 { return f.PeakReplicas })
	add("utilisation", format.Percent, func(f Figures) float64 { return f.Utilisation })
	factor := func(v float64) string { return fmt.Sprintf("%.2f", v) }
	add("cost, as a multiple of the oracle's", factor, func(f Figures) float64 { return f.CostOverOracle })
	return rows
}
