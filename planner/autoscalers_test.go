package planner

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
)

func averageValue(text string) autoscalingv2.MetricTarget {
	q := resource.MustParse(text)
	return autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: &q}
}

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
					Target: averageValue("5"),
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

func faceFusion() *v1alpha1.Forecast {
	fc := &v1alpha1.Forecast{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "face-fusion", UID: "u1", Generation: 1},
	}
	fc.Spec = goodSpec()
	return fc
}

func TestReadHPAs(t *testing.T) {
	objectMetricOn := func(kind string) func(*autoscalingv2.HorizontalPodAutoscaler) {
		return func(h *autoscalingv2.HorizontalPodAutoscaler) {
			h.Spec.Metrics = []autoscalingv2.MetricSpec{{
				Type: autoscalingv2.ObjectMetricSourceType,
				Object: &autoscalingv2.ObjectMetricSource{
					DescribedObject: autoscalingv2.CrossVersionObjectReference{
						APIVersion: "headstart.dev/v1alpha1", Kind: kind, Name: "face-fusion",
					},
					Metric: autoscalingv2.MetricIdentifier{Name: "demand"},
					Target: averageValue("5"),
				},
			}}
		}
	}
	type hpas = []autoscalingv2.HorizontalPodAutoscaler
	cases := map[string]struct {
		reason   string
		hpas     hpas
		capacity float64
		findings []string
	}{
		"Follows": {"the proposed HPA", hpas{hpaReading("a", "face-fusion", nil)}, 5, nil},
		"ObjectMetric": {
			"an Object metric reads the same number",
			hpas{hpaReading("a", "x", objectMetricOn("Forecast"))},
			5, nil,
		},
		"OtherObject": {
			"an Object metric on another kind does not read a Forecast",
			hpas{hpaReading("a", "x", objectMetricOn("Ingress"))},
			0, nil,
		},
		"OtherMetric": {
			"an external metric of another name does not read this Forecast",
			hpas{hpaReading("a", "x", nil)},
			0, nil,
		},
		"Value": {
			"Value runs away",
			hpas{hpaReading("a", "face-fusion", func(h *autoscalingv2.HorizontalPodAutoscaler) {
				h.Spec.Metrics[0].External.Target = autoscalingv2.MetricTarget{
					Type: autoscalingv2.ValueMetricType, Value: new(resource.MustParse("5")),
				}
			})},
			0,
			[]string{"TargetTypeValue"},
		},
		"DefaultTolerance": {
			"a tolerance of 10 % ignores the change from 20 to 22",
			hpas{hpaReading("a", "face-fusion", func(h *autoscalingv2.HorizontalPodAutoscaler) {
				h.Spec.Behavior = nil
			})},
			5,
			[]string{"Tolerance"},
		},
		"Disagree": {
			"a replica has one capacity",
			hpas{
				hpaReading("a", "face-fusion", nil),
				hpaReading("b", "face-fusion", func(h *autoscalingv2.HorizontalPodAutoscaler) {
					h.Spec.Metrics[0].External.Target.AverageValue = new(resource.MustParse("7"))
				}),
			},
			5,
			[]string{"CapacityDisagrees"},
		},
		"OtherTarget": {
			"the lead would be that of another workload",
			hpas{hpaReading("a", "face-fusion", func(h *autoscalingv2.HorizontalPodAutoscaler) {
				h.Spec.ScaleTargetRef.Name = "other"
			})},
			5,
			[]string{"TargetDiffers"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := ReadHPAs(c.hpas, faceFusion(), 15*time.Second)
			var reasons []string
			for _, f := range got.Findings {
				reasons = append(reasons, f.Reason)
			}
			if diff := cmp.Diff(c.findings, reasons); diff != "" {
				t.Errorf("%s: findings (-want +got):\n%s", c.reason, diff)
			}
			if got.Capacity != c.capacity {
				t.Errorf("%s: capacity = %v, want %v", c.reason, got.Capacity, c.capacity)
			}
		})
	}
}

// A metric in replicas has one target for ever, and says nothing about the capacity.
func TestReadHPAsInReplicas(t *testing.T) {
	reading := func(target string) autoscalingv2.HorizontalPodAutoscaler {
		return hpaReading("a", "face-fusion", func(h *autoscalingv2.HorizontalPodAutoscaler) {
			h.Spec.Metrics[0].External.Target = averageValue(target)
		})
	}
	cases := map[string]struct {
		reason   string
		unit     v1alpha1.ServeUnit
		hpa      autoscalingv2.HorizontalPodAutoscaler
		capacity float64
		findings []string
	}{
		"One":        {"a replica for every one of the metric", v1alpha1.ServeReplicas, reading("1"), 0, nil},
		"OneInMilli": {"quantities are numbers", v1alpha1.ServeReplicas, reading("1000m"), 0, nil},
		"TheCapacity": {
			"the demand would be divided twice", v1alpha1.ServeReplicas, reading("5"), 0, []string{"TargetNotOne"},
		},
		"Forgotten": {
			"a replica for every one of demand", v1alpha1.ServeDemand, reading("1"), 1, []string{"CapacityDiffers"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			fc := faceFusion()
			fc.Spec.Serve.Unit, fc.Spec.CapacityPerReplica = c.unit, new(resource.MustParse("5"))
			got := ReadHPAs([]autoscalingv2.HorizontalPodAutoscaler{c.hpa}, fc, 15*time.Second)
			var reasons []string
			for _, f := range got.Findings {
				reasons = append(reasons, f.Reason)
				if !strings.Contains(f.Message, "averageValue") {
					t.Errorf("%s: the message does not name the field: %s", c.reason, f.Message)
				}
			}
			if diff := cmp.Diff(c.findings, reasons); diff != "" || got.Capacity != c.capacity {
				t.Errorf("%s: capacity %v, want %v; findings (-want +got):\n%s", c.reason, got.Capacity, c.capacity, diff)
			}
		})
	}
}

func TestRampOf(t *testing.T) {
	defaults := BehaviorDefaults()
	defaults.Sync = time.Second
	cases := map[string]struct {
		reason   string
		behavior *autoscalingv2.HorizontalPodAutoscalerBehavior
		want     Ramp
	}{
		"None": {"the controller's rule without a behavior", nil, Ramp{Sync: time.Second}},
		"Empty": {
			"a behavior without policies has the API's defaults",
			&autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: &autoscalingv2.HPAScalingRules{}},
			defaults,
		},
		"Own": {
			"policies are used as they are",
			&autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: &autoscalingv2.HPAScalingRules{
				StabilizationWindowSeconds: new(int32(30)),
				SelectPolicy:               new(autoscalingv2.MinChangePolicySelect),
				Policies: []autoscalingv2.HPAScalingPolicy{
					{Type: autoscalingv2.PercentScalingPolicy, Value: 900, PeriodSeconds: 15},
					{Type: autoscalingv2.PodsScalingPolicy, Value: 20, PeriodSeconds: 60},
				},
			}},
			Ramp{Sync: time.Second, Stabilization: 30 * time.Second, Select: SelectMin, Policies: []Policy{
				{Kind: PolicyPercent, Value: 900, Period: 15 * time.Second},
				{Kind: PolicyPods, Value: 20, Period: time.Minute},
			}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := rampOf(c.behavior, time.Second)
			if got.Select == SelectMax {
				got.Select = "" // An empty Select means Max.
			}
			if c.want.Select == SelectMax {
				c.want.Select = ""
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}
