package today

import (
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
)

// The HPA of today is the one on the Forecast's target, with its lowest target.
func TestHPAOfToday(t *testing.T) {
	fc := &v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	fc.Spec.TargetRef = v1alpha1.TargetReference{Kind: "Deployment", Name: "web"}
	hpa := func(name, target string, metrics ...autoscalingv2.MetricSpec) autoscalingv2.HorizontalPodAutoscaler {
		out := autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		out.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: target}
		out.Spec.MaxReplicas, out.Spec.Metrics = 9, metrics
		return out
	}
	cpu := autoscalingv2.MetricSpec{Resource: &autoscalingv2.ResourceMetricSource{
		Target: autoscalingv2.MetricTarget{AverageUtilization: new(int32(60))},
	}}
	external := func(name, average string) autoscalingv2.MetricSpec {
		return autoscalingv2.MetricSpec{
			Type: autoscalingv2.ExternalMetricSourceType,
			External: &autoscalingv2.ExternalMetricSource{
				Metric: autoscalingv2.MetricIdentifier{Name: name},
				Target: autoscalingv2.MetricTarget{AverageValue: new(resource.MustParse(average))},
			},
		}
	}
	keda := func(name, average string) autoscalingv2.MetricSpec {
		out := external(name, average)
		out.External.Metric.Selector = &metav1.LabelSelector{
			MatchLabels: map[string]string{"scaledobject.keda.sh/name": "web"},
		}
		return out
	}
	cases := map[string]struct {
		reason string
		hpas   []autoscalingv2.HorizontalPodAutoscaler
		name   string
		target float64
	}{
		"None": {
			"an HPA on another target does not count",
			[]autoscalingv2.HorizontalPodAutoscaler{hpa("a", "other", cpu)},
			"", 0,
		},
		"CPU": {
			"a utilisation is a share",
			[]autoscalingv2.HorizontalPodAutoscaler{hpa("a", "web", cpu)},
			"shop/a", 0.6,
		},
		"Average": {
			"an average value is a share of the capacity",
			[]autoscalingv2.HorizontalPodAutoscaler{hpa("a", "web", cpu, external("x", "5"))},
			"shop/a", 0.5,
		},
		"Unit": {
			"an average value in another unit says nothing",
			[]autoscalingv2.HorizontalPodAutoscaler{hpa("a", "web", external("x", "5000"))},
			"shop/a", 0.75,
		},
		"Own": {
			"what reads the Forecast is no target of today",
			[]autoscalingv2.HorizontalPodAutoscaler{hpa("a", "web", external("web", "5"))},
			"shop/a", 0.75,
		},
		"OwnTrigger": {
			"KEDA's metric for the trigger that reads the Forecast is no target of today either",
			[]autoscalingv2.HorizontalPodAutoscaler{hpa("a", "web", keda("s1-web", "10"))},
			"shop/a", 0.75,
		},
		"OtherTrigger": {
			"one of another trigger is",
			[]autoscalingv2.HorizontalPodAutoscaler{hpa("a", "web", keda("s1-web", "10"), keda("s0-prometheus", "6"))},
			"shop/a", 0.6,
		},
		"NotOfKEDA": {
			"a metric that only has such a name is",
			[]autoscalingv2.HorizontalPodAutoscaler{hpa("a", "web", external("s0-web", "6"))},
			"shop/a", 0.6,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := HPA(fc, tc.hpas, 10)
			if got == nil {
				if tc.name != "" {
					t.Errorf("%s: no HPA", tc.reason)
				}
				return
			}
			if got.Name != tc.name || got.Target != tc.target || got.MaxReplicas != 9 {
				t.Errorf("%s: %+v", tc.reason, got)
			}
		})
	}
}
