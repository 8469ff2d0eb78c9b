package planner

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ScaledObjectKind is the kind of KEDA's ScaledObjects.
var ScaledObjectKind = schema.GroupVersionKind{Group: "keda.sh", Version: "v1alpha1", Kind: "ScaledObject"}

// scaledObjectLabel is in the selector of every external metric that KEDA's HPAs read.
const scaledObjectLabel = "scaledobject.keda.sh/name"

// KEDA's defaults.
const (
	defaultPolling     = 30 * time.Second
	defaultMaxReplicas = 100
)

// pushAhead is how far ahead of its lead a Forecast is already active for KEDA, see package
// externalscaler.
const pushAhead = 30 * time.Second

// ScaledObject is what a ScaledObject of KEDA says about planning: the HPA that KEDA makes from it,
// and the triggers that read Forecasts.
type ScaledObject struct {
	Namespace, Name string
	// HPA is the name of the HPA that KEDA makes.
	HPA string
	// spec is what that HPA says, without its metrics. Its minReplicas may be 0.
	spec     autoscalingv2.HorizontalPodAutoscalerSpec
	triggers []forecastTrigger
	// polling is how often KEDA asks whether to leave 0 replicas.
	polling  time.Duration
	findings []Finding
}

// forecastTrigger is a trigger that reads a Forecast.
type forecastTrigger struct {
	forecast string
	target   autoscalingv2.MetricTarget
	// push reports whether KEDA is told of activity, and does not only ask for it.
	push     bool
	findings []Finding
}

// The part of a ScaledObject that is read. Everything else is KEDA's business. So is cooldownPeriod:
// KEDA holds one replica for that long after the last demand, and a Forecast is active a lead before
// the next.
type scaledObject struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		ScaleTargetRef struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			Name       string `json:"name"`
		} `json:"scaleTargetRef"`
		PollingInterval *int32 `json:"pollingInterval"`
		MinReplicaCount *int32 `json:"minReplicaCount"`
		MaxReplicaCount *int32 `json:"maxReplicaCount"`
		// IdleReplicaCount is what KEDA holds while no trigger is active. The minimum is for the other
		// times.
		IdleReplicaCount *int32 `json:"idleReplicaCount"`
		Advanced         struct {
			HorizontalPodAutoscalerConfig struct {
				Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior"`
				Name     string                                         `json:"name"`
			} `json:"horizontalPodAutoscalerConfig"`
			ScalingModifiers struct {
				Formula string `json:"formula"`
				Target  string `json:"target"`
			} `json:"scalingModifiers"`
		} `json:"advanced"`
		Triggers []scaledTrigger `json:"triggers"`
	} `json:"spec"`
}

type scaledTrigger struct {
	Type              string                         `json:"type"`
	Metadata          map[string]string              `json:"metadata"`
	MetricType        autoscalingv2.MetricTargetType `json:"metricType"`
	UseCachedMetrics  bool                           `json:"useCachedMetrics"`
	AuthenticationRef *struct {
		Name string `json:"name"`
	} `json:"authenticationRef"`
}

// ReadScaledObject reads a ScaledObject. The error says what cannot be read.
func ReadScaledObject(obj *unstructured.Unstructured) (ScaledObject, error) {
	var in scaledObject
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, &in); err != nil {
		return ScaledObject{}, fmt.Errorf("read ScaledObject %s/%s: %w", obj.GetNamespace(), obj.GetName(), err)
	}
	advanced := in.Spec.Advanced
	out := ScaledObject{
		Namespace: in.Namespace, Name: in.Name, HPA: advanced.HorizontalPodAutoscalerConfig.Name, polling: defaultPolling,
	}
	if out.HPA == "" {
		out.HPA = "keda-hpa-" + in.Name
	}
	if p := in.Spec.PollingInterval; p != nil && *p > 0 {
		out.polling = time.Duration(*p) * time.Second
	}
	target := in.Spec.ScaleTargetRef
	if target.Kind == "" {
		target.APIVersion, target.Kind = "apps/v1", "Deployment"
	}
	least, most := int32(0), int32(defaultMaxReplicas)
	if n := in.Spec.MinReplicaCount; n != nil {
		least = *n
	}
	if n := in.Spec.IdleReplicaCount; n != nil {
		least = min(least, *n)
	}
	if n := in.Spec.MaxReplicaCount; n != nil {
		most = *n
	}
	out.spec = autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{
			APIVersion: target.APIVersion, Kind: target.Kind, Name: target.Name,
		},
		MinReplicas: &least, MaxReplicas: most, Behavior: advanced.HorizontalPodAutoscalerConfig.Behavior,
	}
	out.findings = pauses(in.Annotations)
	if formula := advanced.ScalingModifiers.Formula; formula != "" {
		out.findings = append(out.findings, Finding{"ScalingModifiers", fmt.Sprintf(
			"the HPA follows the formula %q and its target %q, and not the forecast's own target: "+
				"leave the formula out, since an HPA follows the largest of its metrics anyway",
			formula, advanced.ScalingModifiers.Target)})
	}
	for _, t := range in.Spec.Triggers {
		if read, ok := t.read(out.polling, least == 0); ok {
			out.triggers = append(out.triggers, read)
		}
	}
	return out, nil
}

