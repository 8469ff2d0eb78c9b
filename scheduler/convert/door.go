package convert

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"headstart.dev/headstart/scheduler/door"
	"headstart.dev/headstart/scheduler/manifest"
)

// doorFor returns the door for what an object is converted to: the one that was asked for, or else
// the one that the object itself uses.
func (s *source) doorFor() door.Door {
	if s.c.options.Door == "" && s.kind == scaledObjectKind {
		return door.KEDA
	}
	return cmp.Or(s.c.options.Door, s.c.options.Unasked, door.External)
}

// LeavesDoorOpen reports whether there is something to convert that does not say by itself how the
// new autoscaler reads the Forecast.
func LeavesDoorOpen(objects []manifest.Object) bool {
	return slices.ContainsFunc(objects, func(o manifest.Object) bool {
		return o.Kind != scaledObjectKind && kinds[o.Group()+"/"+o.Kind] != nil
	})
}

// names returns how to call the new autoscaler and its bounds.
func (s *source) names() door.Names { return s.doorFor().Names() }

// reading says how the new autoscaler reads a Forecast.
func (s *source) reading() string {
	switch s.doorFor() {
	case door.KEDA:
		return "with a trigger of a ScaledObject"
	case door.Object:
		return "as an Object metric with an averageValue of capacityPerReplica"
	default:
		return "as an External metric with an averageValue of capacityPerReplica"
	}
}

const scaledObjectKind = "ScaledObject"

// addAutoscaler adds the autoscaler that reads the Forecast of a conversion. A ScaledObject that
// stays one keeps all that it has, except for its cron triggers.
func (s *source) addAutoscaler(v conversion) error {
	d := s.doorFor()
	if s.c.options.Door != "" || d != door.External {
		s.note("%s", d.Needs())
	}
	if s.staysScaledObject() {
		return s.addScaledObject(v)
	}
	if note := s.c.options.Kubernetes.WithoutTolerance(); note != "" {
		s.note("%s", note)
	}
	apiVersion, kind, spec := d.Manifest(door.Autoscaler{
		Name: v.name, Target: door.Target(v.target), Min: v.min, Max: v.max, Capacity: v.capacity,
	}, s.c.options.Kubernetes)
	s.addObject(apiVersion, kind, v.name, spec)
	return nil
}

// staysScaledObject reports whether the object is a ScaledObject before and after.
func (s *source) staysScaledObject() bool {
	return s.kind == scaledObjectKind && s.doorFor() == door.KEDA
}

// addScaledObject adds the ScaledObject that takes the place of the original, with its labels and
// annotations: one of them may pause it.
func (s *source) addScaledObject(v conversion) error {
	spec, err := s.withoutCron(v)
	if err != nil {
		return err
	}
	s.addObject("keda.sh/v1alpha1", scaledObjectKind, s.meta.Name, spec)
	var head struct {
		Metadata struct {
			Labels      map[string]any `json:"labels"`
			Annotations map[string]any `json:"annotations"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(s.raw, &head); err != nil {
		return fmt.Errorf("cannot read it: %w", manifest.Readable(err))
	}
	delete(head.Metadata.Annotations, "kubectl.kubernetes.io/last-applied-configuration")
	objects := s.c.result.Objects
	meta := objects[len(objects)-1]["metadata"].(map[string]any)
	if len(head.Metadata.Labels) > 0 {
		meta["labels"] = head.Metadata.Labels
	}
	if len(head.Metadata.Annotations) > 0 {
		meta["annotations"] = head.Metadata.Annotations
	}
	return nil
}

// withoutCron returns the spec of a ScaledObject in which one trigger that reads the Forecast takes
// the place of its cron triggers.
func (s *source) withoutCron(v conversion) (map[string]any, error) {
	var in struct {
		Spec map[string]any `json:"spec"`
	}
	if err := json.Unmarshal(s.raw, &in); err != nil {
		return nil, fmt.Errorf("cannot read it: %w", manifest.Readable(err))
	}
	spec := in.Spec
	triggers, _ := spec["triggers"].([]any)
	first := door.Trigger(v.name)
	if v.activation != "" {
		first["metadata"].(map[string]any)["activationThreshold"] = v.activation
	}
	kept := []any{first}
	for _, t := range triggers {
		if fields, ok := t.(map[string]any); ok && fields["type"] == "cron" {
			continue
		}
		kept = append(kept, t)
	}
	spec["triggers"] = kept
	spec["maxReplicaCount"] = v.max
	if spec["minReplicaCount"] != nil { // it may be text
		spec["minReplicaCount"] = v.min
	}
	if v.idle != nil {
		spec["idleReplicaCount"] = int32(*v.idle)
	}
	return spec, nil
}
