package convert

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// kedaSpec has the fields of a ScaledObject's spec that are read.
type kedaSpec struct {
	ScaleTargetRef   workload      `json:"scaleTargetRef"`
	IdleReplicaCount *count        `json:"idleReplicaCount"`
	MinReplicaCount  *count        `json:"minReplicaCount"`
	MaxReplicaCount  *count        `json:"maxReplicaCount"`
	Triggers         []kedaTrigger `json:"triggers"`
	Advanced         struct {
		HPA struct {
			Name string `json:"name"`
		} `json:"horizontalPodAutoscalerConfig"`
		ScalingModifiers struct {
			Formula scalar `json:"formula"`
		} `json:"scalingModifiers"`
	} `json:"advanced"`
}

type kedaTrigger struct {
	Type       string            `json:"type"`
	Name       string            `json:"name"`
	MetricType string            `json:"metricType"`
	Metadata   map[string]scalar `json:"metadata"`
}

func fromKEDA(s *source) error {
	var in struct {
		Spec   kedaSpec `json:"spec"`
		Status struct {
			HPAName string `json:"hpaName"`
		} `json:"status"`
	}
	if err := s.decode(&in); err != nil {
		return err
	}
	if reads, err := s.readsForecast(in.Spec.Triggers); reads {
		return err
	}
	v := conversion{
		name: s.meta.Name, target: in.Spec.ScaleTargetRef, capacity: "1",
		min: int32(valueOr(in.Spec.MinReplicaCount, 0)), max: int32(valueOr(in.Spec.MaxReplicaCount, 100)),
		idle: in.Spec.IdleReplicaCount,
	}
	s.originalHPA = cmp.Or(in.Spec.Advanced.HPA.Name, in.Status.HPAName, "keda-hpa-"+s.meta.Name)
	v.target.APIVersion = cmp.Or(v.target.APIVersion, "apps/v1")
	v.target.Kind = cmp.Or(v.target.Kind, "Deployment")
	periods, noted, err := s.kedaPeriods(in.Spec.Triggers, &v)
	if err != nil {
		return err
	}
	if len(periods) == 0 && v.query == "" {
		return errors.New("it has no cron trigger, and no Prometheus trigger that measures demand, so that there is " +
			"nothing to convert: see the notes")
	}
	if v.target.Name == "" {
		return errNoTarget
	}
	if !s.staysScaledObject() {
		s.noteUnsupported(kedaFields(), noted...)
		s.noteKEDAPause()
	}
	bounds := s.kedaBounds(v)
	if v.groups, err = s.periodGroups(periods, bounds); err != nil {
		return err
	}
	if s.isEmpty(v) {
		return s.write(v)
	}
	s.noteKEDAEnds(v)
	if s.staysScaledObject() {
		if in.Spec.Advanced.ScalingModifiers.Formula != "" {
			return errFormula
		}
		s.note("it stays a ScaledObject of the same name: the first trigger takes the place of its cron triggers")
		s.noteAsleep(v, bounds.least)
		return s.write(v)
	}
	s.note("cooldownPeriod is not converted: the HorizontalPodAutoscaler waits 300 s before it scales down, " +
		"or what behavior.scaleDown.stabilizationWindowSeconds says")
	if v.min == 0 {
		s.note("minReplicas is 0: this needs a cluster where HPAs can scale to zero; elsewhere use a minimum of 1")
	}
	s.stopOriginal = "delete it, or pause it with the annotation autoscaling.keda.sh/paused and delete " +
		"HorizontalPodAutoscaler " + s.originalHPA
	return s.write(v)
}

// noteKEDAEnds notes how the ends of windows differ from those of cron triggers.
func (s *source) noteKEDAEnds(v conversion) {
	if len(v.groups) > 0 {
		s.note("a window ends at the first end after its start. KEDA compares the next start with the next end: " +
			"where the end matches on more days than the start, KEDA stays active until the last end before the next start")
		s.noteClockChange()
	}
}

// kedaBounds returns between how many replicas a cron trigger has an effect. Where nothing is active,
// KEDA scales to idleReplicaCount, so a trigger that wants no more than the minimum wakes the target.
func (s *source) kedaBounds(v conversion) periodBounds {
	b := periodBounds{v.min, v.max, s.names().Min, "KEDA", "maxReplicaCount"}
	if v.idle != nil && int32(*v.idle) < v.min && s.staysScaledObject() {
		b.least, b.leastField = int32(*v.idle), "idleReplicaCount"
	}
	return b
}

