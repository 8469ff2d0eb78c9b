package planner

import (
	"fmt"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"headstart.dev/headstart/api/v1alpha1"
)

// ObjectMetric is the name of the Object metric of a Forecast.
const ObjectMetric = "demand"

// metricReference is a metric of an HPA that may read a Forecast.
type metricReference struct {
	hpa      *autoscalingv2.HorizontalPodAutoscaler
	forecast string
	target   autoscalingv2.MetricTarget
}

// metricReferences lists the metrics of an HPA that may read a Forecast: every External metric,
// and Object metrics that describe a Forecast.
func metricReferences(hpa *autoscalingv2.HorizontalPodAutoscaler) []metricReference {
	var out []metricReference
	for _, m := range hpa.Spec.Metrics {
		switch {
		case m.Type == autoscalingv2.ExternalMetricSourceType && m.External != nil:
			out = append(out, metricReference{hpa, m.External.Metric.Name, m.External.Target})
		case m.Type == autoscalingv2.ObjectMetricSourceType && m.Object != nil && describesForecast(m.Object):
			out = append(out, metricReference{hpa, m.Object.DescribedObject.Name, m.Object.Target})
		}
	}
	return out
}

func describesForecast(m *autoscalingv2.ObjectMetricSource) bool {
	of := m.DescribedObject
	return of.Kind == "Forecast" && strings.HasPrefix(of.APIVersion, v1alpha1.GroupName+"/") &&
		m.Metric.Name == ObjectMetric
}

// ForecastNames lists the names of the Forecasts that an HPA may read, each once.
func ForecastNames(hpa *autoscalingv2.HorizontalPodAutoscaler) []string {
	var names []string
	for _, r := range metricReferences(hpa) {
		if !slices.Contains(names, r.forecast) {
			names = append(names, r.forecast)
		}
	}
	return names
}

// Scaling is what the autoscalers that read a Forecast say about it. The zero value is a Forecast
// that nobody reads.
type Scaling struct {
	// Capacity is the averageValue of the metric: the demand that one replica serves; 0 when no
	// HPA gives one.
	Capacity float64
	// Name is the HPA that gives Capacity and the fields below. Of several HPAs it is the first by
	// name.
	Name string
	// MinReplicas and MaxReplicas of that HPA; 0 without an HPA.
	MinReplicas, MaxReplicas int
	// Ramp is how fast that HPA adds replicas.
	Ramp Ramp
	// ScaleDownStabilization is the scale-down stabilization window of that HPA.
	ScaleDownStabilization time.Duration
	// Findings are what keeps the HPAs from following the Forecast.
	Findings []Finding
	// Count is how many metrics of HPAs read the Forecast.
	Count int
}

// Finding is something about an HPA that keeps it from following the Forecast: the reason of a
// condition, and a message that says what to change.
type Finding struct{ Reason, Message string }

// defaultStabilization is the scale-down stabilization window of an HPA that does not set one.
const defaultStabilization = 5 * time.Minute

// ReadHPAs collects what HPAs say about a Forecast. HPAs that do not read it do not matter, nor
// does their order. sync is the period of the cluster's HPA controller.
func ReadHPAs(hpas []autoscalingv2.HorizontalPodAutoscaler, fc *v1alpha1.Forecast, sync time.Duration) Scaling {
	sorted := slices.Clone(hpas)
	slices.SortFunc(sorted, func(a, b autoscalingv2.HorizontalPodAutoscaler) int {
		return strings.Compare(a.Name, b.Name)
	})
	out := Scaling{}
	for i := range sorted {
		for _, r := range metricReferences(&sorted[i]) {
			if r.forecast == fc.Name && r.hpa.Namespace == fc.Namespace {
				out.Count++
				out.read(r, fc, sync)
			}
		}
	}
	return out
}

func (s *Scaling) find(reason, format string, args ...any) {
	s.Findings = append(s.Findings, Finding{reason, fmt.Sprintf(format, args...)})
}

