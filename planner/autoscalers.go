package planner

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"headstart.dev/headstart/api/v1alpha1"
)

// ObjectMetric is the name of the Object metric of a Forecast.
const ObjectMetric = "demand"

// metricReference is a metric of an autoscaler that may read a Forecast: of an HPA, or of the one
// that KEDA makes from a ScaledObject.
type metricReference struct {
	kind            string // of the object that a person writes
	namespace, name string
	spec            *autoscalingv2.HorizontalPodAutoscalerSpec
	forecast        string
	target          autoscalingv2.MetricTarget
	// targetServed reports whether the target is the Forecast's own capacity, as KEDA reads it.
	targetServed bool
	// fromZero is how long the autoscaler takes, beside its sync, to leave 0 replicas.
	fromZero time.Duration
	findings []Finding
}

// who names the autoscaler in messages.
func (r metricReference) who() string { return who(r.kind, r.name) }

// metricReferences lists the metrics of an HPA that may read a Forecast: every External metric,
// and Object metrics that describe a Forecast. The External metrics of KEDA's HPAs are those of
// ScaledObjects, which are read themselves.
func metricReferences(hpa *autoscalingv2.HorizontalPodAutoscaler) []metricReference {
	var out []metricReference
	add := func(forecast string, target autoscalingv2.MetricTarget) {
		out = append(out, metricReference{
			kind: "HorizontalPodAutoscaler", namespace: hpa.Namespace, name: hpa.Name, spec: &hpa.Spec,
			forecast: forecast, target: target,
		})
	}
	for _, m := range hpa.Spec.Metrics {
		switch {
		case m.Type == autoscalingv2.ExternalMetricSourceType && m.External != nil && !ofScaledObject(m.External):
			add(m.External.Metric.Name, m.External.Target)
		case m.Type == autoscalingv2.ObjectMetricSourceType && m.Object != nil && describesForecast(m.Object):
			add(m.Object.DescribedObject.Name, m.Object.Target)
		}
	}
	return out
}

func ofScaledObject(m *autoscalingv2.ExternalMetricSource) bool {
	return m.Metric.Selector != nil && m.Metric.Selector.MatchLabels[scaledObjectLabel] != ""
}

func describesForecast(m *autoscalingv2.ObjectMetricSource) bool {
	of := m.DescribedObject
	return of.Kind == "Forecast" && strings.HasPrefix(of.APIVersion, v1alpha1.GroupName+"/") &&
		m.Metric.Name == ObjectMetric
}

// holdsFor returns the scale-down stabilization window that an HPA states itself; 0 without one.
func (r metricReference) holdsFor() time.Duration {
	b := r.spec.Behavior
	if r.kind == ScaledObjectKind.Kind || b == nil || b.ScaleDown == nil ||
		b.ScaleDown.StabilizationWindowSeconds == nil {
		return 0
	}
	return stabilizationOf(b)
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
	// autoscaler gives one, or when the metric is in replicas.
	Capacity float64
	// CapacityKind and CapacityName are the HPA or ScaledObject that gives Capacity.
	CapacityKind, CapacityName string
	// Kind and Name are the HPA or ScaledObject that gives the fields below. Of several
	// it is the first by name, and HPAs come before ScaledObjects.
	Kind, Name string
	// HPA is the HPA itself, which KEDA makes from a ScaledObject.
	HPA string
	// MinReplicas and MaxReplicas of that HPA; 0 without an HPA.
	MinReplicas, MaxReplicas int
	// Ramp is how fast that HPA adds replicas.
	Ramp Ramp
	// ScaleDownStabilization is the scale-down stabilization window of that HPA.
	ScaleDownStabilization time.Duration
	// HoldsFor is the shortest such window of all that read the Forecast, if each states its own; 0
	// where the flag of the HPA controller counts for one of them, and with a ScaledObject, since KEDA
	// goes to 0 replicas by a time of its own.
	HoldsFor time.Duration
	// Findings are what keeps the HPAs from following the Forecast.
	Findings []Finding
	// Count is how many metrics of HPAs and triggers of ScaledObjects read the Forecast.
	Count int

	// targets are the kinds of autoscalers that read the Forecast, by the target that they scale.
	targets map[string]string
}

