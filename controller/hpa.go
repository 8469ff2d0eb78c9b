package controller

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner"
)

// hpaIndex is the cache index from a Forecast's name to the HPAs of its namespace that read it.
const hpaIndex = "headstart.dev/forecast"

// objectMetric is the name of the Object metric on a Forecast.
const objectMetric = "demand"

// reading is how one metric of one HPA reads a Forecast.
type reading struct {
	hpa      *autoscalingv2.HorizontalPodAutoscaler
	forecast string
	target   autoscalingv2.MetricTarget
}

// readings lists the metrics of an HPA that may name a Forecast: every external metric, and Object metrics on Forecasts.
func readings(hpa *autoscalingv2.HorizontalPodAutoscaler) []reading {
	var out []reading
	for _, m := range hpa.Spec.Metrics {
		switch {
		case m.Type == autoscalingv2.ExternalMetricSourceType && m.External != nil:
			out = append(out, reading{hpa, m.External.Metric.Name, m.External.Target})
		case m.Type == autoscalingv2.ObjectMetricSourceType && m.Object != nil && m.Object.DescribedObject.Kind == "Forecast" &&
			strings.HasPrefix(m.Object.DescribedObject.APIVersion, v1alpha1.GroupName+"/") && m.Object.Metric.Name == objectMetric:
			out = append(out, reading{hpa, m.Object.DescribedObject.Name, m.Object.Target})
		}
	}
	return out
}

// indexHPA is the index function of hpaIndex.
func indexHPA(obj client.Object) []string {
	hpa, ok := obj.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return nil
	}
	var names []string
	for _, r := range readings(hpa) {
		if !slices.Contains(names, r.forecast) {
			names = append(names, r.forecast)
		}
	}
	return names
}

// scaling is what the HPAs that read a Forecast say about it.
type scaling struct {
	capacity    float64 // averageValue; 0 when none gives one
	from        string  // the HPA it was read from
	maxReplicas int     // 0 without an HPA
	ramp        planner.Ramp
	findings    []finding
	count       int
}

// finding is something about an HPA that keeps it from following the Forecast.
type finding struct{ reason, message string }

// readHPAs looks the HPAs up that read the Forecast. sharing are other Forecasts on the same target.
func readHPAs(ctx context.Context, reader client.Reader, fc *v1alpha1.Forecast, sync time.Duration) (scaling, error) {
	var list autoscalingv2.HorizontalPodAutoscalerList
	if err := reader.List(ctx, &list, client.InNamespace(fc.Namespace), client.MatchingFields{hpaIndex: fc.Name}); err != nil {
		return scaling{}, fmt.Errorf("list the HorizontalPodAutoscalers that read %s/%s: %w", fc.Namespace, fc.Name, err)
	}
	slices.SortFunc(list.Items, func(a, b autoscalingv2.HorizontalPodAutoscaler) int { return strings.Compare(a.Name, b.Name) })
	return judgeHPAs(list.Items, fc, sync), nil
}

func judgeHPAs(hpas []autoscalingv2.HorizontalPodAutoscaler, fc *v1alpha1.Forecast, sync time.Duration) scaling {
	out := scaling{}
	for i := range hpas {
		hpa := &hpas[i]
		for _, r := range readings(hpa) {
			if r.forecast != fc.Name {
				continue
			}
			out.count++
			out.take(r, fc, sync)
		}
	}
	return out
}

func (s *scaling) add(reason, format string, args ...any) {
	s.findings = append(s.findings, finding{reason, fmt.Sprintf(format, args...)})
}

// take adds what one reading says. The first HPA by name gives the figures; the others are compared with it.
func (s *scaling) take(r reading, fc *v1alpha1.Forecast, sync time.Duration) {
	name := r.hpa.Name
	if r.target.Type != autoscalingv2.AverageValueMetricType || r.target.AverageValue == nil {
		s.add("TargetTypeValue", "HPA %s reads the forecast with target type %s: a forecast does not fall when replicas rise, so the HPA runs away; use AverageValue with the demand that one replica serves", name, r.target.Type)
		return
	}
	capacity := r.target.AverageValue.AsApproximateFloat64()
	switch {
	case s.capacity == 0:
		s.capacity, s.from, s.maxReplicas = capacity, name, int(r.hpa.Spec.MaxReplicas)
		s.ramp = rampOf(r.hpa.Spec.Behavior, sync)
	case s.capacity != capacity && fc.Spec.CapacityPerReplica == nil:
		s.add("CapacityDisagrees", "HPAs %s and %s read the forecast with averageValue %v and %v: one replica serves one amount; make them equal", s.from, name, s.capacity, capacity)
	}
	if own := fc.Spec.CapacityPerReplica; own != nil && own.Cmp(*r.target.AverageValue) != 0 {
		s.add("CapacityDiffers", "HPA %s counts one replica for every %s of demand (averageValue), and the plan one for every %s (spec.capacityPerReplica): make the two equal, or leave spec.capacityPerReplica out", name, r.target.AverageValue, own)
	}
	if ref := r.hpa.Spec.ScaleTargetRef; ref.Kind != fc.Spec.TargetRef.Kind || ref.Name != fc.Spec.TargetRef.Name {
		s.add("TargetDiffers", "HPA %s scales %s/%s and the forecast learns its lead from %s/%s: name the same target in both", name, ref.Kind, ref.Name, fc.Spec.TargetRef.Kind, fc.Spec.TargetRef.Name)
	}
	s.takeBehavior(name, r.hpa.Spec.Behavior)
}

