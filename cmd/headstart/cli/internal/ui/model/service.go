package model

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/planner/terms"
)

// Service is all about one Forecast.
type Service struct {
	Row
	// Contract is the service level or the shortage cost, in words.
	Contract string `json:"contract"`
	Query    string `json:"query,omitempty"`
	Zone     string `json:"zone"`
	// Step is the resolution of demand in seconds; 0 without a query.
	Step float64 `json:"step"`
	// Unit is Demand or Replicas: what the metric is served in.
	Unit string `json:"unit"`

	Plan       *Plan       `json:"plan"`
	LeadTime   *LeadTime   `json:"leadTime"`
	Learned    *Learned    `json:"learned"`
	Model      *Model      `json:"model"`
	Accuracy   *Accuracy   `json:"accuracy"`
	Peaks      []Window    `json:"peaks"`
	Days       []Day       `json:"days"`
	Conditions []Condition `json:"conditions"`
	Warm       []Warm      `json:"warm"`
	// Notes say what is missing on the page, and why.
	Notes []string `json:"notes"`
}

// Plan is the plan step by step.
type Plan struct {
	ComputedAt int64 `json:"computedAt"`
	End        int64 `json:"end"`
	// Times are the starts of the steps. Expected is the median of the demand, which only the
	// nearest steps have.
	Times    []int64    `json:"times"`
	Values   []*float64 `json:"values"`
	Expected []*float64 `json:"expected"`
}

// LeadTime is the lead and the starts that it was learned from. Durations are in seconds.
type LeadTime struct {
	WarmUp      *float64 `json:"warmUp"`
	ControlLoop *float64 `json:"controlLoop"`
	Counted     int32    `json:"counted"`
	Percentile  int32    `json:"percentile"`
	Starts      []Start  `json:"starts"`
}

// Start is one start of a pod. Node and Pull are parts of Total.
type Start struct {
	Created int64  `json:"created"`
	Total   int32  `json:"total"`
	Node    int32  `json:"node"`
	Pull    int32  `json:"pull"`
	Path    string `json:"path,omitempty"`
	Ready   bool   `json:"ready"`
}

// Model describes the forecasting model.
type Model struct {
	FittedAt int64    `json:"fittedAt,omitempty"`
	Points   int32    `json:"points"`
	Periods  []string `json:"periods"`
	Coverage *float64 `json:"coverage"`
	Weights  []Weight `json:"weights"`
	Warnings []string `json:"warnings"`
}

// Weight is the share of one model.
type Weight struct {
	Name  string   `json:"name"`
	Share *float64 `json:"share"`
}

// Accuracy says how good the plans were.
type Accuracy struct {
	Asked    string   `json:"asked"`
	LastDay  *Figures `json:"lastDay"`
	LastWeek *Figures `json:"lastWeek"`
}

// Figures are the accuracy over some time.
type Figures struct {
	Windows  int32  `json:"windows"`
	Coverage string `json:"coverage"`
	Skill    string `json:"skill"`
	Bias     string `json:"bias"`
}

// Condition is a condition and what it means.
type Condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Since   int64  `json:"since"`
	// Wrong reports whether the status is the opposite of Good.
	Wrong bool   `json:"wrong"`
	Good  string `json:"good,omitempty"`
	// Says is what the condition says, Meaning what the reason means, and Remedy what to do.
	Says    string `json:"says,omitempty"`
	Meaning string `json:"meaning,omitempty"`
	Remedy  string `json:"remedy,omitempty"`
}

// Warm is what a WarmPool holds for the Forecast.
type Warm struct {
	Pool string `json:"pool"`
	Mode string `json:"mode"`
	v1alpha1.WarmForecast
	Conditions []Condition `json:"conditions"`
}

// Service returns all about the Forecast of this name, and false if there is none.
func (b *Builder) Service(o Objects, id string, now time.Time) (Service, bool) {
	i := slices.IndexFunc(o.Forecasts, func(fc v1alpha1.Forecast) bool { return fc.Namespace+"/"+fc.Name == id })
	if i < 0 {
		return Service{}, false
	}
	fc := &o.Forecasts[i]
	beside := byNamespace(o)[fc.Namespace]
	timeline, _ := decodePlan(fc) // Row.Attention says why it cannot be read
	s := Service{
		Row: b.row(fc, beside, o.Targets, now), Contract: contractOf(fc.Spec.ProvisionFor),
		Zone: cmp.Or(string(fc.Spec.Seasonality.TimeZone), "UTC"), Unit: cmp.Or(string(fc.Spec.Serve.Unit), "Demand"),
		Plan: planOf(timeline), Model: modelOf(fc.Status.Model), Accuracy: accuracyOf(fc.Status.Accuracy),
		LeadTime: leadOf(fc), Learned: learnedOf(fc.Status.Capacity),
		Conditions: b.explained("Forecast", fc.Status.Conditions), Warm: some(b.warm(fc, beside.pools)),
		Notes: some(missing(o.Access, fc.Namespace)),
	}
	if d := terms.InUse(fc).Demand; d != nil {
		s.Query = d.PromQL()
		if step := seconds(d.Resolution); step != nil {
			s.Step = *step
		}
	}
	s.Peaks, s.Days = b.peaksOf(o, fc, now)
	s.Peaks, s.Days = some(s.Peaks), some(s.Days)
	return s, true
}

