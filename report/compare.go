package report

import (
	"fmt"
	"math"
	"strings"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/report/frontier"
	"headstart.dev/headstart/report/internal/format"
	"headstart.dev/headstart/report/verdict"
)

// Today is the policy that Headstart is compared with: what a careful team would run.
type Today struct {
	// Policy is its name, and Headroom the factor on its demand.
	Policy   string  `json:"policy"`
	Headroom float64 `json:"headroom"`
	// Tuned reports whether policy and headroom were picked on the history. If not, Why says why.
	Tuned bool   `json:"tuned"`
	Why   string `json:"why,omitempty"`
	*Figures
}

// Name names the policy with its headroom, as the table does.
func (t Today) Name() string { return RowName(t.Policy, t.Headroom, t.Tuned) }

// RowName names a row of the table.
func RowName(policy string, headroom float64, tuned bool) string {
	if !tuned {
		return policy
	}
	return fmt.Sprintf("%s × %.2f", policy, headroom)
}

// More returns by how many percent Headstart needs more replica-hours to leave as little demand
// unserved. It is below 0 if Headstart needs fewer. It returns false if no setting does.
func (f Figures) More() (int, bool) {
	if f.HeadstartHours == nil {
		return 0, false
	}
	return format.More(*f.HeadstartHours, f.ReplicaHours), true
}

// match adds what Headstart's frontier has at the service and at the cost of a policy.
func (f *Figures) match(line frontier.Line) {
	f.HeadstartHours, f.HeadstartUnserved = nil, nil
	if hours, ok := line.HoursAt(f.Unserved); ok {
		f.HeadstartHours = &hours
	}
	if unserved, ok := line.UnservedAt(f.ReplicaHours); ok {
		f.HeadstartUnserved = &unserved
	}
}

// matchAll adds the comparison with Headstart to every row of the table.
func (r *Report) matchAll(line frontier.Line) {
	for i := range r.Policies {
		p := &r.Policies[i]
		if !IsRival(p.Policy) || p.Figures == nil {
			continue
		}
		p.match(line)
		if p.Tuned != nil {
			p.Tuned.match(line)
		}
	}
}

// IsRival reports whether a policy is one of today's.
func IsRival(policy string) bool {
	switch policy {
	case PolicyHeadstart, PolicyHeadstartNoPeaks, PolicyOracle:
		return false
	}
	return true
}

// better reports whether a careful team prefers the figures a. Under a shortage cost these are the
// ones with the lower weighed cost. Under a service level they are the cheapest that serve enough
// steps in full.
func better(c forecaster.Contract, a, b Figures) bool {
	if c.ShortageCost > 0 {
		return a.Cost < b.Cost
	}
	enough := func(f Figures) bool { return f.Short <= 1-c.ServiceLevel }
	switch {
	case enough(a) != enough(b):
		return enough(a)
	case enough(a) || a.Short == b.Short:
		return a.ReplicaHours < b.ReplicaHours
	}
	return a.Short < b.Short
}

// today returns the policy that Headstart is compared with, and false if none was run. It is the
// policy of today that did best on the history, with the headroom that did best there.
func (r *Report) today() (Today, bool) {
	var best *Result
	for i, p := range r.Policies {
		if p.Tuned != nil && (best == nil || better(r.options.Contract, *p.past, *best.past)) {
			best = &r.Policies[i]
		}
	}
	if best != nil {
		return Today{Policy: best.Policy, Headroom: best.Headroom, Tuned: true, Figures: best.Tuned}, true
	}
	names := []string{PolicyHPA, PolicyReactive, PolicyReactiveExact, PolicyStatic}
	for _, p := range r.Policies {
		names = append(names, p.Policy)
	}
	for _, name := range names {
		if p, ok := r.Result(name); ok && p.Figures != nil && IsRival(name) {
			return Today{Policy: name, Headroom: 1, Why: r.untuned(name), Figures: p.Figures}, true
		}
	}
	return Today{}, false
}

// nothingToCompare says why there is no policy of today.
func (r *Report) nothingToCompare() string {
	var needs []string
	for _, p := range r.Policies {
		if p.NotRun != "" {
			needs = append(needs, p.Policy+" "+p.NotRun)
		}
	}
	why := "no policy of today was run to compare with: name one in --policies"
	if len(needs) > 0 {
		why = "no policy of today could be run to compare with: " + strings.Join(needs, ", ")
	}
	return why
}

// untuned says why no policy was tuned on the history.
func (r *Report) untuned(policy string) string {
	why := "the history is too short to tune a policy of today on"
	switch {
	case !r.options.Headroom:
		return "no policy was tuned: headroom is off"
	case r.trace != nil && r.trace.gappy():
		why = "the history has too few values to tune a policy of today on"
	}
	if policy == PolicyHPA {
		why += ": " + r.policyLabel(policy) + " stands for it"
	}
	return why
}

func (r *Report) policyLabel(policy string) string {
	p, _ := r.Result(policy)
	return p.Label
}

// shownCost returns the weighed cost as the table shows it.
func shownCost(f Figures) float64 { return math.Round(1000*f.CostOverOracle) / 1000 }

// rivals returns the rows of the table but for today's policy, which it returns first.
func (r *Report) rivals(today Today) (verdict.Rival, []verdict.Rival) {
	row := func(name string, f Figures) verdict.Rival {
		more, ok := f.More()
		return verdict.Rival{Name: name, More: more, Beyond: !ok, Unserved: format.Shown(f.Unserved), Cost: shownCost(f)}
	}
	var others []verdict.Rival
	for _, p := range r.Policies {
		if !IsRival(p.Policy) || p.Figures == nil {
			continue
		}
		if p.Figures != today.Figures {
			others = append(others, row(p.Policy, *p.Figures))
		}
		if p.Tuned != nil && p.Tuned != today.Figures {
			others = append(others, row(RowName(p.Policy, p.Headroom, true), *p.Tuned))
		}
	}
	return row(today.Name(), *today.Figures), others
}
