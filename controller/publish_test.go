package controller

import (
	"errors"
	"strings"
	"testing"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner"
)

// Conditions name the object and the field that a person writes.
func TestMessagesNameTheAutoscaler(t *testing.T) {
	hpa := planner.Scaling{Kind: "HorizontalPodAutoscaler", Name: "llm", HPA: "llm", MaxReplicas: 3}
	scaled := planner.Scaling{Kind: planner.ScaledObjectKind.Kind, Name: "llm", HPA: "keda-hpa-llm", MaxReplicas: 3}
	for name, tc := range map[string]struct {
		reason                 string
		scaling                planner.Scaling
		enough, tooLow, failed string
	}{
		"HPA": {
			"its own fields", hpa,
			"within maxReplicas of HPA llm", "but maxReplicas of HPA llm is 3: raise it",
			"check spec.behavior.scaleUp and averageValue of HPA llm, and spec.capacityPerReplica",
		},
		"ScaledObject": {
			"KEDA undoes changes of the HPA that it makes", scaled,
			"within maxReplicaCount of ScaledObject llm", "but maxReplicaCount of ScaledObject llm is 3: raise it",
			"check spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleUp and metadata.targetValue of the trigger " +
				"of ScaledObject llm, and spec.capacityPerReplica",
		},
		"nobody": {"there is nothing else to check", planner.Scaling{}, "", "", "check spec.capacityPerReplica;"},
	} {
		t.Run(name, func(t *testing.T) {
			said := func(kind string, out planner.StepOutput) string {
				e := (&ForecastReconciler{}).newEvaluation(&v1alpha1.Forecast{}, &forecastState{}, planner.Settings{}, epoch)
				e.set.Scaling, e.out = tc.scaling, out
				if e.setWithinMaxReplicasCondition(); kind == v1alpha1.ConditionServing {
					e.setServingCondition()
				}
				return e.conditions.Get(kind).Message
			}
			short := planner.StepOutput{Notes: planner.Notes{Shortage: &planner.Shortage{Replicas: 4, Peak: 5, Max: 3}}}
			failed := planner.StepOutput{Outcome: planner.BuildFailed, Err: errors.New("no")}
			if tc.scaling.Name != "" {
				if got := said(v1alpha1.ConditionWithinMaxReplicas, planner.StepOutput{}); !strings.Contains(got, tc.enough) {
					t.Errorf("%s: %q, want %q", tc.reason, got, tc.enough)
				}
				if got := said(v1alpha1.ConditionWithinMaxReplicas, short); !strings.Contains(got, tc.tooLow) {
					t.Errorf("%s: %q, want %q", tc.reason, got, tc.tooLow)
				}
			}
			if got := said(v1alpha1.ConditionServing, failed); !strings.Contains(got, tc.failed) {
				t.Errorf("%s: %q, want %q", tc.reason, got, tc.failed)
			}
		})
	}
}