func contractOf(p v1alpha1.ProvisionFor) string {
	switch {
	case p.ShortageCost != nil:
		return "shortage cost " + string(*p.ShortageCost)
	case p.ServiceLevel != nil && p.AtMost != nil:
		return "service level " + string(*p.ServiceLevel) + " for at most " + string(*p.AtMost)
	case p.ServiceLevel != nil:
		return "service level " + string(*p.ServiceLevel)
	}
	return "service level 0.99"
}

func planOf(p *plan.Plan) *Plan {
	if p == nil {
		return nil
	}
	out := &Plan{ComputedAt: p.ComputedAt.Unix(), End: p.End().Unix()}
	at := p.Start
	for _, segment := range p.Segments {
		for i, v := range segment.Values {
			expected := math.NaN()
			if i < len(segment.Expected) {
				expected = segment.Expected[i]
			}
			out.Times = append(out.Times, at.Unix())
			out.Values, out.Expected = append(out.Values, finite(v)), append(out.Expected, finite(expected))
			at = at.Add(segment.Step)
		}
	}
	return out
}

func leadOf(fc *v1alpha1.Forecast) *LeadTime {
	l := fc.Status.LeadTime
	if l == nil {
		return nil
	}
	out := &LeadTime{
		WarmUp: seconds(l.WarmUp), ControlLoop: seconds(l.ControlLoopDelay), Counted: l.Starts,
		Percentile: fc.Spec.LeadTime.Percentile, Starts: make([]Start, len(l.RecentStarts)),
	}
	for i, s := range l.RecentStarts {
		out.Starts[i] = Start{
			Created: s.Created.Unix(), Total: s.WarmUpSeconds, Node: s.NodeSeconds, Pull: s.PullSeconds,
			Path: s.Path, Ready: s.Outcome == "Ready",
		}
	}
	return out
}

func modelOf(m *v1alpha1.ModelStatus) *Model {
	if m == nil {
		return nil
	}
	out := &Model{FittedAt: unix(m.FittedAt), Points: m.Points, Coverage: decimal(m.Coverage), Warnings: some(m.Warnings)}
	for _, p := range m.Periods {
		out.Periods = append(out.Periods, string(p))
	}
	for _, w := range m.Weights {
		out.Weights = append(out.Weights, Weight{w.Name, decimal(string(w.Weight))})
	}
	out.Periods, out.Weights = some(out.Periods), some(out.Weights)
	return out
}

func accuracyOf(a *v1alpha1.AccuracyStatus) *Accuracy {
	if a == nil {
		return nil
	}
	figures := func(f *v1alpha1.AccuracyFigures) *Figures {
		if f == nil || f.Windows == 0 {
			return nil
		}
		return &Figures{f.Windows, f.Coverage, f.Skill, f.Bias}
	}
	return &Accuracy{Asked: string(a.Asked), LastDay: figures(a.LastDay), LastWeek: figures(a.LastWeek)}
}

// explained returns conditions with what the documentation says, those that are wrong first.
func (b *Builder) explained(kind string, all []metav1.Condition) []Condition {
	out := make([]Condition, len(all))
	for i, c := range all {
		out[i] = Condition{
			Type: c.Type, Status: string(c.Status), Reason: c.Reason, Message: c.Message, Since: c.LastTransitionTime.Unix(),
			Good: b.good(kind, c.Type), Wrong: kind == "Forecast" && b.wrong(c),
		}
		for _, known := range b.conditions.Conditions {
			if known.Kind == kind && known.Name == c.Type {
				out[i].Says = known.Says
			}
		}
		for _, r := range b.conditions.Reasons {
			if r.Kind == kind && slices.Contains(r.Names, c.Reason) && (r.Condition == c.Type || out[i].Meaning == "") {
				out[i].Meaning, out[i].Remedy = r.Meaning, r.Remedy
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Condition) int {
		return cmp.Or(cmp.Compare(rank(b.Wrong), rank(a.Wrong)), strings.Compare(a.Type, b.Type))
	})
	return out
}

func rank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// warm returns what WarmPools hold for a Forecast.
func (b *Builder) warm(fc *v1alpha1.Forecast, pools []v1alpha1.WarmPool) []Warm {
	var out []Warm
	for i := range pools {
		p := &pools[i]
		for _, f := range p.Status.Forecasts {
			if f.Name == fc.Name {
				mode := cmp.Or(string(p.Spec.Mode), string(v1alpha1.WarmPoolActive))
				out = append(out, Warm{p.Name, mode, f, b.explained("WarmPool", p.Status.Conditions)})
			}
		}
	}
	slices.SortFunc(out, func(a, b Warm) int { return strings.Compare(a.Pool, b.Pool) })
	return out
}

// missing says which kinds the user does not see in a namespace.
func missing(access []Access, namespace string) []string {
	var out []string
	for _, a := range access {
		if (a.State == Denied || a.State == Failed) && (a.Namespace == "" || a.Namespace == namespace) {
			if !seen(access, a.Kind, namespace) {
				out = append(out, a.Kind+": "+a.Message)
			}
		}
	}
	return out
}

// seen reports whether a kind is seen in a namespace.
func seen(access []Access, kind, namespace string) bool {
	return slices.ContainsFunc(access, func(a Access) bool {
		return a.Kind == kind && a.State == Live && (a.Namespace == "" || a.Namespace == namespace)
	})
}