// pauses lists the annotations by which KEDA does not scale up. KEDA reads a value that is not a
// boolean as true.
func pauses(annotations map[string]string) []Finding {
	const prefix = "autoscaling.keda.sh/"
	on := func(name string) bool {
		text, found := annotations[prefix+name]
		v, err := strconv.ParseBool(text)
		return found && (v || err != nil)
	}
	var out []Finding
	if n, ok := annotations[prefix+"paused-replicas"]; ok {
		out = append(out, Finding{"Paused", fmt.Sprintf(
			"it is held at %s replicas: remove the annotation %spaused-replicas", n, prefix)})
	} else if on("paused") {
		out = append(out, Finding{"Paused", "it is paused and does not scale: remove the annotation " + prefix + "paused"})
	}
	if on("paused-scale-out") {
		out = append(out, Finding{
			"ScaleUpDisabled", "it never scales up: remove the annotation " + prefix + "paused-scale-out",
		})
	}
	return out
}

// The keys that Headstart and KEDA know in the metadata of such a trigger.
var triggerKeys = []string{"forecast", "targetValue", "activationThreshold", "scalerAddress", "enableTLS", "unsafeSsl"}

// read returns the trigger, and reports whether it reads a Forecast.
func (t scaledTrigger) read(polling time.Duration, toZero bool) (forecastTrigger, bool) {
	name := strings.TrimSpace(t.Metadata["forecast"]) // as the scaler reads it
	if (t.Type != "external" && t.Type != "external-push") || name == "" {
		return forecastTrigger{}, false
	}
	out := forecastTrigger{
		forecast: name, push: t.Type == "external-push",
		target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType},
	}
	find := func(reason, format string, args ...any) {
		out.findings = append(out.findings, Finding{reason, fmt.Sprintf(format, args...)})
	}
	if t.MetricType != "" {
		out.target.Type = t.MetricType
	}
	if text, ok := t.Metadata["targetValue"]; ok {
		if v, err := targetOf(text); err != nil {
			find("TriggerInvalid", "metadata.targetValue of its trigger is %q: %v", text, err)
		} else {
			out.target.AverageValue = v
		}
	}
	out.findings = append(out.findings, t.trust()...)
	for _, key := range unknownKeys(t.Metadata) {
		find("TriggerInvalid", "metadata.%s of its trigger means nothing: it knows %s", key,
			strings.Join(triggerKeys[:3], ", "))
	}
	if t.UseCachedMetrics {
		find("CachedMetrics", "useCachedMetrics lets the HPA read values that are up to %s old: "+
			"leave it out, the forecast is answered from memory", polling)
	}
	if !out.push && toZero && polling > 2*pushAhead {
		find("SlowActivation", "KEDA asks every %s whether to leave 0 replicas: use the trigger type external-push, "+
			"or a shorter pollingInterval", polling)
	}
	return out, true
}

// trust finds what is wrong with the connection of a trigger.
func (t scaledTrigger) trust() []Finding {
	on := func(key string) bool {
		v, err := strconv.ParseBool(t.Metadata[key])
		return v && err == nil
	}
	switch {
	case !on("enableTLS") && t.AuthenticationRef == nil:
		return []Finding{{"TriggerWithoutTLS", "its trigger connects without TLS, which the scaler refuses: " +
			"set metadata.enableTLS to \"true\", and authenticationRef to a TriggerAuthentication with the CA"}}
	case on("unsafeSsl"):
		return []Finding{{"TriggerUnverified", "its trigger trusts any server, which then sets its replicas: " +
			"leave metadata.unsafeSsl out, and set authenticationRef to a TriggerAuthentication with the CA"}}
	case t.AuthenticationRef == nil:
		return []Finding{{"TriggerWithoutCA", "its trigger does not trust the CA that Headstart makes: " +
			"set authenticationRef to a TriggerAuthentication with the CA"}}
	}
	return nil
}

// unknownKeys lists the keys that nobody reads, in order.
func unknownKeys(metadata map[string]string) []string {
	var out []string
	for key := range metadata {
		if !slices.Contains(triggerKeys, strings.TrimSuffix(key, "FromEnv")) {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

// targetOf reads the target of a trigger, as the scaler does.
func targetOf(text string) (*resource.Quantity, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(v) || v < 0.001 || v > 9e15 {
		return nil, errors.New("give a number of 0.001 or more")
	}
	return resource.NewMilliQuantity(int64(math.Round(v*1000)), resource.DecimalSI), nil
}

// Equal reports whether two ScaledObjects say the same about planning.
func (o ScaledObject) Equal(other ScaledObject) bool { return reflect.DeepEqual(o, other) }

// Forecasts lists the names of the Forecasts that the ScaledObject reads, each once.
func (o ScaledObject) Forecasts() []string {
	var names []string
	for _, t := range o.triggers {
		if !slices.Contains(names, t.forecast) {
			names = append(names, t.forecast)
		}
	}
	return names
}

// references lists the triggers that read a Forecast, as metrics of the HPA that KEDA makes. They are
// copies, since a quantity may change when it is printed.
func (o ScaledObject) references() []metricReference {
	var out []metricReference
	for _, t := range o.triggers {
		r := metricReference{
			kind: ScaledObjectKind.Kind, namespace: o.Namespace, name: o.Name, spec: o.spec.DeepCopy(),
			forecast: t.forecast, target: *t.target.DeepCopy(), targetServed: t.target.AverageValue == nil,
			findings: slices.Concat(o.findings, t.findings),
		}
		if !t.push {
			r.fromZero = max(0, o.polling-pushAhead)
		}
		out = append(out, r)
	}
	return out
}
