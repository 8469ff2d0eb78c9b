// Package propose writes the manifests that a report proposes.
package propose

import (
	"fmt"
	"math"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/report/internal/format"
	"headstart.dev/headstart/scheduler/door"
)

// Proposal is the manifests that switch Headstart on: a Forecast, in mode DryRun if it is new, and
// the HPA or ScaledObject that reads it.
type Proposal struct {
	Forecast string `json:"forecast"`
	// HPA is the manifest of the autoscaler.
	HPA string `json:"hpa"`
}

// Input is what the manifests are made of.
type Input struct {
	// Service names the manifests. "" means "my-service".
	Service string
	// Existing is the Forecast to change. Nil proposes a new one.
	Existing *v1alpha1.Forecast
	// Query is the PromQL query of the Forecast. "" leaves a place for it, which the API server
	// refuses.
	Query string
	// Step is the resolution of the demand, and History how much of it the Forecast reads.
	Step, History time.Duration
	// Lead is the time from the request of a replica until it serves.
	Lead time.Duration
	// Capacity is the demand that one replica serves.
	Capacity float64
	// Learn is the objective at which the capacity is learned; nil where it is not. Capacity then counts
	// without evidence.
	Learn *Objective
	// Contract is what the served demand must meet, and Horizon that of a plan.
	Contract forecaster.Contract
	// AtMost bounds what the service level may cost; 0 is no bound.
	AtMost  float64
	Horizon time.Duration
	// OfToday is the setting that serves as much as today, in words. It is "" if that is Contract, or
	// not known.
	OfToday string
	// Location is the time zone of the daily cycle.
	Location *time.Location
	// MinReplicas and MaxReplicas bound the autoscaler. A MaxReplicas of 0 stands for a quarter more
	// than UsedReplicas, the largest number of replicas of the dry run.
	MinReplicas, MaxReplicas int
	UsedReplicas             float64
	// Stabilization is the scale-down stabilisation window.
	Stabilization time.Duration
	// Today is what scales the target today.
	Today Autoscaler
	// Door is how the autoscaler reads the Forecast; "" is an External metric.
	Door door.Door
	// Kubernetes is the version that the autoscaler is for.
	Kubernetes door.Kubernetes
}

// Objective is a latency that a replica has to keep.
type Objective struct {
	// Query is PromQL for the latency; "" leaves a place for it. Replicas is that for the ready replicas;
	// "" stands for that of kube-state-metrics.
	Query, Replicas string
	AtMost, Attain  float64
}

// Autoscaler is an autoscaler in the cluster.
type Autoscaler struct {
	// HPA is NAMESPACE/NAME of the HPA. It is empty without one.
	HPA string
	// ScaledObject is the name of the ScaledObject that the HPA belongs to.
	ScaledObject string
	// ReadsForecast reports whether the HPA reads the Forecast.
	ReadsForecast bool
}

// Manifests returns the manifests. What is in Existing stays as it is.
func Manifests(in Input) *Proposal {
	in.Capacity = format.Rounded(in.Capacity)
	b := builder{Input: in}
	// An HPA that has none today shows that its cluster allows it.
	if in.MinReplicas == 0 && in.Door != door.KEDA && !in.Today.ReadsForecast {
		b.MinReplicas, b.noZero = 1, true
	}
	if in.MaxReplicas == 0 {
		b.MaxReplicas = max(1, in.MinReplicas, int(math.Ceil(1.25*in.UsedReplicas)))
	}
	b.fillIn()
	return &Proposal{Forecast: b.forecast(), HPA: b.autoscaler()}
}

// builder writes the manifests. The strings are YAML.
type builder struct {
	Input

	// noZero reports whether 0 replicas were asked for, and cannot be proposed.
	noZero bool

	name, metadata, demand, settle, target, capacity, serve, lead, seasonality, mode, expiry string
}

