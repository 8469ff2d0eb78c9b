package whatif

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/spec"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/publish"
	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/render"
)

// Question is another setting of a Forecast. What is zero stays as it is.
type Question struct {
	ServiceLevel, ShortageCost v1alpha1.Decimal
	Lead                       time.Duration
	// NoPeaks leaves out the declared peaks.
	NoPeaks bool
	// Days are how many days to replay: 1 to 28.
	Days int
}

// Answer is what the setting would have led to, and the plan that it would give now.
type Answer struct {
	// From and To are the ends of the replay, in seconds since 1970.
	From int64 `json:"from"`
	To   int64 `json:"to"`
	// Now is the setting of the Forecast, and Asked the one of the question.
	Now   Outcome `json:"now"`
	Asked Outcome `json:"asked"`
	// Today is what a careful team would run without Headstart.
	Today *Outcome `json:"today"`
	// Wide and Narrow are the picture of the frontiers, as SVG, in two sizes.
	Wide     string   `json:"wide"`
	Narrow   string   `json:"narrow"`
	Policies []string `json:"policies"`
	Headline []string `json:"headline"`
	// Manifest is the Forecast with the setting, to be applied by the user.
	Manifest string   `json:"manifest"`
	Notes    []string `json:"notes"`
}

// Outcome is the figures of one setting.
type Outcome struct {
	Setting  string  `json:"setting"`
	Unserved float64 `json:"unserved"`
	Hours    float64 `json:"hours"`
	Peak     float64 `json:"peak"`
	Longest  float64 `json:"longest"` // the longest shortfall in seconds
	Plan     *Plan   `json:"plan"`
}

// Plan is a plan in equal steps.
type Plan struct {
	Start  int64      `json:"start"`
	Step   float64    `json:"step"`
	Values []*float64 `json:"values"`
}

// validate checks what a page may send.
func (q Question) validate() error {
	const day, maxDays, maxLead = 24 * time.Hour, 28, 24 * time.Hour
	switch {
	case q.ServiceLevel != "" && q.ShortageCost != "":
		return errors.New("give a service level or a shortage cost, not both")
	case q.Lead < 0 || q.Lead > maxLead:
		return fmt.Errorf("the lead must be from 0 to %s", v1alpha1.FormatDuration(maxLead))
	case q.Days < 1 || q.Days > maxDays:
		return fmt.Errorf("the replay must have from 1 to %d days", maxDays)
	}
	return nil
}

// contract returns the contract of the question, or the own one.
func (q Question) contract(own forecaster.Contract) (forecaster.Contract, error) {
	if q.ServiceLevel == "" && q.ShortageCost == "" {
		return own, nil
	}
	return planner.ParseContract(q.ServiceLevel, q.ShortageCost, planner.ContractFields{
		Both: "the contract", ServiceLevel: "the service level", ShortageCost: "the shortage cost",
	})
}

// Ask answers a question about a Forecast.
func (s *Study) Ask(
	ctx context.Context, fc *v1alpha1.Forecast, q Question, now time.Time, progress Progress,
) (*Answer, error) {
	if err := q.validate(); err != nil {
		return nil, err
	}
	p, err := s.prepare(ctx, fc, now, progress)
	if err != nil {
		return nil, err
	}
	own, err := p.options(fc, q.Days)
	if err != nil {
		return nil, err
	}
	asked := own
	if asked.Contract, err = q.contract(own.Contract); err != nil {
		return nil, err
	}
	if asked.Contract.ShortageCost > 0 {
		asked.AtMost = 0 // it bounds what a service level costs
	}
	if q.Lead > 0 {
		asked.Lead = q.Lead
	}
	if q.NoPeaks {
		asked.Peaks = nil
	}
	own.Policies, own.Headroom = []string{report.PolicyHeadstart, report.PolicyOracle}, false
	own.Progress = func(done, total int) { progress("replaying the setting of now", done, total) }
	asked.Progress = func(done, total int) { progress("replaying the other setting", done, total) }
	before, err := report.Run(ctx, own)
	if err != nil {
		return nil, err
	}
	after, err := report.Run(ctx, asked)
	if err != nil {
		return nil, err
	}
	return p.answer(fc, before, after, own, asked, now), nil
}