// read adds one metric of an HPA. The first one gives the values, and the others are compared
// with it.
func (s *Scaling) read(r metricReference, fc *v1alpha1.Forecast, sync time.Duration) {
	name, spec := r.hpa.Name, &r.hpa.Spec
	if r.target.Type != autoscalingv2.AverageValueMetricType || r.target.AverageValue == nil {
		s.find("TargetTypeValue", "HPA %s reads the forecast with target type %s. "+
			"A forecast does not fall when replicas rise, so the HPA runs away: "+
			"use AverageValue with the demand that one replica serves", name, r.target.Type)
		return
	}
	capacity := r.target.AverageValue.AsApproximateFloat64()
	switch {
	case s.Capacity == 0:
		s.Capacity, s.Name, s.MaxReplicas = capacity, name, int(spec.MaxReplicas)
		s.MinReplicas = 1
		if spec.MinReplicas != nil {
			s.MinReplicas = int(*spec.MinReplicas)
		}
		s.Ramp, s.ScaleDownStabilization = rampOf(spec.Behavior, sync), stabilizationOf(spec.Behavior)
	case s.Capacity != capacity && fc.Spec.CapacityPerReplica == nil:
		s.find("CapacityDisagrees", "HPAs %s and %s read the forecast with averageValue %v and %v, "+
			"but a replica has only one capacity: make them equal", s.Name, name, s.Capacity, capacity)
	}
	if own := fc.Spec.CapacityPerReplica; own != nil && own.Cmp(*r.target.AverageValue) != 0 {
		s.find("CapacityDiffers", "HPA %s counts one replica for every %s of demand (averageValue), "+
			"and the plan one for every %s (spec.capacityPerReplica): "+
			"make the two equal, or leave spec.capacityPerReplica out", name, r.target.AverageValue, own)
	}
	if ref, want := spec.ScaleTargetRef, fc.Spec.TargetRef; ref.Kind != want.Kind || ref.Name != want.Name {
		s.find("TargetDiffers", "HPA %s scales %s/%s and the forecast learns its lead from %s/%s: "+
			"name the same target in both", name, ref.Kind, ref.Name, want.Kind, want.Name)
	}
	s.checkBehavior(name, spec.Behavior)
}

// checkBehavior adds what keeps an HPA from scaling up as the forecast asks.
func (s *Scaling) checkBehavior(name string, b *autoscalingv2.HorizontalPodAutoscalerBehavior) {
	var up autoscalingv2.HPAScalingRules
	if b != nil && b.ScaleUp != nil {
		up = *b.ScaleUp
	}
	if up.Tolerance == nil || !up.Tolerance.IsZero() {
		s.find("Tolerance", "HPA %s ignores changes of up to 10 %% (from 20 to 22 replicas, for example): "+
			"set spec.behavior.scaleUp.tolerance to 0 (Kubernetes 1.35 and later)", name)
	}
	if up.SelectPolicy != nil && *up.SelectPolicy == autoscalingv2.DisabledPolicySelect {
		s.find("ScaleUpDisabled", "HPA %s never scales up (selectPolicy Disabled)", name)
	}
}

// ReadBehavior returns how fast an HPA adds replicas, and its scale-down stabilization window. sync
// is the period of the cluster's HPA controller.
func ReadBehavior(b *autoscalingv2.HorizontalPodAutoscalerBehavior, sync time.Duration) (Ramp, time.Duration) {
	return rampOf(b, sync), stabilizationOf(b)
}

func stabilizationOf(b *autoscalingv2.HorizontalPodAutoscalerBehavior) time.Duration {
	if b == nil || b.ScaleDown == nil || b.ScaleDown.StabilizationWindowSeconds == nil {
		return defaultStabilization
	}
	return time.Duration(*b.ScaleDown.StabilizationWindowSeconds) * time.Second
}

// rampOf reads how fast an HPA may scale up. Without a behavior the controller's defaults hold.
func rampOf(b *autoscalingv2.HorizontalPodAutoscalerBehavior, sync time.Duration) Ramp {
	if b == nil {
		return Ramp{Sync: sync}
	}
	ramp := BehaviorDefaults()
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
			ramp.Select = SelectMin
		case autoscalingv2.DisabledPolicySelect:
			ramp.Select = SelectDisabled
		default:
			ramp.Select = SelectMax
		}
	}
	if len(b.ScaleUp.Policies) == 0 {
		return ramp
	}
	ramp.Policies = nil
	for _, p := range b.ScaleUp.Policies {
		kind := PolicyPods
		if p.Type == autoscalingv2.PercentScalingPolicy {
			kind = PolicyPercent
		}
		ramp.Policies = append(ramp.Policies, Policy{
			Kind: kind, Value: int(p.Value), Period: time.Duration(p.PeriodSeconds) * time.Second,
		})
	}
	return ramp
}
