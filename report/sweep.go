package report

import (
	"cmp"
	"slices"
)

// SweepPoint is the figures for one lead.
type SweepPoint struct {
	// LeadSeconds is the lead, and LeadSteps the lead in steps, rounded up.
	LeadSeconds float64 `json:"leadSeconds"`
	LeadSteps   int     `json:"leadSteps"`
	// Headstart and Reactive are the figures of these two policies.
	Headstart Figures `json:"headstart"`
	Reactive  Figures `json:"reactive"`
}

// sweep fills in the figures for other leads, with this report's own lead among them.
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
		r.Sweep = append(r.Sweep, SweepPoint{
			LeadSeconds: o.Input.LeadSeconds, LeadSteps: o.Input.LeadSteps,
			Headstart: *head.Figures, Reactive: *reactive.Figures,
		})
	}
	slices.SortStableFunc(r.Sweep, func(a, b SweepPoint) int { return cmp.Compare(a.LeadSteps, b.LeadSteps) })
}
