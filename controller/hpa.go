package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner"
)

// readAutoscalers reads what the autoscalers of the Forecast say: the capacity of a replica and the
// ramp. It sets the condition HPALinted.
func (e *evaluation) readAutoscalers(ctx context.Context) error {
	all, err := e.autoscalers.Of(ctx, e.fc)
	if err != nil {
		return err
	}
	e.set.Scaling = planner.ReadAutoscalers(all, e.fc, e.rates.HPASync)
	others, err := e.otherForecastsOfTarget(ctx, e.fc)
	if err != nil {
		return err
	}
	setHPALintedCondition(&e.conditions, e.set.Scaling, e.fc, others)
	e.useCapacity()
	return nil
}

// setHPALintedCondition sets the condition HPALinted: what keeps the HPAs from following the
// forecast. others are the names of other active Forecasts with the same target.
func setHPALintedCondition(conditions *conditionSet, s planner.Scaling, fc *v1alpha1.Forecast, others []string) {
	findings := slices.Clone(s.Findings)
	if len(others) > 0 {
		message := fmt.Sprintf("the target %s/%s is also that of the Forecasts %s: "+
			"keep one per target, or two HPAs will fight over its replicas",
			fc.Spec.TargetRef.Kind, fc.Spec.TargetRef.Name, strings.Join(others, ", "))
		findings = append(findings, planner.Finding{Reason: "TargetShared", Message: message})
	}
	switch {
	case len(findings) > 0:
		var messages []string
		for _, f := range findings {
			messages = append(messages, f.Message)
		}
		conditions.SetFalse(v1alpha1.ConditionHPALinted, findings[0].Reason, "%s", strings.Join(messages, "; "))
	case s.Count == 0:
		conditions.SetUnknown(v1alpha1.ConditionHPALinted, "NoHPA",
			"no HorizontalPodAutoscaler in this namespace reads the metric %s", fc.Name)
	case s.HPA != s.Name:
		conditions.SetTrue(v1alpha1.ConditionHPALinted, "Follows",
			"ScaledObject %s follows the forecast, by the HPA %s", s.Name, s.HPA)
	default:
		conditions.SetTrue(v1alpha1.ConditionHPALinted, "Follows", "HPA %s follows the forecast", s.Name)
	}
}
