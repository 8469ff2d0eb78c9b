package controller

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner"
)

// maxMessage keeps a condition's message readable, and far below the API's limit.
const maxMessage = 900

// reasonLastPlan is the reason of the condition Serving while the last plan is served.
const reasonLastPlan = "LastPlan"

// reasonNotAsked is the reason of conditions that are about demand, where none is asked for.
const reasonNotAsked = "NotAsked"

// verdicts collects the conditions of one reconciliation.
type verdicts struct {
	generation int64
	now        metav1.Time
	list       []metav1.Condition
}

func (v *verdicts) set(kind string, status metav1.ConditionStatus, reason, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage-3], "") + "..."
	}
	meta.SetStatusCondition(&v.list, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message,
		ObservedGeneration: v.generation, LastTransitionTime: v.now,
	})
}

func (v *verdicts) ok(kind, reason, format string, args ...any) {
	v.set(kind, metav1.ConditionTrue, reason, format, args...)
}

func (v *verdicts) fail(kind, reason, format string, args ...any) {
	v.set(kind, metav1.ConditionFalse, reason, format, args...)
}

func (v *verdicts) unknown(kind, reason, format string, args ...any) {
	v.set(kind, metav1.ConditionUnknown, reason, format, args...)
}

func (v *verdicts) get(kind string) *metav1.Condition {
	return meta.FindStatusCondition(v.list, kind)
}

// ready sums the other conditions up. A Forecast is Ready when what its mode asks for is served; a missing HPA, or a lead
// that is not learned yet, does not make it unready.
func (v *verdicts) ready(mode v1alpha1.ForecastMode, last planner.Basis) {
	if reason, message := v.obstacle(mode, last); reason != "" {
		v.fail(v1alpha1.ConditionReady, reason, "%s", message)
		return
	}
	skilled := v.get(v1alpha1.ConditionSkilled)
	switch {
	case mode == v1alpha1.ForecastPaused:
		v.ok(v1alpha1.ConditionReady, "Paused", "nothing is planned; observed demand is served")
	case mode == v1alpha1.ForecastDryRun:
		v.ok(v1alpha1.ConditionReady, "DryRun", "the plan is made and not served; observed demand is served")
	case v.servesLast() && last == planner.BasisForecast:
		v.ok(v1alpha1.ConditionReady, "ServingPlan", "%s, never below observed demand; no new one can be made: %s", v.get(v1alpha1.ConditionServing).Message, v.whyLast())
	case v.servesLast():
		v.ok(v1alpha1.ConditionReady, "ServingObserved", "observed demand and the peaks of the last plan are served; no new one can be made: %s", v.whyLast())
	case skilled != nil && skilled.Reason == reasonNotAsked:
		v.ok(v1alpha1.ConditionReady, "ServingPlan", "the peaks are served")
	case skilled != nil && skilled.Status != metav1.ConditionTrue:
		v.ok(v1alpha1.ConditionReady, "ServingObserved", "observed demand and peaks are served: %s", skilled.Message)
	default:
		v.ok(v1alpha1.ConditionReady, "ServingPlan", "the plan is served, never below observed demand")
	}
}

// servesLast says whether the last plan is served, since no new one can be made: after a restart until history is read, say.
func (v *verdicts) servesLast() bool {
	serving := v.get(v1alpha1.ConditionServing)
	return serving != nil && serving.Reason == reasonLastPlan
}

// whyLast says what keeps a new plan from being made.
func (v *verdicts) whyLast() string {
	for _, kind := range []string{v1alpha1.ConditionHistoryReady, v1alpha1.ConditionPeaksValid} {
		if c := v.get(kind); c != nil && c.Status != metav1.ConditionTrue {
			return c.Message
		}
	}
	return "see the condition HistoryReady"
}

// obstacle returns what keeps a Forecast from being Ready; empty where nothing does.
func (v *verdicts) obstacle(mode v1alpha1.ForecastMode, last planner.Basis) (reason, message string) {
	for _, kind := range []string{v1alpha1.ConditionHistoryReady, v1alpha1.ConditionPeaksValid, v1alpha1.ConditionServing} {
		c := v.get(kind)
		if c == nil || c.Status == metav1.ConditionTrue {
			continue
		}
		if mode == v1alpha1.ForecastPaused && c.Status == metav1.ConditionUnknown {
			continue // nothing is planned, as was asked
		}
		if kind == v1alpha1.ConditionHistoryReady && last != planner.BasisNone {
			continue
		}
		return c.Reason, c.Message
	}
	if c := v.get(v1alpha1.ConditionLeadTimeLearned); c != nil && c.Reason == reasonTargetNotFound {
		return c.Reason, c.Message
	}
	if c := v.get(v1alpha1.ConditionObserved); c != nil && c.Status == metav1.ConditionFalse && v.servesObserved(mode, last) {
		return c.Reason, "observed demand is all there is to serve, and it is not known: " + c.Message
	}
	return "", ""
}

// servesObserved says whether observed demand is what is served, rather than what holds a plan up.
func (v *verdicts) servesObserved(mode v1alpha1.ForecastMode, last planner.Basis) bool {
	if mode == v1alpha1.ForecastPaused || mode == v1alpha1.ForecastDryRun {
		return true
	}
	if v.servesLast() {
		return last == planner.BasisPeaks
	}
	skilled := v.get(v1alpha1.ConditionSkilled)
	return skilled != nil && skilled.Status == metav1.ConditionFalse
}

// isTrue says whether the condition of a type is True.
func isTrue(conditions []metav1.Condition, kind string) bool {
	return meta.IsStatusConditionTrue(conditions, kind)
}

// isTrouble says whether a condition calls for somebody: all say what is well when they are True, but Drifting and StartsFailing.
func isTrouble(c metav1.Condition) bool {
	if c.Type == v1alpha1.ConditionDrifting || c.Type == v1alpha1.ConditionStartsFailing {
		return c.Status == metav1.ConditionTrue
	}
	return c.Status == metav1.ConditionFalse
}

// merge writes the collected conditions into old ones, and names those whose status or reason changed.
func (v *verdicts) merge(into *[]metav1.Condition) (changed []metav1.Condition) {
	for _, c := range v.list {
		was := meta.FindStatusCondition(*into, c.Type)
		if was == nil || was.Status != c.Status || was.Reason != c.Reason {
			changed = append(changed, c)
		}
		meta.SetStatusCondition(into, c)
	}
	for i := range slices.Backward(*into) {
		if kind := (*into)[i].Type; v.get(kind) == nil {
			meta.RemoveStatusCondition(into, kind)
		}
	}
	return changed
}
