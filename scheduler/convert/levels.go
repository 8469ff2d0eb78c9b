package convert

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/scheduler/manifest"
)

// period is a pair of crons, from one to the other.
type period struct {
	name, zone, start, end string
	value                  int32
}

// windows pairs every start with the first end after it.
func (s *source) windows(periods []period, base int32) ([]peaks, int32, error) {
	most := base
	byZone := map[string][]v1alpha1.PeakWindow{}
	for _, p := range periods {
		stretches, dates, err := levels([]edge{{p.name, p.end, 0}, {p.name, p.start, p.value}}, nil)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", p.name, err)
		}
		most = max(most, p.value)
		windows := windowsAbove(stretches, 0, dates)
		if p.value <= base {
			s.note("%s wants %d replicas, which are never fewer than minReplicas: it has no effect", p.name, p.value)
		}
		byZone[p.zone] = append(byZone[p.zone], windows...)
	}
	return s.groups(byZone), most, nil
}

// groups makes one PeakSchedule a zone, and gives windows names that differ.
func (s *source) groups(byZone map[string][]v1alpha1.PeakWindow) []peaks {
	var groups []peaks
	for _, zone := range slices.Sorted(maps.Keys(byZone)) {
		name := s.meta.Name
		if len(byZone) > 1 {
			name += "-" + unique(map[string]int{}, zone)
		}
		used := map[string]int{}
		for i := range byZone[zone] {
			byZone[zone][i].Name = unique(used, byZone[zone][i].Name)
		}
		groups = append(groups, peaks{name: name, timeZone: zone, windows: byZone[zone]})
	}
	return groups
}

// kedaSpec is what is read of a ScaledObject's spec.
type kedaSpec struct {
	ScaleTargetRef  target        `json:"scaleTargetRef"`
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
	if err := json.Unmarshal(s.raw, &in); err != nil {
		return fmt.Errorf("cannot read it: %w", manifest.Readable(err))
	}
	p := plan{name: s.meta.Name, target: in.Spec.ScaleTargetRef, min: deref(in.Spec.MinReplicaCount, 0), max: deref(in.Spec.MaxReplicaCount, 100), capacity: "1"}
	p.target.APIVersion, p.target.Kind = cmp.Or(p.target.APIVersion, "apps/v1"), cmp.Or(p.target.Kind, "Deployment")
	periods, left, err := s.kedaPeriods(in.Spec.Triggers, &p)
	if err != nil {
		return err
	}
	if len(periods) == 0 {
		return fmt.Errorf("it has no cron trigger")
	}
	if p.target.Name == "" {
		return errNoTarget
	}
	s.leftovers(fields("minReplicaCount", "maxReplicaCount", "cooldownPeriod").with("scaleTargetRef", workloadFields()).
		with("triggers", fields("type", "name", "metricType").
			with("metadata", fields("timezone", "start", "end", "desiredReplicas", "serverAddress", "query", "threshold"))), left...)
	s.noteKEDAPause()
	groups, most, err := s.windows(periods, p.min)
	if err != nil {
		return err
	}
	p.peaks = groups
	p.max = max(p.max, most)
	s.note("a window ends at the first end after its start; KEDA compares the next start with the next end, so where the end fires on more days than the start it stays active until the last end before the next start")
	s.note("cooldownPeriod is not carried over: the HorizontalPodAutoscaler waits 300 s before it scales down, or behavior.scaleDown.stabilizationWindowSeconds")
	s.noteClock()
	if p.min == 0 {
		s.note("minReplicas is 0: this needs a cluster in which HPAs scale to zero, and a minimum of 1 elsewhere")
	}
	s.whatToStop = "delete it, or pause it with the annotation autoscaling.keda.sh/paused and delete HorizontalPodAutoscaler keda-hpa-" + s.meta.Name
	return s.emit(p)
}

// kedaPeriods are the periods of cron triggers, and the fields of those triggers that are not carried over. The first Prometheus trigger
// becomes the plan's demand.
func (s *source) kedaPeriods(triggers []kedaTrigger, p *plan) (periods []period, left []string, err error) {
	for i, t := range triggers {
		name := cmp.Or(t.Name, fmt.Sprintf("%s-%d", t.Type, i))
		switch {
		case t.Type == "cron":
			replicas, err := strconv.ParseInt(t.Metadata["desiredReplicas"], 10, 32)
			if err != nil {
				return nil, nil, fmt.Errorf("trigger %s: desiredReplicas %q is not a number", name, t.Metadata["desiredReplicas"])
			}
			periods = append(periods, period{name, t.Metadata["timezone"], t.Metadata["start"], t.Metadata["end"], int32(replicas)})
		case t.Type == "prometheus" && p.query == "" && (t.MetricType == "" || t.MetricType == "AverageValue") && t.Metadata["threshold"] != "":
			p.query, p.capacity = t.Metadata["query"], t.Metadata["threshold"]
			s.note("trigger %s became the Forecast's demand: name %s as the source \"default\" of the server's configuration", name, cmp.Or(t.Metadata["serverAddress"], "its Prometheus"))
		default:
			left = append(left, fmt.Sprintf("spec.triggers[%d].", i))
			s.note("trigger %s of type %s is not carried over: keep it as a metric of the new HorizontalPodAutoscaler, or leave the ScaledObject in charge and read the Forecast from it", name, t.Type)
		}
	}
	return periods, left, nil
}

