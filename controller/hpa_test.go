package controller

import (
	"strings"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner"
)

func hpaReading(name, forecast string, change func(*autoscalingv2.HorizontalPodAutoscaler)) autoscalingv2.HorizontalPodAutoscaler {
	h := autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "face-fusion"},
			MaxReplicas:    40,
			Metrics: []autoscalingv2.MetricSpec{{
				Type: autoscalingv2.ExternalMetricSourceType,
				External: &autoscalingv2.ExternalMetricSource{
					Metric: autoscalingv2.MetricIdentifier{Name: forecast},
					Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: new(resource.MustParse("5"))},
				},
			}},
			Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: &autoscalingv2.HPAScalingRules{Tolerance: new(resource.MustParse("0"))}},
		},
	}
	if change != nil {
		change(&h)
	}
	return h
}

func faceFusion() *v1alpha1.Forecast {
	fc := &v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "face-fusion", UID: "u1", Generation: 1}}
	fc.Spec = goodSpec()
	return fc
}

func TestCapacityOfSpecAndHPA(t *testing.T) {
	both := []autoscalingv2.HorizontalPodAutoscaler{
		hpaReading("a", "face-fusion", nil),
		hpaReading("b", "face-fusion", func(h *autoscalingv2.HorizontalPodAutoscaler) {
			h.Spec.Metrics[0].External.Target.AverageValue = new(resource.MustParse("7500m"))
		}),
	}
	cases := map[string]struct {
		reason, own string
		hpas        []autoscalingv2.HorizontalPodAutoscaler
		want        string
		says        []string
	}{
		"Left":      {"the HPA's counts", "", both[:1], "Follows", nil},
		"Equal":     {"however it is written", "5000m", both[:1], "Follows", nil},
		"Differs":   {"the plan counts replicas by the one and the HPA by the other", "8", both[:1], "CapacityDiffers", []string{"HPA a", "every 5 ", "every 8 ", "spec.capacityPerReplica", "averageValue"}},
		"OneOfTwo":  {"the one that differs is named", "5", both, "CapacityDiffers", []string{"HPA b", "every 7500m ", "every 5 "}},
		"EachOther": {"without a word of the spec they are compared with each other", "", both, "CapacityDisagrees", []string{"a and b", "5 and 7.5"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			fc := faceFusion()
			fc.Spec.CapacityPerReplica = nil
			if c.own != "" {
				fc.Spec.CapacityPerReplica = new(resource.MustParse(c.own))
			}
			v := verdicts{}
			s := planner.ReadHPAs(c.hpas, fc, time.Second)
			lintHPAs(&v, s, fc, nil)
			got := v.get(v1alpha1.ConditionHPALinted)
			if got == nil || got.Reason != c.want || !contains(got.Message, c.says...) || len(s.Findings) > 1 {
				t.Errorf("condition = %+v, want %s alone, saying %q: %s", got, c.want, c.says, c.reason)
			}
		})
	}
}

func TestLintSaysWhatSharesATarget(t *testing.T) {
	v := verdicts{}
	lintHPAs(&v, planner.ReadHPAs([]autoscalingv2.HorizontalPodAutoscaler{hpaReading("a", "face-fusion", nil)}, faceFusion(), time.Second), faceFusion(), []string{"other"})
	c := v.get(v1alpha1.ConditionHPALinted)
	if c == nil || c.Reason != "TargetShared" || !strings.Contains(c.Message, "other") {
		t.Errorf("condition = %+v, want TargetShared naming the other Forecast", c)
	}
}
