// Package convert turns the timed scaling of other autoscalers into PeakSchedules, and where something must read them, into
// Forecasts and HorizontalPodAutoscalers.
//
// It reads cronhpa's CronHorizontalPodAutoscaler, TKE's HorizontalPodCronscaler and CronHPA, KEDA's ScaledObject, Crane's
// EffectiveHorizontalPodAutoscaler and Zalando's ScalingSchedule and ClusterScalingSchedule. What acts at a point in time
// becomes a window that lasts until the next such point. Everything that could not be carried over is named in a note.
package convert

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/scheduler"
	"headstart.dev/headstart/scheduler/manifest"
)

// Options say what the files do not.
type Options struct {
	// TimeZone of autoscalers that follow the clock of the machine or process that they run on. Empty for the default of each.
	TimeZone string
}

// Result is what was converted.
type Result struct {
	// Objects are manifests in the order in which they are to be applied.
	Objects []map[string]any
	// Notes name what to know before applying them, and what was not carried over.
	Notes []Note
}

// Note is one sentence about one object of the input.
type Note struct {
	// Object is kind and name.
	Object string
	// Text says what to know.
	Text string
}

// converter collects the result.
type converter struct {
	options Options
	hpas    []hpa
	made    map[string]string // namespace/name to the kind that it was made from
	result  Result
}

// source is one object of the input.
type source struct {
	c          *converter
	kind       string
	meta       metadata
	raw        []byte
	whatToStop string // what to do about the original
}

type metadata struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

func (s *source) note(format string, args ...any) {
	s.c.result.Notes = append(s.c.result.Notes, Note{Object: s.kind + " " + s.meta.Name, Text: fmt.Sprintf(format, args...)})
}

func (s *source) annotations() map[string]string {
	var head struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(s.raw, &head); err != nil {
		return nil
	}
	return head.Metadata.Annotations
}

// kinds are the readers of what can be converted, by the API group and the kind.
var kinds = map[string]func(*source) error{
	"autoscaling.alibabacloud.com/CronHorizontalPodAutoscaler": fromCronHPA,
	"autoscaling.cloud.tencent.com/HorizontalPodCronscaler":    fromTKE,
	"extensions.tkestack.io/CronHPA":                           fromTKEStack,
	"keda.sh/ScaledObject":                                     fromKEDA,
	"autoscaling.crane.io/EffectiveHorizontalPodAutoscaler":    fromCrane,
	"zalando.org/ScalingSchedule":                              fromZalando,
	"zalando.org/ClusterScalingSchedule":                       fromZalando,
}

// Convert converts those objects that it knows. HorizontalPodAutoscalers among them are read too, for they say whom a schedule
// scales. The error joins what cannot be converted at all; the rest is in the Result.
func Convert(objects []manifest.Object, options Options) (Result, error) {
	c := &converter{options: options, made: map[string]string{}}
	var errs []error
	for _, o := range objects {
		if o.Kind == "HorizontalPodAutoscaler" {
			var h hpa
			if err := json.Unmarshal(o.Raw, &h); err != nil {
				errs = append(errs, fmt.Errorf("HorizontalPodAutoscaler %s: cannot read it: %w", o.Name, manifest.Readable(err)))
				continue
			}
			c.hpas = append(c.hpas, h)
		}
	}
	converted := 0
	for _, o := range objects {
		s := &source{c: c, kind: o.Kind, meta: metadata{Name: o.Name, Namespace: o.Namespace}, raw: o.Raw}
		read, ok := kinds[o.Group()+"/"+o.Kind]
		if !ok {
			if o.Kind != "HorizontalPodAutoscaler" {
				s.note("left out, for it is none of the kinds that are converted")
			}
			continue
		}
		converted++
		before := len(c.result.Objects)
		if err := read(s); err != nil {
			c.result.Objects = c.result.Objects[:before] // a part of what one object becomes is worse than nothing of it
			errs = append(errs, fmt.Errorf("%s %s: %w", s.kind, s.meta.Name, err))
		}
	}
	if converted == 0 && errors.Join(errs...) == nil {
		return c.result, errors.New("there is nothing to convert: give manifests of CronHorizontalPodAutoscaler, HorizontalPodCronscaler, " +
			"CronHPA, ScaledObject, EffectiveHorizontalPodAutoscaler, ScalingSchedule or ClusterScalingSchedule")
	}
	return c.result, errors.Join(errs...)
}

// target is a workload.
type target struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
}

// hpa is what is read of a HorizontalPodAutoscaler.
type hpa struct {
	Metadata metadata `json:"metadata"`
	Spec     struct {
		ScaleTargetRef target `json:"scaleTargetRef"`
		MinReplicas    *int32 `json:"minReplicas"`
		MaxReplicas    int32  `json:"maxReplicas"`
		Metrics        []struct {
			Type   string `json:"type"`
			Object struct {
				DescribedObject target `json:"describedObject"`
				Target          struct {
					AverageValue string `json:"averageValue"`
				} `json:"target"`
			} `json:"object"`
		} `json:"metrics"`
	} `json:"spec"`
}

// plan is what a converted object becomes.
type plan struct {
	name     string // of the Forecast and the HPA
	target   target
	min, max int32
	// capacity is the demand that one replica serves; "1" where demand is counted in replicas.
	capacity string
	query    string // of the demand; empty without one
	peaks    []peaks
}

