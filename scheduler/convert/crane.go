package convert

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
)

// craneSpec has the fields of an EffectiveHorizontalPodAutoscaler's spec that are read.
type craneSpec struct {
	ScaleTargetRef workload       `json:"scaleTargetRef"`
	MinReplicas    *count         `json:"minReplicas"`
	MaxReplicas    count          `json:"maxReplicas"`
	ScaleStrategy  string         `json:"scaleStrategy"`
	Prediction     map[string]any `json:"prediction"`
	Metrics        []any          `json:"metrics"`
	Crons          []struct {
		Name           string `json:"name"`
		Timezone       string `json:"timezone"`
		Start          string `json:"start"`
		End            string `json:"end"`
		TargetReplicas count  `json:"targetReplicas"`
	} `json:"crons"`
}

func fromCrane(s *source) error {
	var in struct {
		Spec craneSpec `json:"spec"`
	}
	if err := s.decode(&in); err != nil {
		return err
	}
	if len(in.Spec.Crons) == 0 {
		return errors.New("it has no crons")
	}
	if in.Spec.ScaleTargetRef.Name == "" {
		return errNoTarget
	}
	s.noteUnsupported(fields("minReplicas", "maxReplicas", "scaleStrategy", "prediction", "metrics").
		with("scaleTargetRef", workloadFields()).
		with("crons", fields("name", "description", "timezone", "start", "end", "targetReplicas")))
	v := conversion{
		name: s.meta.Name, target: in.Spec.ScaleTargetRef, capacity: "1",
		min: int32(valueOr(in.Spec.MinReplicas, 1)), max: int32(in.Spec.MaxReplicas),
	}
	var periods []period
	for _, c := range in.Spec.Crons {
		zone := c.Timezone
		if zone == "" || zone == "Local" {
			zone = cmp.Or(s.c.options.TimeZone, "UTC")
			s.note("%s names no zone, so Crane follows the clock of its own machine: %s is assumed; "+
				"give another zone with --time-zone", c.Name, zone)
		}
		periods = append(periods, period{c.Name, zone, c.Start, c.End, int32(c.TargetReplicas)})
	}
	var err error
	bounds := periodBounds{v.min, v.max, s.names().Min, "Crane", "maxReplicas"}
	if v.groups, err = s.periodGroups(periods, bounds); err != nil {
		return err
	}
	s.noteCrane(in.Spec)
	s.noteClockChange()
	s.originalHPA = "ehpa-" + s.meta.Name
	s.stopOriginal = "delete it and HorizontalPodAutoscaler " + s.originalHPA
	return s.write(v)
}

// noteCrane notes the parts of a spec that are read but not converted.
func (s *source) noteCrane(spec craneSpec) {
	if spec.Prediction != nil {
		s.note("its prediction is not converted: give the Forecast a spec.demand with the query of the load, " +
			"and capacityPerReplica in the same unit")
		annotations := s.annotations()
		for _, name := range slices.Sorted(maps.Keys(annotations)) {
			if metric, ok := strings.CutPrefix(name, "metric-query.autoscaling.crane.io/"); ok {
				s.note("its annotation %s has the query for %s: %s", name, metric, annotations[name])
			}
		}
	}
	if n := len(spec.Metrics); n > 0 {
		s.note("its metrics (%d) are not converted: add them to the new %s, which follows the largest", n, s.names().Kind)
	}
	if spec.ScaleStrategy == "Preview" {
		s.note("it has the strategy Preview and scales nothing: for the same effect, set mode DryRun on the Forecast")
	}
}