// noteKEDAPause says what the new objects do not know: that the old one was standing still.
func (s *source) noteKEDAPause() {
	for _, annotation := range []string{"autoscaling.keda.sh/paused", "autoscaling.keda.sh/paused-replicas"} {
		if value, ok := s.annotations()[annotation]; ok && value != "false" {
			s.note("it is paused by the annotation %s: %q: set mode Paused on the Forecast, or minReplicas and maxReplicas of the new HorizontalPodAutoscaler, for the same", annotation, value)
		}
	}
}

// craneSpec is what is read of an EffectiveHorizontalPodAutoscaler's spec.
type craneSpec struct {
	ScaleTargetRef target         `json:"scaleTargetRef"`
	MinReplicas    *int32         `json:"minReplicas"`
	MaxReplicas    int32          `json:"maxReplicas"`
	ScaleStrategy  string         `json:"scaleStrategy"`
	Prediction     map[string]any `json:"prediction"`
	Metrics        []any          `json:"metrics"`
	Crons          []struct {
		Name           string `json:"name"`
		Timezone       string `json:"timezone"`
		Start          string `json:"start"`
		End            string `json:"end"`
		TargetReplicas int32  `json:"targetReplicas"`
	} `json:"crons"`
}

func fromCrane(s *source) error {
	var in struct {
		Spec craneSpec `json:"spec"`
	}
	if err := json.Unmarshal(s.raw, &in); err != nil {
		return fmt.Errorf("cannot read it: %w", manifest.Readable(err))
	}
	if len(in.Spec.Crons) == 0 {
		return fmt.Errorf("it has no crons")
	}
	if in.Spec.ScaleTargetRef.Name == "" {
		return errNoTarget
	}
	s.leftovers(fields("minReplicas", "maxReplicas", "scaleStrategy", "prediction", "metrics").with("scaleTargetRef", workloadFields()).
		with("crons", fields("name", "description", "timezone", "start", "end", "targetReplicas")))
	p := plan{name: s.meta.Name, target: in.Spec.ScaleTargetRef, min: deref(in.Spec.MinReplicas, 1), max: in.Spec.MaxReplicas, capacity: "1"}
	var periods []period
	for _, c := range in.Spec.Crons {
		zone := c.Timezone
		if zone == "" || zone == "Local" {
			zone = cmp.Or(s.c.options.TimeZone, "UTC")
			s.note("%s names no zone, and Crane then follows the clock of its own machine; %s is assumed: name another with --time-zone", c.Name, zone)
		}
		periods = append(periods, period{c.Name, zone, c.Start, c.End, c.TargetReplicas})
	}
	groups, most, err := s.windows(periods, p.min)
	if err != nil {
		return err
	}
	p.peaks = groups
	if most > p.max {
		s.note("a cron wants %d replicas and maxReplicas was %d, which silently capped it: maxReplicas is raised", most, p.max)
		p.max = most
	}
	s.noteCrane(in.Spec)
	s.noteClock()
	s.whatToStop = "delete it and HorizontalPodAutoscaler ehpa-" + s.meta.Name
	return s.emit(p)
}

// noteCrane says what of a spec is not carried over.
func (s *source) noteCrane(spec craneSpec) {
	if spec.Prediction != nil {
		s.note("its prediction is not carried over: give the Forecast a spec.demand with the query of the load, and capacityPerReplica in the same unit")
		for _, name := range slices.Sorted(maps.Keys(s.annotations())) {
			if metric, ok := strings.CutPrefix(name, "metric-query.autoscaling.crane.io/"); ok {
				s.note("its annotation %s holds the query for %s: %s", name, metric, s.annotations()[name])
			}
		}
	}
	if len(spec.Metrics) > 0 {
		s.note("its %d metrics are not carried over: add them to the new HorizontalPodAutoscaler, which takes the largest", len(spec.Metrics))
	}
	if spec.ScaleStrategy == "Preview" {
		s.note("it is in strategy Preview and scales nothing: set mode DryRun on the Forecast for the same")
	}
}

func (s *source) noteClock() {
	s.note("where a clock change falls into a window, it ends an hour earlier or later on the wall clock, for durations are elapsed time")
}

func deref[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

func quantity(n int64) resource.Quantity { return *resource.NewQuantity(n, resource.DecimalSI) }
