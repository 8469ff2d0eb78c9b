package controller

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/internal/conditions"
	"headstart.dev/headstart/planner"
)

// reasonLastPlan is the reason of the condition Serving while the last plan is served.
const reasonLastPlan = "LastPlan"

// reasonNotAsked is the reason of conditions about demand while spec.demand is not set.
const reasonNotAsked = "NotAsked"

// conditionSet collects the conditions of one reconciliation.
type conditionSet struct{ conditions.Set }

// newConditionSet returns an empty set for an object of this generation.
func newConditionSet(generation int64, now time.Time) conditionSet {
	return conditionSet{conditions.Set{Generation: generation, Now: kube.MetaTime(now).Time}}
}

// setReadyCondition sets the condition Ready from the other conditions. A Forecast is Ready when it
// serves what its mode says. A missing HPA, or a lead that is not learned yet, does not make it
// unready. basis is what the published plan is made from.
func (s *conditionSet) setReadyCondition(mode v1alpha1.ForecastMode, basis planner.Basis) {
	if reason, message := s.obstacle(mode, basis); reason != "" {
		s.SetFalse(v1alpha1.ConditionReady, reason, "%s", message)
		return
	}
	skilled := s.Get(v1alpha1.ConditionSkilled)
	switch {
	case mode == v1alpha1.ForecastPaused:
		s.SetTrue(v1alpha1.ConditionReady, "Paused", "nothing is planned; observed demand is served")
	case mode == v1alpha1.ForecastDryRun:
		s.SetTrue(v1alpha1.ConditionReady, "DryRun", "a plan is made but not served; observed demand is served")
	case s.servesLastPlan() && basis == planner.BasisForecast:
		s.SetTrue(v1alpha1.ConditionReady, "ServingPlan",
			"%s, never below observed demand; no new plan can be made: %s",
			s.Get(v1alpha1.ConditionServing).Message, s.whyNoNewPlan())
	case s.servesLastPlan():
		s.SetTrue(v1alpha1.ConditionReady, "ServingObserved",
			"observed demand and the peaks of the last plan are served; no new plan can be made: %s", s.whyNoNewPlan())
	case skilled != nil && skilled.Reason == reasonNotAsked:
		s.SetTrue(v1alpha1.ConditionReady, "ServingPlan", "the plan is served; spec.demand is not set")
	case skilled != nil && skilled.Status != metav1.ConditionTrue:
		s.SetTrue(v1alpha1.ConditionReady, "ServingObserved",
			"observed demand and peaks are served: %s", skilled.Message)
	default:
		s.SetTrue(v1alpha1.ConditionReady, "ServingPlan", "the plan is served, never below observed demand")
	}
}

// servesLastPlan reports whether the last plan is served because no new one can be made: after a
// restart until history is read, for example.
func (s *conditionSet) servesLastPlan() bool {
	serving := s.Get(v1alpha1.ConditionServing)
	return serving != nil && serving.Reason == reasonLastPlan
}

// whyNoNewPlan returns the message of the condition that says why no new plan can be made.
func (s *conditionSet) whyNoNewPlan() string {
	for _, kind := range []string{v1alpha1.ConditionHistoryReady, v1alpha1.ConditionPeaksValid} {
		if c := s.Get(kind); c != nil && c.Status != metav1.ConditionTrue {
			return c.Message
		}
	}
	return "see the condition HistoryReady"
}

// obstacle returns the reason and message of what keeps a Forecast from being Ready; empty when
// nothing does.
func (s *conditionSet) obstacle(mode v1alpha1.ForecastMode, basis planner.Basis) (reason, message string) {
	for _, kind := range []string{
		v1alpha1.ConditionHistoryReady, v1alpha1.ConditionPeaksValid, v1alpha1.ConditionServing,
	} {
		c := s.Get(kind)
		if c == nil || c.Status == metav1.ConditionTrue {
			continue
		}
		if mode == v1alpha1.ForecastPaused && c.Status == metav1.ConditionUnknown {
			continue // In this mode nothing is planned.
		}
		if kind == v1alpha1.ConditionHistoryReady && basis != planner.BasisNone {
			continue // The last plan is served.
		}
		return c.Reason, c.Message
	}
	if c := s.Get(v1alpha1.ConditionLeadTimeLearned); c != nil && c.Reason == reasonTargetNotFound {
		return c.Reason, c.Message
	}
	observed := s.Get(v1alpha1.ConditionObserved)
	if observed != nil && observed.Status == metav1.ConditionFalse && s.servesObservedDemand(mode, basis) {
		return observed.Reason, "only observed demand can be served, and it is not known: " + observed.Message
	}
	return "", ""
}

// servesObservedDemand reports whether observed demand is what is served, and not only the lower
// bound of a plan.
func (s *conditionSet) servesObservedDemand(mode v1alpha1.ForecastMode, basis planner.Basis) bool {
	if mode == v1alpha1.ForecastPaused || mode == v1alpha1.ForecastDryRun {
		return true
	}
	if s.servesLastPlan() {
		return basis == planner.BasisPeaks
	}
	skilled := s.Get(v1alpha1.ConditionSkilled)
	return skilled != nil && skilled.Status == metav1.ConditionFalse
}

// hasCondition reports whether the status of a Forecast has a condition of this type.
func hasCondition(fc *v1alpha1.Forecast, kind string) bool {
	return meta.FindStatusCondition(fc.Status.Conditions, kind) != nil
}
