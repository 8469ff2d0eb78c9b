package convert

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/scheduler"
)

// workload is what an autoscaler scales.
type workload struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
}

func workloadFields() fieldSet { return fields("apiVersion", "kind", "name") }

// manifest returns w as in a manifest.
func (w workload) manifest() map[string]any {
	return map[string]any{"apiVersion": w.APIVersion, "kind": w.Kind, "name": w.Name}
}

var errNoTarget = errors.New("it does not say what it scales: complete the manifest")

// hpa has the fields of a HorizontalPodAutoscaler that are read.
type hpa struct {
	Metadata metadata `json:"metadata"`
	Spec     struct {
		ScaleTargetRef workload `json:"scaleTargetRef"`
		MinReplicas    *count   `json:"minReplicas"`
		MaxReplicas    count    `json:"maxReplicas"`
		Metrics        []struct {
			Type   string `json:"type"`
			Object struct {
				DescribedObject workload `json:"describedObject"`
				Target          struct {
					AverageValue scalar `json:"averageValue"`
				} `json:"target"`
			} `json:"object"`
		} `json:"metrics"`
	} `json:"spec"`
}

// conversion is what one object is converted to: PeakSchedules, and with a target a Forecast and an
// HPA.
type conversion struct {
	name     string // of the Forecast and the HPA
	target   workload
	min, max int32  // replicas
	idle     *count // replicas of a ScaledObject where nothing is active; nil stands for min
	// capacity is the demand that one replica serves; "1" where demand is counted in replicas.
	capacity string
	query    string // of the demand; empty without one
	// activation is the demand above which a ScaledObject's target wakes; empty stands for 0.
	activation string
	groups     []windowGroup
}

// windowGroup becomes one PeakSchedule, because a PeakSchedule has one zone.
type windowGroup struct {
	name     string
	timeZone string
	windows  []v1alpha1.PeakWindow
	except   []v1alpha1.CalendarDay
}

// maxName is the longest name of a Forecast.
const maxName = 63

// write adds the objects of a conversion to the result. It returns an error where one of them could
// not be evaluated.
func (s *source) write(v conversion) error {
	if len(v.name) > maxName {
		return fmt.Errorf("its name has %d characters, and that of a Forecast at most %d: shorten it in the file",
			len(v.name), maxName)
	}
	if s.isEmpty(v) {
		s.note("nothing is written, because neither a window nor a demand is left, and a Forecast without them never "+
			"serves anything: it always wants %d replicas. Set them in the workload itself, or as %s of a %s",
			v.min, s.names().Min, s.names().Kind)
		return nil
	}
	key := s.meta.Namespace + "/" + v.name
	if s.c.made[key] != "" {
		return fmt.Errorf("%s of the same name and namespace is converted already: rename one of them in the file",
			s.c.made[key])
	}
	s.c.made[key] = s.kind
	if v.target.Name != "" {
		s.add("Forecast", v.name, forecastSpec(v))
	}
	for _, group := range v.groups {
		if len(group.windows) == 0 {
			continue
		}
		if err := s.writePeaks(v, group); err != nil {
			return err
		}
	}
	if v.target.Name != "" {
		if err := s.addAutoscaler(v); err != nil {
			return err
		}
		s.noteConflicts(v)
	}
	return nil
}

// isEmpty reports whether a conversion has neither a window nor a demand.
func (s *source) isEmpty(v conversion) bool {
	return v.query == "" && !slices.ContainsFunc(v.groups, func(g windowGroup) bool { return len(g.windows) > 0 })
}

func forecastSpec(v conversion) map[string]any {
	spec := map[string]any{"targetRef": v.target.manifest(), "capacityPerReplica": v.capacity}
	if v.query != "" {
		spec["demand"] = map[string]any{"prometheus": map[string]any{"query": v.query}}
	}
	return spec
}

// writePeaks adds a PeakSchedule, and a Calendar for its exceptions.
func (s *source) writePeaks(v conversion, group windowGroup) error {
	spec := v1alpha1.PeakScheduleSpec{
		ForecastRefs: []v1alpha1.ForecastReference{{Name: v.name}},
		TimeZone:     v1alpha1.TimeZone(group.timeZone),
		Windows:      group.windows,
	}
	calendars := scheduler.Calendars{}
	if len(group.except) > 0 {
		name := strings.Trim(s.meta.Namespace+"-"+group.name+"-except", "-")
		calendar, err := scheduler.CompileCalendar(name, v1alpha1.CalendarSpec{Days: group.except})
		if err != nil {
			return fmt.Errorf("its exceptions give an invalid Calendar: %w", err)
		}
		calendars[name] = calendar
		s.c.result.Objects = append(s.c.result.Objects, map[string]any{
			"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Calendar",
			"metadata": map[string]any{"name": name}, "spec": map[string]any{"days": untyped(group.except)},
		})
		spec.Except = &v1alpha1.Days{Calendars: []string{name}}
	}
	if _, err := scheduler.Compile(group.name, spec, calendars); err != nil {
		return fmt.Errorf("its windows give an invalid PeakSchedule: %w", err)
	}
	s.add("PeakSchedule", group.name, untyped(spec))
	return nil
}

// add adds one object of Headstart's with a namespace to the result.
func (s *source) add(kind, name string, spec any) {
	s.addObject(v1alpha1.GroupVersion.String(), kind, name, spec)
}

// addObject adds one object with a namespace to the result.
func (s *source) addObject(apiVersion, kind, name string, spec any) {
	meta := map[string]any{"name": name}
	if s.meta.Namespace != "" {
		meta["namespace"] = s.meta.Namespace
	}
	s.c.result.Objects = append(s.c.result.Objects,
		map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": meta, "spec": spec})
}

// noteConflicts notes which other HorizontalPodAutoscalers select the same pods.
func (s *source) noteConflicts(v conversion) {
	ofKEDA := s.names().Kind == scaledObjectKind
	if s.stopOriginal != "" {
		why := "two that select the same pods stop each other"
		if ofKEDA {
			why = "KEDA makes a HorizontalPodAutoscaler of it, and " + why
		}
		s.note("%s before you apply the new %s %s: %s", s.stopOriginal, s.names().Kind, v.name, why)
	}
	for _, h := range s.c.hpas {
		if h.Metadata.Namespace != s.meta.Namespace || h.Metadata.Name == s.originalHPA {
			continue
		}
		if h.Metadata.Name == v.name && !ofKEDA {
			s.note("HorizontalPodAutoscaler %s has the name of the new one, which replaces it and its metrics: "+
				"move its metrics into the new one first", v.name)
			continue
		}
		if h.Spec.ScaleTargetRef.Kind != v.target.Kind || h.Spec.ScaleTargetRef.Name != v.target.Name {
			continue
		}
		if ofKEDA {
			s.note("HorizontalPodAutoscaler %s selects the same pods as the one that KEDA makes of ScaledObject %s, and "+
				"two that do stop each other: move its metrics into the ScaledObject, and delete it first",
				h.Metadata.Name, v.name)
			continue
		}
		s.note("HorizontalPodAutoscaler %s selects the same pods as the new one, and two that do stop each other: "+
			"move its metrics into the new one, and delete it first", h.Metadata.Name)
	}
}

// untyped turns a typed value into maps and lists, without empty fields.
func untyped(v any) any {
	text, err := yaml.Marshal(v)
	if err != nil {
		return nil
	}
	var out any
	if err := yaml.Unmarshal(text, &out); err != nil {
		return nil
	}
	return out
}