// takeBehavior adds what keeps an HPA from scaling up as the forecast asks.
func (s *scaling) takeBehavior(name string, b *autoscalingv2.HorizontalPodAutoscalerBehavior) {
	if b == nil || b.ScaleUp == nil || b.ScaleUp.Tolerance == nil || !b.ScaleUp.Tolerance.IsZero() {
		s.add("Tolerance", "HPA %s ignores changes of up to 10 %% (20 to 22 replicas, say): set spec.behavior.scaleUp.tolerance to 0 (Kubernetes 1.35 and later)", name)
	}
	if b != nil && b.ScaleUp != nil && b.ScaleUp.SelectPolicy != nil && *b.ScaleUp.SelectPolicy == autoscalingv2.DisabledPolicySelect {
		s.add("ScaleUpDisabled", "HPA %s never scales up (selectPolicy Disabled)", name)
	}
}

// rampOf reads how fast an HPA may scale up. Without a behaviour the controller's own defaults hold.
func rampOf(b *autoscalingv2.HorizontalPodAutoscalerBehavior, sync time.Duration) planner.Ramp {
	if b == nil {
		return planner.Ramp{Sync: sync}
	}
	ramp := planner.BehaviorDefaults()
	ramp.Sync = sync
	if b.ScaleUp == nil {
		return ramp
	}
	if w := b.ScaleUp.StabilizationWindowSeconds; w != nil {
		ramp.Stabilization = time.Duration(*w) * time.Second
	}
	if p := b.ScaleUp.SelectPolicy; p != nil {
		switch *p {
		case autoscalingv2.MinChangePolicySelect:
			ramp.Select = planner.SelectMin
		case autoscalingv2.DisabledPolicySelect:
			ramp.Select = planner.SelectDisabled
		default:
			ramp.Select = planner.SelectMax
		}
	}
	if len(b.ScaleUp.Policies) == 0 {
		return ramp
	}
	ramp.Policies = nil
	for _, p := range b.ScaleUp.Policies {
		kind := planner.PolicyPods
		if p.Type == autoscalingv2.PercentScalingPolicy {
			kind = planner.PolicyPercent
		}
		ramp.Policies = append(ramp.Policies, planner.Policy{Kind: kind, Value: int(p.Value), Period: time.Duration(p.PeriodSeconds) * time.Second})
	}
	return ramp
}

// lintHPAs says in a condition what keeps the HPAs from following the forecast. shared are other Forecasts on the target.
func lintHPAs(v *verdicts, s scaling, fc *v1alpha1.Forecast, shared []string) {
	findings := slices.Clone(s.findings)
	if len(shared) > 0 {
		findings = append(findings, finding{"TargetShared", fmt.Sprintf("Forecasts %s have the target %s/%s too: keep one per target, or two HPAs will fight over its replicas", strings.Join(shared, ", "), fc.Spec.TargetRef.Kind, fc.Spec.TargetRef.Name)})
	}
	switch {
	case len(findings) > 0:
		var messages []string
		for _, f := range findings {
			messages = append(messages, f.message)
		}
		v.fail(v1alpha1.ConditionHPALinted, findings[0].reason, "%s", strings.Join(messages, "; "))
	case s.count == 0:
		v.unknown(v1alpha1.ConditionHPALinted, "NoHPA", "no HorizontalPodAutoscaler in this namespace reads the metric %s", fc.Name)
	default:
		v.ok(v1alpha1.ConditionHPALinted, "Follows", "HPA %s follows the forecast", s.from)
	}
}

// capacityOf is the demand that one replica serves, and where that figure comes from.
func capacityOf(set settings, s scaling) (float64, *v1alpha1.CapacityStatus) {
	switch {
	case set.capacity > 0:
		return set.capacity, &v1alpha1.CapacityStatus{Value: quantityOf(set.capacity), Source: "Spec"}
	case s.capacity > 0 && !math.IsInf(s.capacity, 0):
		return s.capacity, &v1alpha1.CapacityStatus{Value: quantityOf(s.capacity), Source: "HorizontalPodAutoscaler", Name: s.from}
	}
	return 0, nil
}