// Finding is something about an HPA that keeps it from following the Forecast: the reason of a
// condition, and a message that says what to change.
type Finding struct{ Reason, Message string }

// defaultStabilization is the scale-down stabilization window of an HPA that does not set one.
const defaultStabilization = 5 * time.Minute

// Autoscalers are those that may read a Forecast.
type Autoscalers struct {
	HPAs          []autoscalingv2.HorizontalPodAutoscaler
	ScaledObjects []ScaledObject
}

// ReadHPAs is [ReadAutoscalers] without ScaledObjects.
func ReadHPAs(hpas []autoscalingv2.HorizontalPodAutoscaler, fc *v1alpha1.Forecast, sync time.Duration) Scaling {
	return ReadAutoscalers(Autoscalers{HPAs: hpas}, fc, sync)
}

// ReadAutoscalers collects what autoscalers say about a Forecast. Those that do not read it do not
// matter, nor does their order. sync is the period of the cluster's HPA controller.
func ReadAutoscalers(all Autoscalers, fc *v1alpha1.Forecast, sync time.Duration) Scaling {
	var references []metricReference
	for i := range all.HPAs {
		references = append(references, metricReferences(&all.HPAs[i])...)
	}
	hpas := map[string]string{}
	for _, o := range all.ScaledObjects {
		references = append(references, o.references()...)
		hpas[o.Name] = o.HPA
	}
	slices.SortStableFunc(references, func(a, b metricReference) int {
		return cmp.Or(strings.Compare(a.kind, b.kind), strings.Compare(a.name, b.name))
	})
	out, served := Scaling{targets: map[string]string{}}, false
	for _, r := range references {
		if r.forecast == fc.Name && r.namespace == fc.Namespace {
			holds := r.holdsFor()
			if out.Count > 0 {
				holds = min(holds, out.HoldsFor)
			}
			out.HoldsFor = holds
			out.Count++
			out.read(r, fc, sync)
			served = served || r.targetServed
		}
	}
	if served && out.Capacity == 0 && configuredCapacity(&fc.Spec) == nil {
		out.find("NoCapacity", "nobody says what one replica serves, so KEDA gets no target: "+
			"set spec.capacityPerReplica, or metadata.targetValue of the trigger")
	}
	if out.HPA = out.Name; out.Kind == ScaledObjectKind.Kind {
		out.HPA = hpas[out.Name]
	}
	out.targets = nil
	return out
}

func (s *Scaling) find(reason, format string, args ...any) {
	s.Findings = append(s.Findings, Finding{reason, fmt.Sprintf(format, args...)})
}

// read adds one metric of an HPA. The first one gives the values, and the others are compared
// with it.
func (s *Scaling) read(r metricReference, fc *v1alpha1.Forecast, sync time.Duration) {
	who, spec := r.who(), r.spec
	for _, f := range r.findings {
		s.find(f.Reason, "%s: %s", who, f.Message)
	}
	s.checkTarget(r)
	if r.target.Type != autoscalingv2.AverageValueMetricType || (r.target.AverageValue == nil && !r.targetServed) {
		s.find("TargetTypeValue", "%s reads the forecast with target type %s. "+
			"A forecast does not fall when replicas rise, so the HPA runs away: "+
			"set %s to AverageValue, with the demand that one replica serves",
			who, r.target.Type, fieldNames(r.kind).TargetType)
		return
	}
	if s.Name == "" {
		s.Kind, s.Name, s.MinReplicas, s.MaxReplicas = r.kind, r.name, 1, int(spec.MaxReplicas)
		if spec.MinReplicas != nil {
			s.MinReplicas = int(*spec.MinReplicas)
		}
		s.Ramp, s.ScaleDownStabilization = rampOf(spec.Behavior, sync), stabilizationOf(spec.Behavior)
		if r.kind == ScaledObjectKind.Kind && s.MinReplicas == 0 {
			s.Ramp.FromZero = s.Ramp.sync() + r.fromZero
		}
	}
	s.checkCapacity(r, fc)
	if ref, want := spec.ScaleTargetRef, fc.Spec.TargetRef; ref.Kind != want.Kind || ref.Name != want.Name {
		s.find("TargetDiffers", "%s scales %s/%s and the forecast learns its lead from %s/%s: "+
			"name the same target in both", who, ref.Kind, ref.Name, want.Kind, want.Name)
	}
	s.checkBehavior(r)
}