// peaks are the windows of one zone.
type peaks struct {
	name     string
	timeZone string
	windows  []v1alpha1.PeakWindow
	except   []v1alpha1.CalendarDay // yearly exceptions
}

// maxName is the longest name that a PeakSchedule can refer to.
const maxName = 63

// emit writes the objects of a plan, and checks that what comes out can be evaluated.
func (s *source) emit(p plan) error {
	if len(p.name) > maxName {
		return fmt.Errorf("its name has %d characters, and that of a Forecast at most %d: shorten it in the file", len(p.name), maxName)
	}
	key := s.meta.Namespace + "/" + p.name
	if s.c.made[key] != "" {
		return fmt.Errorf("%s of the same name and namespace is converted already: rename one of them in the file", s.c.made[key])
	}
	s.c.made[key] = s.kind
	if p.target.Name != "" {
		s.add("Forecast", p.name, forecastSpec(p))
	}
	for _, group := range p.peaks {
		if len(group.windows) == 0 {
			continue
		}
		if err := s.emitPeaks(p, group); err != nil {
			return err
		}
	}
	if p.target.Name != "" {
		s.add("HorizontalPodAutoscaler", p.name, hpaSpec(p))
		s.conflicts(p)
	}
	return nil
}

func forecastSpec(p plan) map[string]any {
	spec := map[string]any{
		"targetRef":          map[string]any{"apiVersion": p.target.APIVersion, "kind": p.target.Kind, "name": p.target.Name},
		"capacityPerReplica": p.capacity,
	}
	if p.query != "" {
		spec["demand"] = map[string]any{"prometheus": map[string]any{"query": p.query}}
	}
	return spec
}

func hpaSpec(p plan) map[string]any {
	return map[string]any{
		"scaleTargetRef": map[string]any{"apiVersion": p.target.APIVersion, "kind": p.target.Kind, "name": p.target.Name},
		"minReplicas":    p.min,
		"maxReplicas":    max(p.max, p.min, 1),
		"metrics": []any{map[string]any{"type": "External", "external": map[string]any{
			"metric": map[string]any{"name": p.name},
			"target": map[string]any{"type": "AverageValue", "averageValue": p.capacity},
		}}},
		// With the default tolerance of a tenth 20 replicas never become 22.
		"behavior": map[string]any{"scaleUp": map[string]any{"tolerance": "0"}, "scaleDown": map[string]any{"tolerance": "0"}},
	}
}

func (s *source) emitPeaks(p plan, group peaks) error {
	spec := v1alpha1.PeakScheduleSpec{
		ForecastRefs: []v1alpha1.ForecastReference{{Name: p.name}},
		TimeZone:     v1alpha1.TimeZone(group.timeZone),
		Windows:      group.windows,
	}
	calendars := scheduler.Calendars{}
	if len(group.except) > 0 {
		name := strings.Trim(s.meta.Namespace+"-"+group.name+"-except", "-")
		calendar, err := scheduler.CompileCalendar(name, v1alpha1.CalendarSpec{Days: group.except})
		if err != nil {
			return fmt.Errorf("its exceptions make no Calendar: %w", err)
		}
		calendars[name] = calendar
		s.c.result.Objects = append(s.c.result.Objects, map[string]any{
			"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Calendar",
			"metadata": map[string]any{"name": name}, "spec": map[string]any{"days": plain(group.except)},
		})
		spec.Except = &v1alpha1.Days{Calendars: []string{name}}
	}
	if _, err := scheduler.Compile(group.name, spec, calendars); err != nil {
		return fmt.Errorf("its windows make no PeakSchedule: %w", err)
	}
	s.add("PeakSchedule", group.name, plain(spec))
	return nil
}

// add appends one namespaced manifest.
func (s *source) add(kind, name string, spec any) {
	apiVersion := v1alpha1.GroupVersion.String()
	if kind == "HorizontalPodAutoscaler" {
		apiVersion = "autoscaling/v2"
	}
	meta := map[string]any{"name": name}
	if s.meta.Namespace != "" {
		meta["namespace"] = s.meta.Namespace
	}
	s.c.result.Objects = append(s.c.result.Objects, map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": meta, "spec": spec})
}

// conflicts says which other HorizontalPodAutoscaler selects the same pods.
func (s *source) conflicts(p plan) {
	if s.whatToStop != "" {
		s.note("%s before you apply the new HorizontalPodAutoscaler %s: two that select the same pods stop both", s.whatToStop, p.name)
	}
	for _, h := range s.c.hpas {
		if h.Metadata.Namespace != s.meta.Namespace {
			continue
		}
		if h.Metadata.Name == p.name {
			s.note("HorizontalPodAutoscaler %s has the name of the new one, which replaces it and its metrics where it is applied: move them into the new one first", p.name)
			continue
		}
		if h.Spec.ScaleTargetRef.Kind == p.target.Kind && h.Spec.ScaleTargetRef.Name == p.target.Name {
			s.note("HorizontalPodAutoscaler %s selects the same pods as the new one, which stops both: move its metrics into the new one, and delete it first", h.Metadata.Name)
		}
	}
}

// plain turns a typed value into maps, without fields that are empty.
func plain(v any) any {
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
