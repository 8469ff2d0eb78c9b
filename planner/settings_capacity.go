package planner

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/history/promql"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/planner/terms"
)

// LearnSettings say how the capacity of a replica is learned.
type LearnSettings struct {
	// Query and Source say which series is the latency.
	Query, Source string
	// AtMost is the objective, in the unit of the latency. Attain is the share of steps that must meet
	// it.
	AtMost, Attain float64
	// ReplicasQuery and ReplicasSource say which series is the number of ready replicas. The query is
	// empty where the kind of the target has no usual one.
	ReplicasQuery, ReplicasSource string
	// Min and Max bound the capacity that is used. Max is +Inf without a bound.
	Min, Max float64
	// Terms are the queries for the terms of demand whose weights are learned; nil where none are.
	Terms []string
	// DemandHash and ObjectiveHash are those of [v1alpha1.CapacityStatus].
	DemandHash, ObjectiveHash string
}

// DefaultAttain is the share of steps that must meet the objective when a spec names none.
const DefaultAttain = 0.99

// CapacityFromSpec is the source of a capacity in status that the spec says. Others are
// [plan.CapacityFromLearning] and the kinds of autoscalers.
const CapacityFromSpec = "Spec"

// Capacity is the configured demand that one replica serves, and the autoscaler that says so; the
// name is empty when the spec does. It is 0 when nobody says. Where the capacity is learned, this is
// what counts without evidence; see [Settings.CapacityIn].
func (s Settings) Capacity() (capacity float64, autoscaler string) {
	switch {
	case s.SpecCapacity > 0:
		return s.SpecCapacity, ""
	case s.Scaling.Capacity > 0 && !math.IsInf(s.Scaling.Capacity, 0):
		return s.Scaling.Capacity, s.Scaling.CapacityName
	}
	return 0, ""
}

// CapacityIn is the demand that one replica serves by a status: the configured capacity, or the learned
// one where the spec asks for that; see [plan.LearnedCapacity]. status may be nil.
func (s Settings) CapacityIn(status *v1alpha1.CapacityStatus) float64 {
	configured, _ := s.Capacity()
	if s.Learn == nil {
		return configured
	}
	return s.Learn.InStatus().Use(status, configured)
}

// InStatus says which learned capacity in status counts.
func (l *LearnSettings) InStatus() plan.LearnedCapacity {
	return plan.LearnedCapacity{Min: l.Min, Max: l.Max, DemandHash: l.DemandHash, ObjectiveHash: l.ObjectiveHash}
}

// shortHash returns a hash of texts for status.
func shortHash(texts ...any) string {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%q", texts)
	return strconv.FormatUint(h.Sum64(), 16)
}

// lowerBy and raiseBy are the relative changes from which on a newly learned capacity is used. A
// metric in replicas must not waver with every estimate. A capacity that is too high misses the
// objective, and one that is too low only costs: so the way down is the shorter one.
const lowerBy, raiseBy = 0.01, 0.03

// SettleCapacity returns the capacity to use after inUse, when fresh is what is known now. An inUse
// of 0 is none. The result has six digits, as status has.
func SettleCapacity(inUse, fresh float64) float64 {
	if inUse > 0 && fresh > inUse*(1-lowerBy) && fresh < inUse*(1+raiseBy) {
		return inUse
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(fresh, 'g', 6, 64), 64)
	if err != nil {
		return fresh
	}
	return rounded
}

// specCapacity reads the two fields that may hold the configured capacity.
func (p *specParser) specCapacity(spec *v1alpha1.ForecastSpec) float64 {
	if c := spec.Capacity; c != nil && c.Default != nil {
		if spec.CapacityPerReplica != nil {
			p.fail("spec.capacity.default: give it or spec.capacityPerReplica, not both: they mean the same")
		}
		return p.quantity("spec.capacity.default", c.Default, 0)
	}
	return p.quantity("spec.capacityPerReplica", spec.CapacityPerReplica, 0)
}

// demandQuery returns the query for demand.
func (p *specParser) demandQuery(d *v1alpha1.DemandSource) string {
	if (d.Prometheus.Query == "") == (len(d.Terms) == 0) {
		p.fail("spec.demand: give exactly one of prometheus (one query) and terms (the weighted sum of several)")
	}
	for i, t := range d.Terms {
		if w, err := t.Weight.Parse(); err != nil || !(w > 0) || math.IsInf(w, 0) {
			p.fail("spec.demand.terms[%d].weight: %q must be a number above 0, such as \"0.25\"", i, string(t.Weight))
		}
		if err := promql.Operand(t.Query); err != nil {
			p.fail("spec.demand.terms[%d].query: %w: give the PromQL of what is weighted, whole by itself", i, err)
		}
	}
	return d.PromQL()
}