// checkCapacity compares the target of a metric with that of the others and with the spec. A target
// that KEDA reads from the Forecast is always right.
func (s *Scaling) checkCapacity(r metricReference, fc *v1alpha1.Forecast) {
	if r.target.AverageValue == nil {
		return
	}
	capacity, own := r.target.AverageValue.AsApproximateFloat64(), configuredCapacity(&fc.Spec)
	if fc.Spec.Serve.Unit == v1alpha1.ServeReplicas {
		if capacity != 1 {
			s.find("TargetNotOne", "%s counts one replica for every %s of the metric (%s), and spec.serve.unit of "+
				"the forecast is Replicas: set it to \"1\"", r.who(), r.target.AverageValue, fieldNames(r.kind).Capacity)
		}
		return
	}
	switch {
	case s.Capacity == 0:
		s.Capacity, s.CapacityKind, s.CapacityName = capacity, r.kind, r.name
	case s.Capacity != capacity && own == nil:
		fields := fieldNames(s.CapacityKind).Capacity
		if own := fieldNames(r.kind).Capacity; own != fields {
			fields += " and " + own
		}
		s.find("CapacityDisagrees", "%s read the forecast with %v and %v (%s), "+
			"but a replica has only one capacity: make them equal",
			both(metricReference{kind: s.CapacityKind, name: s.CapacityName}, r), s.Capacity, capacity, fields)
	}
	if learns(&fc.Spec) {
		s.checkLearned(r, fc)
		return
	}
	if own != nil && own.Cmp(*r.target.AverageValue) != 0 {
		remedy := "make the two equal, or leave spec.capacityPerReplica out"
		if capacity == 1 {
			remedy = "make the two equal, or set spec.serve.unit to Replicas"
		}
		s.find("CapacityDiffers", "%s counts one replica for every %s of demand (%s), "+
			"and the plan one for every %s (spec.capacityPerReplica): %s",
			r.who(), r.target.AverageValue, fieldNames(r.kind).Capacity, own, remedy)
	}
}

// checkTarget finds an HPA and a ScaledObject that scale one target. KEDA makes an HPA of its own,
// and then two HPAs set the replicas.
func (s *Scaling) checkTarget(r metricReference) {
	ref := r.spec.ScaleTargetRef
	key := ref.Kind + "/" + ref.Name
	if other, ok := s.targets[key]; ok && other != r.kind {
		s.find("TwoAutoscalers", "an HPA and %s both scale %s by this forecast, and KEDA makes an HPA of its own: "+
			"keep one of the two", r.who(), key)
		return
	}
	s.targets[key] = r.kind
}

// checkBehavior adds what keeps an HPA from scaling up as the forecast asks.
func (s *Scaling) checkBehavior(r metricReference) {
	var up autoscalingv2.HPAScalingRules
	who, field := r.who(), fieldNames(r.kind).Behavior
	if b := r.spec.Behavior; b != nil && b.ScaleUp != nil {
		up = *b.ScaleUp
	}
	if up.Tolerance == nil || !up.Tolerance.IsZero() {
		s.find("Tolerance", "%s ignores changes of up to 10 %% (from 20 to 22 replicas, for example): "+
			"set %s.scaleUp.tolerance to 0 (Kubernetes 1.35 and later)", who, field)
	}
	if up.SelectPolicy != nil && *up.SelectPolicy == autoscalingv2.DisabledPolicySelect {
		s.find("ScaleUpDisabled", "%s never scales up: change %s.scaleUp.selectPolicy from Disabled to Max", who, field)
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
