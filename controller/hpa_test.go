package controller

import (
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner"
)

// hpaReading returns an HPA that reads a Forecast as External metric. change can be nil.
func hpaReading(
	name, forecast string, change func(*autoscalingv2.HorizontalPodAutoscaler),
) autoscalingv2.HorizontalPodAutoscaler {
	h := autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{
				APIVersion: "apps/v1", Kind: "Deployment", Name: "face-fusion",
			},
			MaxReplicas: 40,
			Metrics: []autoscalingv2.MetricSpec{{
				Type: autoscalingv2.ExternalMetricSourceType,
				External: &autoscalingv2.ExternalMetricSource{
					Metric: autoscalingv2.MetricIdentifier{Name: forecast},
					Target: autoscalingv2.MetricTarget{
						Type:         autoscalingv2.AverageValueMetricType,
						AverageValue: new(resource.MustParse("5")),
					},
				},
			}},
			Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{
				ScaleUp: &autoscalingv2.HPAScalingRules{Tolerance: new(resource.MustParse("0"))},
			},
		},
	}
	if change != nil {
		change(&h)
	}
	return h
}

func TestCapacityOfSpecAndHPA(t *testing.T) {
	both := []autoscalingv2.HorizontalPodAutoscaler{
		hpaReading("a", "face-fusion", nil),
		hpaReading("b", "face-fusion", func(h *autoscalingv2.HorizontalPodAutoscaler) {
			h.Spec.Metrics[0].External.Target.AverageValue = new(resource.MustParse("7500m"))
		}),
	}
	cases := map[string]struct {
		reason, capacity string
		hpas             []autoscalingv2.HorizontalPodAutoscaler
		want             string
		messageParts     []string
	}{
		"NotSet": {"the HPA's capacity is used", "", both[:1], "Follows", nil},
		"Equal":  {"5 and 5000m are equal", "5000m", both[:1], "Follows", nil},
		"Differs": {
			"the plan and the HPA count replicas in different ways", "8", both[:1], "CapacityDiffers",
			[]string{"HPA a", "every 5 ", "every 8 ", "spec.capacityPerReplica", "averageValue"},
		},
		"OneOfTwo": {
			"the HPA that differs is named", "5", both, "CapacityDiffers",
			[]string{"HPA b", "every 7500m ", "every 5 "},
		},
		"TwoHPAs": {
			"without a capacity in the spec, the HPAs are compared with each other", "", both, "CapacityDisagrees",
			[]string{"a and b", "5 and 7.5"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			fc := faceFusion()
			fc.Spec.CapacityPerReplica = nil
			if c.capacity != "" {
				fc.Spec.CapacityPerReplica = new(resource.MustParse(c.capacity))
			}
			var conditions conditionSet
			s := planner.ReadHPAs(c.hpas, fc, time.Second)
			setHPALintedCondition(&conditions, s, fc, nil)
			got := conditions.Get(v1alpha1.ConditionHPALinted)
			if got == nil || got.Reason != c.want || !contains(got.Message, c.messageParts...) || len(s.Findings) > 1 {
				t.Errorf("condition = %+v, want only %s with %q: %s", got, c.want, c.messageParts, c.reason)
			}
		})
	}
}

func TestSharedTargetIsLinted(t *testing.T) {
	hpas := []autoscalingv2.HorizontalPodAutoscaler{hpaReading("a", "face-fusion", nil)}
	fc := faceFusion()
	var conditions conditionSet
	setHPALintedCondition(&conditions, planner.ReadHPAs(hpas, fc, time.Second), fc, []string{"other"})
	c := conditions.Get(v1alpha1.ConditionHPALinted)
	if c == nil || c.Reason != "TargetShared" || !contains(c.Message, "other") {
		t.Errorf("condition = %+v, want TargetShared with the name of the other Forecast", c)
	}
}
