package model

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner/plan"
)

// Level says how much something needs attention.
type Level int

// The levels, the least first.
const (
	Fine Level = iota
	Note       // good to know
	Warn       // something works less well than it could
	Bad        // something does not work
)

// Issue is one thing that is not as it should be.
type Issue struct {
	Level Level `json:"level"`
	// What is the reason of a condition, or a word of the page's own. Condition is empty for the
	// latter.
	What      string `json:"what"`
	Condition string `json:"condition,omitempty"`
	Text      string `json:"text"`
}

// levels are those of conditions that are not as they should be. Others are warnings.
var levels = map[string]Level{
	v1alpha1.ConditionReady:             Bad,
	v1alpha1.ConditionServing:           Bad,
	v1alpha1.ConditionHistoryReady:      Bad,
	v1alpha1.ConditionStartsFailing:     Bad,
	v1alpha1.ConditionWithinMaxReplicas: Bad,
	v1alpha1.ConditionLeadTimeLearned:   Note,
}

const (
	// unseen is how old a Forecast without a status is before that needs attention.
	unseen = 2 * time.Minute
	// stale is how old a plan is before that needs attention. A plan is written every five minutes.
	stale = 30 * time.Minute
)

// attention returns what is not as it should be, the worst first.
func (b *Builder) attention(fc *v1alpha1.Forecast, r Row, p *plan.Plan, unreadable error, now time.Time) []Issue {
	out := b.conditionIssues(fc)
	add := func(level Level, what, format string, args ...any) {
		out = append(out, Issue{Level: level, What: what, Text: fmt.Sprintf(format, args...)})
	}
	age := now.Sub(fc.CreationTimestamp.Time)
	active := fc.Spec.Mode != v1alpha1.ForecastPaused
	switch {
	case len(fc.Status.Conditions) == 0 && age > unseen:
		add(Bad, "NotSeen", "Headstart has not looked at this Forecast: is it installed, and does it run?")
	case len(fc.Status.Conditions) == 0:
		add(Note, "New", "Headstart has not looked at this Forecast yet")
	case fc.Status.ObservedGeneration < fc.Generation:
		add(Note, "Changed", "the status does not describe the newest spec yet")
	}
	switch {
	case unreadable != nil:
		add(Bad, "PlanUnreadable", "%v: are this command and the server of the same version?", unreadable)
	case p == nil:
	case !p.End().After(now):
		add(Bad, "PlanEnded", "the plan ended, and there is no newer one: see onPlanExpiry for what is served")
	case active && now.Sub(p.ComputedAt) > stale:
		add(Warn, "PlanOld", "the plan is older than %d minutes: does Headstart run?", int(stale.Minutes()))
	}
	if r.Wanted != nil && r.Ready != nil && *r.Wanted > *r.Ready {
		add(Note, "Starting", "%d of %d replicas are ready", *r.Ready, *r.Wanted)
	}
	slices.SortStableFunc(out, func(a, b Issue) int { return cmp.Compare(b.Level, a.Level) })
	return out
}

// conditionIssues returns the conditions that are not as they should be. Ready repeats the reason of
// another condition, which then has its level.
func (b *Builder) conditionIssues(fc *v1alpha1.Forecast) []Issue {
	var out []Issue
	ready := meta.FindStatusCondition(fc.Status.Conditions, v1alpha1.ConditionReady)
	repeated := false
	for _, c := range fc.Status.Conditions {
		if c.Type == v1alpha1.ConditionReady || !b.wrong(c) {
			continue
		}
		level, ok := levels[c.Type]
		if !ok {
			level = Warn
		}
		if ready != nil && ready.Status == metav1.ConditionFalse && ready.Reason == c.Reason {
			level, repeated = Bad, true
		}
		out = append(out, Issue{Level: level, What: c.Reason, Condition: c.Type, Text: c.Message})
	}
	if ready != nil && b.wrong(*ready) && !repeated {
		out = append(out, Issue{Level: Bad, What: ready.Reason, Condition: ready.Type, Text: ready.Message})
	}
	return out
}

// wrong reports whether a condition is the opposite of what it should be. Unknown is not.
func (b *Builder) wrong(c metav1.Condition) bool {
	good := b.good("Forecast", c.Type)
	return good != "" && c.Status != metav1.ConditionUnknown && string(c.Status) != good
}

// good returns the status that a condition should have; "" if the documentation does not say.
func (b *Builder) good(kind, condition string) string {
	for _, c := range b.conditions.Conditions {
		if c.Kind == kind && c.Name == condition {
			return c.Good
		}
	}
	return ""
}
