package report

import (
	"time"

	"headstart.dev/headstart/report/frontier"
	"headstart.dev/headstart/report/gain"
	"headstart.dev/headstart/report/learned"
	"headstart.dev/headstart/report/propose"
	"headstart.dev/headstart/report/verdict"
)

// Report is the result of a replay. docs/report.md documents its JSON form. Fields are only ever
// added to it.
type Report struct {
	// Schema names the version of the JSON form.
	Schema string `json:"schema"`
	// Input says what was replayed.
	Input Input `json:"input"`
	// Verdict says what to do and the strongest reason.
	Verdict string `json:"verdict,omitempty"`
	// Decision says the same for programs, with all reasons.
	Decision *verdict.Decision `json:"decision,omitempty"`
	// Headline compares at equal service and at equal cost, with a line for each policy.
	Headline []string `json:"headline,omitempty"`
	// Objective is what each policy pays at Options.Objective. It is nil without one.
	Objective *Objective `json:"objective,omitempty"`
	// Doubts are reasons why Headstart may not help this service.
	Doubts []string `json:"doubts,omitempty"`
	// Today is the policy that Headstart is compared with.
	Today string `json:"today,omitempty"`
	// Baseline is that policy with its headroom and its figures.
	Baseline *Today `json:"baseline,omitempty"`
	// Changes compares the main figures of that policy and of Headstart.
	Changes []Change `json:"changes,omitempty"`
	// Capacity is what was learned about a replica, and what it is worth. It is nil where the capacity
	// is not learned.
	Capacity *learned.Summary `json:"capacity,omitempty"`
	// Spend is what the plans asked for, over a reactive policy. It is nil without Options.AtMost.
	Spend *Spend `json:"spend,omitempty"`
	// Gain is what Headstart saves, as a whole and by week.
	Gain *gain.Gain `json:"gain,omitempty"`
	// Policies are the results, in the order of Options.Policies.
	Policies []Result `json:"policies"`
	// Model describes the forecast at the end of the replay.
	Model *Model `json:"model,omitempty"`
	// Sweep has the figures for other leads.
	Sweep []SweepPoint `json:"sweep,omitempty"`
	// Proposal is the manifests to apply.
	Proposal *propose.Proposal `json:"proposal,omitempty"`
	// Brief reports whether only the figures and the advice were kept: see KeepFigures. It is not in
	// the JSON form, in which nothing is left out.
	Brief bool `json:"-"`
	// Notes are sentences about the limits of this report.
	Notes []string `json:"notes,omitempty"`

	// Steps is the replay step by step. It is not in the JSON form.
	Steps Steps `json:"-"`

	options Options
	trace   *trace
	replay  *Replay
	windows float64 // number of lead windows that Model is about
}

// Schema is the version of the JSON form.
const Schema = "headstart.dev/report/v1alpha1"

// Input says what was replayed.
type Input struct {
	// Series is the name of the series.
	Series string `json:"series,omitempty"`
	// Start is the start of the history, From the start of the replay, and End the end of both.
	Start time.Time `json:"start"`
	From  time.Time `json:"from"`
	End   time.Time `json:"end"`
	// StepSeconds is the length of a step.
	StepSeconds float64 `json:"stepSeconds"`
	// Steps is the number of steps of the series, Scored the number of replayed steps, and Gaps the
	// number of replayed steps without a value.
	Steps  int `json:"steps"`
	Scored int `json:"scored"`
	Gaps   int `json:"gaps"`
	// LeadSeconds is the lead, and LeadSteps the lead in steps, rounded up.
	LeadSeconds float64 `json:"leadSeconds"`
	LeadSteps   int     `json:"leadSteps"`
	// Capacity is the demand that one replica serves.
	Capacity float64 `json:"capacity"`
	// ServiceLevel is 0 if the contract is a shortage cost. ShortageCost weighs unserved demand in
	// the figures of either contract.
	ServiceLevel float64 `json:"serviceLevel,omitempty"`
	ShortageCost float64 `json:"shortageCost"`
	// MinReplicas and MaxReplicas are those of the HPA. A MaxReplicas of 0 is no limit.
	MinReplicas int `json:"minReplicas"`
	MaxReplicas int `json:"maxReplicas,omitempty"`
	// Peaks are the names of the PeakSchedules.
	Peaks []string `json:"peaks,omitempty"`
	// GPUsPerReplica and Price are those of the options, and Currency is what Price is in. A price
	// is that of a GPU-hour, or of a replica-hour without GPUs.
	GPUsPerReplica float64 `json:"gpusPerReplica,omitempty"`
	Price          float64 `json:"price,omitempty"`
	Currency       string  `json:"currency,omitempty"`
}

