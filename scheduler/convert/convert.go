// Package convert turns the timed scaling of other autoscalers into PeakSchedules. Where a workload
// is known, it also makes the Forecast, and the HorizontalPodAutoscaler that reads it.
//
// It reads cronhpa's CronHorizontalPodAutoscaler, TKE's HorizontalPodCronscaler and CronHPA, KEDA's
// ScaledObject, Crane's EffectiveHorizontalPodAutoscaler, and Zalando's ScalingSchedule and
// ClusterScalingSchedule. An action at a point in time becomes a window that lasts until the next
// action. A note names everything that is not converted.
package convert

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"headstart.dev/headstart/scheduler/door"
	"headstart.dev/headstart/scheduler/manifest"
)

// Options say what the files do not say.
type Options struct {
	// TimeZone is the zone of autoscalers that follow the clock of their machine or process. Empty
	// stands for the default of each.
	TimeZone string
	// Now is when the conversion is made: windows that occur once are written for the years after
	// it. Zero stands for 2026.
	Now time.Time
	// Door is how the new autoscaler reads the Forecast. Empty keeps what the object uses: a
	// ScaledObject stays one, and for everything else Unasked decides.
	Door door.Door
	// Unasked is the door where neither Door nor the object decides; an External metric when it is
	// empty.
	Unasked door.Door
	// Kubernetes is the version that the new autoscaler is for.
	Kubernetes door.Kubernetes
}

// Result has the converted objects and what to know about them.
type Result struct {
	// Objects are manifests in the order in which to apply them.
	Objects []map[string]any
	// Notes say what to know before applying them, and what is not converted.
	Notes []Note
}

// Note is one sentence about one object of the input.
type Note struct {
	// Object is kind and name.
	Object string
	// Text is the sentence.
	Text string
}

// converter collects the result.
type converter struct {
	options Options
	hpas    []hpa
	made    map[string]string // by namespace/name: the kind of the original
	result  Result
}

// source is one object of the input.
type source struct {
	c    *converter
	kind string
	meta metadata
	raw  []byte
	// stopOriginal says how to stop the original; empty where nothing is to be done.
	stopOriginal string
	// originalHPA is the HorizontalPodAutoscaler that the original made; empty where it makes none.
	originalHPA string
}

type metadata struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

func (s *source) note(format string, args ...any) {
	s.c.result.Notes = append(s.c.result.Notes,
		Note{Object: s.kind + " " + s.meta.Name, Text: fmt.Sprintf(format, args...)})
}

// decode decodes the whole object.
func (s *source) decode(into any) error {
	if err := json.Unmarshal(s.raw, into); err != nil {
		return fmt.Errorf("cannot read it: %w", manifest.Readable(err))
	}
	return nil
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

// kinds has the conversions, by API group and kind.
var kinds = map[string]func(*source) error{
	"autoscaling.alibabacloud.com/CronHorizontalPodAutoscaler": fromCronHPA,
	"autoscaling.cloud.tencent.com/HorizontalPodCronscaler":    fromTKE,
	"extensions.tkestack.io/CronHPA":                           fromTKEStack,
	"keda.sh/ScaledObject":                                     fromKEDA,
	"autoscaling.crane.io/EffectiveHorizontalPodAutoscaler":    fromCrane,
	"zalando.org/ScalingSchedule":                              fromZalando,
	"zalando.org/ClusterScalingSchedule":                       fromZalando,
}

const hpaKind = "HorizontalPodAutoscaler"

// Convert converts the objects of the known kinds. It also reads the HorizontalPodAutoscalers among
// the objects, because they say which workload a schedule scales. The error joins one error for
// each object that cannot be converted; the Result has the others.
func Convert(objects []manifest.Object, options Options) (Result, error) {
	c := &converter{options: options, made: map[string]string{}}
	var errs []error
	for _, o := range objects {
		if o.Kind == hpaKind {
			var h hpa
			if err := json.Unmarshal(o.Raw, &h); err != nil {
				errs = append(errs, fmt.Errorf("%s %s: cannot read it: %w", hpaKind, o.Name, manifest.Readable(err)))
				continue
			}
			c.hpas = append(c.hpas, h)
		}
	}
	converted := 0
	for _, o := range objects {
		s := &source{c: c, kind: o.Kind, meta: metadata{Name: o.Name, Namespace: o.Namespace}, raw: o.Raw}
		convert, ok := kinds[o.Group()+"/"+o.Kind]
		if !ok {
			if o.Kind != hpaKind {
				s.note("skipped, because this kind is not converted")
			}
			continue
		}
		converted++
		before := len(c.result.Objects)
		if err := convert(s); err != nil {
			c.result.Objects = c.result.Objects[:before] // nothing is better than only some of the objects
			errs = append(errs, fmt.Errorf("%s %s: %w", s.kind, s.meta.Name, err))
		}
	}
	if converted == 0 && errors.Join(errs...) == nil {
		return c.result, errors.New("there is nothing to convert: give manifests of CronHorizontalPodAutoscaler, " +
			"HorizontalPodCronscaler, CronHPA, ScaledObject, EffectiveHorizontalPodAutoscaler, ScalingSchedule " +
			"or ClusterScalingSchedule")
	}
	return c.result, errors.Join(errs...)
}