func kedaFields() fieldSet {
	metadata := fields("timezone", "start", "end", "desiredReplicas", "serverAddress", "query", "threshold")
	return fields("minReplicaCount", "maxReplicaCount", "cooldownPeriod").
		with("advanced", fieldSet{}.with("horizontalPodAutoscalerConfig", fields("name"))).
		with("scaleTargetRef", workloadFields()).
		with("triggers", fields("type", "name", "metricType").with("metadata", metadata))
}

// kedaPeriods returns the periods of the cron triggers. The first Prometheus trigger becomes the
// demand of the conversion. Other triggers are not converted; noted has the paths of their fields.
func (s *source) kedaPeriods(triggers []kedaTrigger, v *conversion) (periods []period, noted []string, err error) {
	for i, t := range triggers {
		name := cmp.Or(t.Name, fmt.Sprintf("%s-%d", t.Type, i))
		switch {
		case t.Type == "cron":
			p, err := s.cronPeriod(name, t)
			if err != nil {
				return nil, nil, err
			}
			if p != nil {
				periods = append(periods, *p)
			}
		case v.query == "" && measuresDemand(t):
			if err := s.kedaDemand(name, t, v); err != nil {
				return nil, nil, fmt.Errorf("trigger %s: %w", name, err)
			}
		case s.staysScaledObject(): // It stays as it is.
			s.noteNoDemand(name, t, v.query)
		default:
			noted = append(noted, fmt.Sprintf("spec.triggers[%d].", i))
			s.noteTrigger(name, t)
		}
	}
	if v.query == "" && slices.ContainsFunc(triggers, func(t kedaTrigger) bool { return notDemandOf(t) != "" }) {
		s.note(insteadOfIt)
	}
	return periods, noted, nil
}

// kedaDemand makes the query of a trigger the demand of a conversion.
func (s *source) kedaDemand(name string, t kedaTrigger, v *conversion) (err error) {
	if v.capacity, err = positiveQuantity(string(t.Metadata["threshold"])); err != nil {
		return fmt.Errorf("threshold %w", err)
	}
	if s.staysScaledObject() {
		if v.activation, err = activationOf(t); err != nil {
			return err
		}
	}
	v.query = string(t.Metadata["query"])
	s.note("the query of trigger %s became the Forecast's demand: "+
		"configure %s as the source \"default\" in the server's configuration",
		name, cmp.Or(string(t.Metadata["serverAddress"]), "its Prometheus"))
	return nil
}

// measuresDemand reports whether a trigger measures demand, and says what one replica serves.
func measuresDemand(t kedaTrigger) bool {
	average := t.MetricType == "" || t.MetricType == "AverageValue"
	return t.Type == "prometheus" && average && t.Metadata["threshold"] != "" && notDemandOf(t) == ""
}

// cronPeriod returns the period of a cron trigger; nil, with a note, for one that has no effect.
func (s *source) cronPeriod(name string, t kedaTrigger) (*period, error) {
	at := func(field string) string { return strings.TrimSpace(string(t.Metadata[field])) }
	replicas, err := wholeNumber(at("desiredReplicas"))
	if err != nil {
		return nil, fmt.Errorf("trigger %s: desiredReplicas %w", name, err)
	}
	p := period{name, at("timezone"), at("start"), at("end"), replicas}
	if p.zone == "" || p.zone == "Local" {
		p.zone = cmp.Or(s.c.options.TimeZone, "UTC")
		s.note("%s names no zone of its own: %s is assumed; give another zone with --time-zone", name, p.zone)
	}
	if sameTimes(p.start, p.end) {
		s.note("%s is left out, because its start and its end are the same time, %q, which KEDA does not allow. "+
			"If %d replicas are wanted at all times, set %s", name, p.start, replicas, s.names().Min)
		return nil, nil
	}
	return &p, nil
}

// noteKEDAPause notes that the original is paused, because the new objects are not.
func (s *source) noteKEDAPause() {
	for _, annotation := range []string{"autoscaling.keda.sh/paused", "autoscaling.keda.sh/paused-replicas"} {
		if value, ok := s.annotations()[annotation]; ok && value != "false" {
			s.note("it is paused by the annotation %s: %q. For the same effect, set mode Paused on the Forecast, "+
				"or minReplicas and maxReplicas of the new HorizontalPodAutoscaler", annotation, value)
		}
	}
}