// learn reads spec.capacity; nil unless its mode is Learned. s has what is known of the demand.
func (p *specParser) learn(spec *v1alpha1.ForecastSpec, s Settings) *LearnSettings {
	c := spec.Capacity
	if c == nil || c.Mode == v1alpha1.CapacityFixed {
		return nil
	}
	l := &LearnSettings{
		Attain: p.attain(c.Attain),
		Min:    p.quantity("spec.capacity.min", c.Min, 0), Max: p.quantity("spec.capacity.max", c.Max, math.Inf(1)),
		Source: s.Source, ReplicasSource: s.Source,
	}
	if c.Max != nil && !(l.Max > 0) {
		p.fail("spec.capacity.max: %s must be above 0", c.Max)
	}
	if l.Min > l.Max {
		p.fail("spec.capacity: min %v is above max %v", l.Min, l.Max)
	}
	if !s.HasDemand {
		p.errs = append(p.errs, errors.New("spec.capacity.mode: Learned needs spec.demand: "+
			"the capacity is learned from demand and latency"))
	}
	if o := c.Objective; o == nil || o.Query == "" {
		p.errs = append(p.errs, errors.New("spec.capacity.objective: mode Learned needs the query of the latency, "+
			"and atMost, the value that it must not exceed"))
	} else {
		l.Query, l.AtMost = o.Query, p.objective(o.AtMost)
		if o.Source != "" {
			l.Source = o.Source
		}
	}
	if r := c.Replicas; r != nil {
		l.ReplicasQuery = r.Query
		if r.Source != "" {
			l.ReplicasSource = r.Source
		}
	}
	if d := spec.Demand; terms.Learns(d) {
		for _, t := range d.Terms {
			l.Terms = append(l.Terms, terms.Alone(t))
		}
	}
	target := spec.TargetRef
	l.DemandHash = shortHash(s.Query, s.Source, s.Step.String())
	l.ObjectiveHash = shortHash(target.Kind, target.Name, l.Query, l.Source, fmt.Sprint(l.AtMost, l.Attain),
		l.ReplicasQuery, l.ReplicasSource)
	return l
}

func (p *specParser) attain(want v1alpha1.Decimal) float64 {
	if want == "" {
		return DefaultAttain
	}
	share, err := want.Parse()
	if err != nil || share < 0.5 || share > 0.9999 {
		p.fail("spec.capacity.attain: %q must be from 0.5 to 0.9999, such as \"0.99\"", string(want))
		return DefaultAttain
	}
	return share
}

func (p *specParser) objective(atMost v1alpha1.Decimal) float64 {
	limit, err := atMost.Parse()
	if err != nil || !(limit > 0) || math.IsInf(limit, 0) {
		p.fail("spec.capacity.objective.atMost: %q must be a number above 0, such as \"0.5\"", string(atMost))
		return 1
	}
	return limit
}

// readyMetric returns the metric of kube-state-metrics with the ready replicas of a workload, and the
// label with its name. They are empty for a kind without such a metric.
func readyMetric(kind string) (metric, label string) {
	switch kind {
	case "Deployment":
		return "kube_deployment_status_replicas_ready", "deployment"
	case "StatefulSet":
		return "kube_statefulset_status_replicas_ready", "statefulset"
	case "ReplicaSet":
		return "kube_replicaset_status_ready_replicas", "replicaset"
	}
	return "", ""
}

// setDefaults sets what follows from the name of the target. l may be nil.
func (l *LearnSettings) setDefaults(fc *v1alpha1.Forecast) {
	metric, label := readyMetric(fc.Spec.TargetRef.Kind)
	if l == nil || l.ReplicasQuery != "" || metric == "" {
		return
	}
	// Two copies of kube-state-metrics say the same.
	l.ReplicasQuery = fmt.Sprintf("max(%s{namespace=%q,%s=%q})", metric, fc.Namespace, label, fc.Spec.TargetRef.Name)
}

// configuredCapacity returns what a spec says that one replica serves; nil where it does not.
func configuredCapacity(spec *v1alpha1.ForecastSpec) *resource.Quantity {
	if c := spec.Capacity; c != nil && c.Default != nil {
		return c.Default
	}
	return spec.CapacityPerReplica
}

// learns reports whether a spec asks for the capacity to be learned.
func learns(spec *v1alpha1.ForecastSpec) bool {
	return spec.Capacity != nil && spec.Capacity.Mode != v1alpha1.CapacityFixed
}

// targetTolerance is how far, relatively, the target of an autoscaler may be from what was learned.
const targetTolerance = 0.1

// checkLearned compares the target of a metric in demand with the learned capacity. The autoscaler
// divides by its target, whatever is learned.
func (s *Scaling) checkLearned(r metricReference, fc *v1alpha1.Forecast) {
	status := fc.Status.CapacityPerReplica
	if status == nil || status.Source != plan.CapacityFromLearning {
		return
	}
	target, learned := r.target.AverageValue.AsApproximateFloat64(), status.Value.AsApproximateFloat64()
	if math.Abs(target-learned) <= targetTolerance*learned {
		return
	}
	s.find("TargetNotLearned", "%s counts one replica for every %s of demand (%s), and a replica was learned to "+
		"serve %s: set spec.serve.unit of the forecast to Replicas and that target to \"1\", so that nobody has to "+
		"follow the capacity", r.who(), r.target.AverageValue, fieldNames(r.kind).Capacity, &status.Value)
}