// fillIn sets the parts of a new Forecast, and then those that an existing one already has.
func (b *builder) fillIn() {
	b.name = scalar(serviceName(b.Service))
	b.metadata = "\n  name: " + b.name
	b.target = "{apiVersion: apps/v1, kind: Deployment, name: " + b.name + "}"
	b.lead = "{mode: Learned, default: " + duration(b.Lead) + "}"
	b.mode = "DryRun # change it to Active when you agree with the plan"
	b.seasonality = "{timeZone: " + scalar(b.Location.String()) + "}"
	query := quoteYAML(b.Query)
	if b.Query == "" {
		// An empty query is refused by the API server. An invented one might be in another unit than the
		// capacity, and be accepted.
		query += " # fill in: the PromQL of this demand, in the unit of capacityPerReplica"
	}
	b.demand = prometheusOf(query)
	b.capacity = "\n  capacityPerReplica: " + quoteYAML(format.Plain(b.Capacity))
	if b.Learn != nil {
		b.capacity += b.learned()
		b.serve = inReplicas
	}
	if b.Existing != nil {
		b.keep(b.Existing)
	}
}

func (b *builder) forecast() string {
	contract := fmt.Sprintf("{serviceLevel: %q}", format.Plain(b.Contract.ServiceLevel))
	if b.AtMost > 0 {
		contract = fmt.Sprintf("{serviceLevel: %q, atMost: %q}",
			format.Plain(b.Contract.ServiceLevel), format.Plain(b.AtMost))
	}
	if b.Contract.ShortageCost > 0 {
		contract = fmt.Sprintf("{shortageCost: %q}", format.Plain(b.Contract.ShortageCost))
	}
	if b.OfToday != "" {
		contract += "\n  # This is as asked. The service of today takes\n  # " + b.OfToday + "."
	}
	return strings.Join([]string{
		"apiVersion: headstart.dev/v1alpha1",
		"kind: Forecast",
		"metadata:" + b.metadata,
		"spec:",
		"  demand:" + b.demand,
		"    resolution: " + duration(b.Step),
		"    history: " + duration(b.History) + b.settle,
		"  targetRef: " + b.target,
		strings.TrimPrefix(b.capacity, "\n") + b.serve,
		"  leadTime: " + b.lead,
		"  provisionFor: " + contract,
		"  horizon: " + duration(b.Horizon),
		"  seasonality: " + b.seasonality,
		"  bounds: " + b.bounds(),
		"  mode: " + b.mode + b.expiry,
		"",
	}, "\n")
}

// prometheusOf returns the source of a demand with one query.
func prometheusOf(query string) string { return "\n    prometheus:\n      query: " + query }

// inReplicas serves replicas: the target of an HPA need not follow a learned capacity.
const inReplicas = "\n  serve: {unit: Replicas}"

// learned returns how the capacity is learned. Until then, capacityPerReplica counts.
func (b *builder) learned() string {
	l := b.Learn
	query := quoteYAML(l.Query)
	if l.Query == "" {
		query += " # fill in: the PromQL of the latency that was replayed"
	}
	out := " # until the capacity is learned\n  capacity:\n    objective:\n      query: " + query +
		"\n      atMost: " + quoteYAML(format.Plain(l.AtMost)) + "\n    attain: " + quoteYAML(format.Plain(l.Attain))
	if l.Replicas != "" {
		out += "\n    replicas: {query: " + quoteYAML(l.Replicas) + "}"
	}
	return out
}

// bounds returns the existing bounds, or else what the HPA can serve at most.
func (b *builder) bounds() string {
	var parts []string
	if fc := b.Existing; fc != nil {
		if v := fc.Spec.Bounds.Min; v != nil {
			parts = append(parts, "min: "+quoteYAML(v.String()))
		}
		if v := fc.Spec.Bounds.Max; v != nil {
			return "{" + strings.Join(append(parts, "max: "+quoteYAML(v.String())), ", ") + "}"
		}
	}
	largest := format.Significant(float64(b.MaxReplicas) * b.Capacity)
	return "{" + strings.Join(append(parts, "max: "+quoteYAML(largest)), ", ") + "} # the demand that maxReplicas serve"
}

// serviceName turns a name into one that the Kubernetes API accepts.
func serviceName(name string) string {
	const maxLength = 50
	var b strings.Builder
	for _, c := range strings.ToLower(name) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			b.WriteRune(c)
		} else if b.Len() > 0 && !strings.HasSuffix(b.String(), "-") {
			b.WriteByte('-')
		}
	}
	out := strings.Trim(b.String(), "-")
	if out = strings.Trim(out[:min(len(out), maxLength)], "-"); out == "" {
		return "my-service"
	}
	return out
}

func duration(d time.Duration) string { return string(v1alpha1.FormatDuration(d)) }
