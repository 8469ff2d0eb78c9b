package report

import (
	"fmt"
	"time"
)

// Report is what a replay came to. Its JSON form is documented in docs/report.md and only ever grows.
type Report struct {
	// Schema names the form of the JSON.
	Schema string `json:"schema"`
	// Input says what was replayed.
	Input Input `json:"input"`
	// Verdict says in two sentences what switching Headstart on would change.
	Verdict string `json:"verdict,omitempty"`
	// Doubts say why forecasting may not help this service.
	Doubts []string `json:"doubts,omitempty"`
	// Today is the policy that Headstart is compared with, and Changes what would change.
	Today   string   `json:"today,omitempty"`
	Changes []Change `json:"changes,omitempty"`
	// Gain says by how much, and how reliably from week to week.
	Gain *Gain `json:"gain,omitempty"`
	// Policies side by side, in the order that was asked for.
	Policies []Result `json:"policies"`
	// Model says what the forecast rested on at the end.
	Model *Model `json:"model,omitempty"`
	// Sweep says what Headstart and the reactive HPA come to at other leads.
	Sweep []SweepPoint `json:"sweep,omitempty"`
	// Proposal is what to apply.
	Proposal *Proposal `json:"proposal,omitempty"`
	// Notes are sentences about what limits this report.
	Notes []string `json:"notes,omitempty"`

	// Advice is the part of the verdict that says what to do. Steps is the replay step by step. Neither is in the JSON.
	Advice string `json:"-"`
	Steps  Steps  `json:"-"`

	options Options
	trace   *trace
	replay  *Replay
}

// Schema of the JSON form.
const Schema = "headstart.dev/report/v1alpha1"

// Input says what was replayed.
type Input struct {
	Series       string    `json:"series,omitempty"`
	Start        time.Time `json:"start"`
	From         time.Time `json:"from"`
	End          time.Time `json:"end"`
	StepSeconds  float64   `json:"stepSeconds"`
	Steps        int       `json:"steps"`
	Scored       int       `json:"scored"`
	Gaps         int       `json:"gaps"`
	LeadSeconds  float64   `json:"leadSeconds"`
	LeadSteps    int       `json:"leadSteps"`
	Capacity     float64   `json:"capacity"`
	ServiceLevel float64   `json:"serviceLevel,omitempty"`
	ShortageCost float64   `json:"shortageCost"`
	MinReplicas  int       `json:"minReplicas"`
	MaxReplicas  int       `json:"maxReplicas,omitempty"`
	Peaks        []string  `json:"peaks,omitempty"`
}

// Result is one policy's.
type Result struct {
	Policy string `json:"policy"`
	Label  string `json:"label"`
	// NotRun says why a policy could not be run; its figures are then missing.
	NotRun string `json:"notRun,omitempty"`
	*Figures
	// Weeks are the costs over the oracle of each scored week, where there are two or more: how much the figure varies.
	Weeks []float64 `json:"weeks,omitempty"`
	// WeeksHalfWidth is half the 95 % interval of their mean, where there are three or more.
	WeeksHalfWidth float64 `json:"weeksHalfWidth,omitempty"`
	// Headroom is the factor on the policy's demand that did best on the last third of its history, and Tuned what it comes to.
	Headroom float64  `json:"headroom,omitempty"`
	Tuned    *Figures `json:"tuned,omitempty"`

	// Paid and Ready are the replicas that are paid, and those that serve, at each replayed step. They are not in the JSON.
	Paid  []float64 `json:"-"`
	Ready []float64 `json:"-"`

	wish []float64
}

func inputOf(o Options, t *trace, scored span) Input {
	in := Input{
		Series: o.Name, Start: t.start, From: o.at(t.from), End: o.at(len(t.raw)), StepSeconds: t.step.Seconds(), Steps: len(t.raw),
		Scored: len(scored.demand), LeadSeconds: o.Lead.Seconds(), LeadSteps: t.lead, Capacity: t.capacity,
		ServiceLevel: o.Contract.ServiceLevel, ShortageCost: t.penalty, MinReplicas: t.least, MaxReplicas: t.most,
	}
	for _, k := range scored.known {
		if !k {
			in.Gaps++
		}
	}
	for _, p := range o.Peaks {
		in.Peaks = append(in.Peaks, p.Name())
	}
	return in
}

// Wishes are Headstart's decisions: the replicas wished for at each step from Options.From on, before any scale-down
// stabilisation. It reports false where the policy headstart was not run.
func (r *Report) Wishes() ([]int, bool) {
	if r.replay == nil {
		return nil, false
	}
	out := make([]int, len(r.replay.Wish))
	for i, w := range r.replay.Wish {
		out[i] = int(w)
	}
	return out, true
}

// Result of one policy; false where it is not in the report.
func (r *Report) Result(name string) (Result, bool) {
	for _, p := range r.Policies {
		if p.Policy == name {
			return p, true
		}
	}
	return Result{}, false
}

// String names a policy's result in a sentence.
func (r Result) String() string {
	if r.Figures == nil {
		return fmt.Sprintf("%s: not run (%s)", r.Policy, r.NotRun)
	}
	return fmt.Sprintf("%s: %.3f × the oracle's cost", r.Policy, r.CostOverOracle)
}
