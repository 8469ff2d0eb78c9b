package convert

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
)

// kedaSpec has the fields of a ScaledObject's spec that are read.
type kedaSpec struct {
	ScaleTargetRef  workload      `json:"scaleTargetRef"`
	MinReplicaCount *int32        `json:"minReplicaCount"`
	MaxReplicaCount *int32        `json:"maxReplicaCount"`
	CooldownPeriod  *int32        `json:"cooldownPeriod"`
	Triggers        []kedaTrigger `json:"triggers"`
}

type kedaTrigger struct {
	Type       string            `json:"type"`
	Name       string            `json:"name"`
	MetricType string            `json:"metricType"`
	Metadata   map[string]string `json:"metadata"`
}

func fromKEDA(s *source) error {
	var in struct {
		Spec kedaSpec `json:"spec"`
	}
	if err := s.decode(&in); err != nil {
		return err
	}
	v := conversion{
		name: s.meta.Name, target: in.Spec.ScaleTargetRef, capacity: "1",
		min: valueOr(in.Spec.MinReplicaCount, 0), max: valueOr(in.Spec.MaxReplicaCount, 100),
	}
	v.target.APIVersion = cmp.Or(v.target.APIVersion, "apps/v1")
	v.target.Kind = cmp.Or(v.target.Kind, "Deployment")
	periods, noted, err := s.kedaPeriods(in.Spec.Triggers, &v)
	if err != nil {
		return err
	}
	if len(periods) == 0 {
		return errors.New("it has no cron trigger")
	}
	if v.target.Name == "" {
		return errNoTarget
	}
	s.noteUnsupported(kedaFields(), noted...)
	s.noteKEDAPause()
	groups, highest, err := s.periodGroups(periods, v.min)
	if err != nil {
		return err
	}
	v.groups = groups
	v.max = max(v.max, highest)
	s.note("a window ends at the first end after its start. KEDA compares the next start with the next end: " +
		"where the end matches on more days than the start, KEDA stays active until the last end before the next start")
	s.note("cooldownPeriod is not converted: the HorizontalPodAutoscaler waits 300 s before it scales down, " +
		"or what behavior.scaleDown.stabilizationWindowSeconds says")
	s.noteClockChange()
	if v.min == 0 {
		s.note("minReplicas is 0: this needs a cluster where HPAs can scale to zero; elsewhere use a minimum of 1")
	}
	s.stopOriginal = "delete it, or pause it with the annotation autoscaling.keda.sh/paused and delete " +
		"HorizontalPodAutoscaler keda-hpa-" + s.meta.Name
	return s.write(v)
}

func kedaFields() fieldSet {
	metadata := fields("timezone", "start", "end", "desiredReplicas", "serverAddress", "query", "threshold")
	return fields("minReplicaCount", "maxReplicaCount", "cooldownPeriod").
		with("scaleTargetRef", workloadFields()).
		with("triggers", fields("type", "name", "metricType").with("metadata", metadata))
}

// kedaPeriods returns the periods of the cron triggers. The first Prometheus trigger becomes the
// demand of the conversion. Other triggers are not converted; noted has the paths of their fields.
func (s *source) kedaPeriods(triggers []kedaTrigger, v *conversion) (periods []period, noted []string, err error) {
	for i, t := range triggers {
		name := cmp.Or(t.Name, fmt.Sprintf("%s-%d", t.Type, i))
		average := t.MetricType == "" || t.MetricType == "AverageValue"
		switch {
		case t.Type == "cron":
			replicas, err := strconv.ParseInt(t.Metadata["desiredReplicas"], 10, 32)
			if err != nil {
				return nil, nil, fmt.Errorf("trigger %s: desiredReplicas %q is not a number",
					name, t.Metadata["desiredReplicas"])
			}
			periods = append(periods,
				period{name, t.Metadata["timezone"], t.Metadata["start"], t.Metadata["end"], int32(replicas)})
		case t.Type == "prometheus" && v.query == "" && average && t.Metadata["threshold"] != "":
			v.query, v.capacity = t.Metadata["query"], t.Metadata["threshold"]
			s.note("trigger %s became the Forecast's demand: "+
				"configure %s as the source \"default\" in the server's configuration",
				name, cmp.Or(t.Metadata["serverAddress"], "its Prometheus"))
		default:
			noted = append(noted, fmt.Sprintf("spec.triggers[%d].", i))
			s.note("trigger %s of type %s is not converted: keep it as a metric of the new HorizontalPodAutoscaler, "+
				"or keep the ScaledObject and read the Forecast from it", name, t.Type)
		}
	}
	return periods, noted, nil
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