// Result is the result of one policy.
type Result struct {
	// Policy is the name, and Label describes the policy in a phrase.
	Policy string `json:"policy"`
	Label  string `json:"label"`
	// NotRun says why the policy was not run. Then it has no figures.
	NotRun string `json:"notRun,omitempty"`
	*Figures
	// Weeks are the costs of each whole replayed week, relative to the oracle's. There are none for
	// fewer than two weeks.
	Weeks []float64 `json:"weeks,omitempty"`
	// WeeksHalfWidth is half the width of the 95 % confidence interval of their mean. It is 0 for
	// fewer than three weeks.
	WeeksHalfWidth float64 `json:"weeksHalfWidth,omitempty"`
	// Headroom is the factor on the policy's demand that had the lowest cost on the last third of
	// the history, and Tuned the figures with it. See Options.Headroom.
	Headroom float64  `json:"headroom,omitempty"`
	Tuned    *Figures `json:"tuned,omitempty"`
	// Frontier is what the settings of the policy's knob lead to.
	Frontier frontier.Line `json:"frontier,omitempty"`

	// Paid and Ready are the replicas that are paid, and the replicas that serve, at each replayed
	// step. They are not in the JSON form.
	Paid  []float64 `json:"-"`
	Ready []float64 `json:"-"`
	// TunedReady is Ready of Tuned.
	TunedReady []float64 `json:"-"`

	desired []float64
	// past are the figures of the best headroom on the end of the history, and tunedWeeks its Weeks.
	past       *Figures
	tunedWeeks []float64
}

func inputOf(o Options, t *trace, scored span) Input {
	in := Input{
		Series: o.Name, Start: t.start, From: o.at(t.from), End: o.at(len(t.raw)),
		StepSeconds: t.step.Seconds(), Steps: len(t.raw), Scored: len(scored.demand),
		LeadSeconds: o.Lead.Seconds(), LeadSteps: t.lead, Capacity: t.capacity,
		ServiceLevel: o.Contract.ServiceLevel, ShortageCost: t.shortageCost,
		MinReplicas: t.minReplicas, MaxReplicas: t.maxReplicas,
		GPUsPerReplica: o.GPUs, Price: o.Price, Currency: o.Currency,
	}
	for _, known := range scored.known {
		if !known {
			in.Gaps++
		}
	}
	for _, p := range o.Peaks {
		in.Peaks = append(in.Peaks, p.Name())
	}
	return in
}

// DesiredReplicas returns Headstart's decisions: the desired replicas at each step from
// Options.From on, before any scale-down stabilisation. It returns false if the policy headstart
// was not run.
func (r *Report) DesiredReplicas() ([]int, bool) {
	if r.replay == nil {
		return nil, false
	}
	out := make([]int, len(r.replay.Desired))
	for i, n := range r.replay.Desired {
		out[i] = int(n)
	}
	return out, true
}

// Result returns the result of a policy, and false if the report has none.
func (r *Report) Result(policy string) (Result, bool) {
	for _, p := range r.Policies {
		if p.Policy == policy {
			return p, true
		}
	}
	return Result{}, false
}
