// Package today reads how a service is scaled today.
package today

import (
	"cmp"
	"regexp"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/report"
)

// HPA returns the HPA that scales the target of a Forecast today, with its real target,
// behavior and bounds. It returns nil if there is none.
func HPA(
	fc *v1alpha1.Forecast, hpas []autoscalingv2.HorizontalPodAutoscaler, capacity float64,
) *report.HPA {
	var found *autoscalingv2.HorizontalPodAutoscaler
	for i, hpa := range hpas {
		ref, want := hpa.Spec.ScaleTargetRef, fc.Spec.TargetRef
		if want.Name != "" && ref.Kind == want.Kind && ref.Name == want.Name && (found == nil || hpa.Name < found.Name) {
			found = &hpas[i]
		}
	}
	if found == nil {
		return nil
	}
	out := report.HPA{
		Name: found.Namespace + "/" + found.Name, MinReplicas: 1, MaxReplicas: int(found.Spec.MaxReplicas),
		Target: targetOf(fc, found, capacity), ReadsForecast: slices.Contains(planner.ForecastNames(found), fc.Name),
	}
	for _, owner := range found.OwnerReferences {
		if owner.Kind == "ScaledObject" {
			out.ScaledObject = owner.Name
		}
	}
	out.Ramp, out.Stabilization = planner.ReadBehavior(found.Spec.Behavior, planner.DefaultSync)
	if found.Spec.MinReplicas != nil {
		out.MinReplicas = int(*found.Spec.MinReplicas)
	}
	return &out
}

// kedaMetric is the name of a metric that KEDA makes: the trigger's number, and what it calls it.
var kedaMetric = regexp.MustCompile(`^s[0-9]+-(.*)$`)

// ofTrigger reports whether a metric is that of KEDA for a trigger that reads the Forecast. KEDA
// gives it the capacity as its target, which would look like an HPA at 100 %.
func ofTrigger(m *autoscalingv2.ExternalMetricSource, forecast string) bool {
	name := kedaMetric.FindStringSubmatch(m.Metric.Name)
	return name != nil && name[1] == forecast && m.Metric.Selector != nil &&
		m.Metric.Selector.MatchLabels["scaledobject.keda.sh/name"] != ""
}

// targetOf returns the share of a replica's capacity at which an HPA scales: the lowest target of
// its metrics counts, since the HPA takes the largest number of replicas. Metrics that read the
// Forecast do not count. An average value that is no plausible share of the capacity is in another
// unit, and says nothing.
func targetOf(fc *v1alpha1.Forecast, hpa *autoscalingv2.HorizontalPodAutoscaler, capacity float64) float64 {
	const leastShare, mostShare = 0.1, 1.2
	var shares []float64
	add := func(t autoscalingv2.MetricTarget) {
		switch {
		case t.AverageUtilization != nil:
			shares = append(shares, float64(*t.AverageUtilization)/100)
		case t.AverageValue != nil && capacity > 0:
			share := t.AverageValue.AsApproximateFloat64() / capacity
			if share >= leastShare && share <= mostShare {
				shares = append(shares, share)
			}
		}
	}
	readsForecast := slices.Contains(planner.ForecastNames(hpa), fc.Name)
	for _, m := range hpa.Spec.Metrics {
		switch {
		case m.Resource != nil:
			add(m.Resource.Target)
		case m.ContainerResource != nil:
			add(m.ContainerResource.Target)
		case m.Pods != nil:
			add(m.Pods.Target)
		case m.External != nil && !(readsForecast && m.External.Metric.Name == fc.Name) && !ofTrigger(m.External, fc.Name):
			add(m.External.Target)
		}
	}
	if len(shares) == 0 {
		return report.DefaultTarget
	}
	return cmp.Or(slices.Min(shares), report.DefaultTarget)
}
