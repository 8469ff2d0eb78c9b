package planner

import "fmt"

// FieldNames are the names of an autoscaler's fields in messages, as a person writes them. They are
// below its spec, except those of a trigger or a metric.
type FieldNames struct {
	MaxReplicas, Behavior string
	// Capacity is the demand that one replica serves, and TargetType says how it is meant.
	Capacity, TargetType string
}

func fieldNames(kind string) FieldNames {
	if kind == ScaledObjectKind.Kind {
		return FieldNames{
			MaxReplicas: "maxReplicaCount", Behavior: "advanced.horizontalPodAutoscalerConfig.behavior",
			Capacity: "metadata.targetValue of the trigger", TargetType: "metricType of the trigger",
		}
	}
	return FieldNames{
		MaxReplicas: "maxReplicas", Behavior: "behavior",
		Capacity: "averageValue", TargetType: "target.type of the metric",
	}
}

// Fields returns the names of the fields of the autoscaler that gives MaxReplicas and Ramp.
func (s Scaling) Fields() FieldNames { return fieldNames(s.Kind) }

// Who names the autoscaler that gives MaxReplicas and Ramp in messages. It is the object that a
// person writes: KEDA undoes changes of the HPA that it makes.
func (s Scaling) Who() string { return who(s.Kind, s.Name) }

func who(kind, name string) string {
	if kind == ScaledObjectKind.Kind {
		return "ScaledObject " + name
	}
	return "HPA " + name
}

// both names two autoscalers in messages.
func both(a, b metricReference) string {
	if a.kind == b.kind && a.kind != ScaledObjectKind.Kind {
		return fmt.Sprintf("HPAs %s and %s", a.name, b.name)
	}
	return a.who() + " and " + b.who()
}