// options returns the options of a replay of the last days, with the setting of the Forecast.
func (p *prepared) options(fc *v1alpha1.Forecast, days int) (report.Options, error) {
	set := p.spec.Settings
	o := report.DefaultOptions()
	o.UseSettings(set)
	o.Name, o.Existing, o.Service, o.Query = fc.Namespace+"/"+fc.Name, fc, fc.Name, set.Query
	o.Lead, o.Capacity = spec.Lead(set, fc), spec.Capacity(set, fc)
	o.Series, o.HPA, o.Peaks, o.Calendars = p.series, p.spec.HPA, p.spec.Peaks.Schedules, p.spec.Calendars()
	o.Policies = []string{report.PolicyHeadstart, report.PolicyHPA, report.PolicyOracle}
	if math.IsInf(o.MaxDemand, 1) {
		o.MaxDemand = 0
	}
	if o.Capacity <= 0 {
		return o, errors.New("the capacity of one replica is not known: set spec.capacityPerReplica, " +
			"or let an HPA read the Forecast")
	}
	// A third of the series is history at least, as in headstart report.
	n := len(p.series.Values)
	o.From = max(1, n/3, n-int(time.Duration(days)*24*time.Hour/p.series.Step))
	return o, nil
}

func (p *prepared) answer(
	fc *v1alpha1.Forecast, before, after *report.Report, own, asked report.Options, now time.Time,
) *Answer {
	out := &Answer{
		From: after.Input.From.Unix(), To: after.Input.End.Unix(),
		Headline: append([]string{}, after.Headline...), Notes: append([]string{}, p.notes...),
		Wide: render.Frontier(after, 760), Narrow: render.Frontier(after, 352), Policies: asked.Policies[:2],
	}
	out.Now, out.Asked = outcome(before), outcome(after)
	out.Now.Setting, out.Asked.Setting = settingName(own), settingName(asked)
	out.Now.Plan, out.Asked.Plan = p.plan(fc, own, now), p.plan(fc, asked, now)
	if t := after.Baseline; t != nil {
		out.Today = &Outcome{
			Setting: t.Name(), Unserved: t.Unserved, Hours: t.ReplicaHours, Peak: t.PeakReplicas,
			Longest: t.LongestShortfallSeconds,
		}
	}
	if after.Proposal != nil {
		out.Manifest = after.Proposal.Forecast
	}
	if asked.Lead != own.Lead {
		out.Notes = append(out.Notes, "The lead is measured on your pods, so the manifest does not change it. "+
			"A WarmPool shortens it.")
	}
	if len(own.Peaks) > 0 && len(asked.Peaks) == 0 {
		out.Notes = append(out.Notes, "To leave out the peaks, set state: Suspended in their PeakSchedules.")
	}
	return out
}

func outcome(r *report.Report) Outcome {
	head, ok := r.Result(report.PolicyHeadstart)
	if !ok || head.Figures == nil {
		return Outcome{}
	}
	return Outcome{
		Unserved: head.Unserved, Hours: head.ReplicaHours, Peak: head.PeakReplicas, Longest: head.LongestShortfallSeconds,
	}
}

// settingName says what differs between settings.
func settingName(o report.Options) string {
	text := fmt.Sprintf("service level %v", o.Contract.ServiceLevel)
	if o.Contract.ShortageCost > 0 {
		text = fmt.Sprintf("shortage cost %v", o.Contract.ShortageCost)
	}
	if o.AtMost > 0 {
		text += fmt.Sprintf(" for at most %v", o.AtMost)
	}
	text += ", lead " + string(v1alpha1.FormatDuration(o.Lead.Round(time.Second)))
	switch n := len(o.Peaks); n {
	case 0:
		return text + ", no peaks"
	case 1:
		return text + ", with the peaks of 1 schedule"
	default:
		return text + fmt.Sprintf(", with the peaks of %d schedules", n)
	}
}

// plan returns the plan that a setting gives now; nil where it gives none.
func (p *prepared) plan(fc *v1alpha1.Forecast, o report.Options, now time.Time) *Plan {
	set := p.spec.Settings
	set.Contract, set.AtMost = o.Contract, o.AtMost
	in := p.input(fc, now, set)
	in.Lead, in.Peaks = o.Lead, planner.Peaks{Schedules: o.Peaks}
	publisher, err := publish.New(publish.DefaultOptions())
	if err != nil {
		return nil
	}
	made, _ := planner.Step(in, planner.State{Publisher: publisher, Spend: planner.RestoreSpend(fc.Status.Spend, now)})
	if made.Plan == nil || len(made.Plan.Segments) == 0 {
		return nil
	}
	first := made.Plan.Segments[0]
	return &Plan{Start: made.Plan.Start.Unix(), Step: first.Step.Seconds(), Values: numbers(first.Values)}
}
