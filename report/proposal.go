package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/report/internal/format"
)

// Proposal is the manifests that switch Headstart on: a Forecast, in mode DryRun if it is new, and
// the HPA or ScaledObject that reads it.
type Proposal struct {
	Forecast string `json:"forecast"`
	// HPA is the manifest of the autoscaler.
	HPA string `json:"hpa"`
}

// proposal fills in what the replay knows. The rest comes from the Forecast that exists, or is for
// the user to check.
func (r *Report) proposal(head Figures) *Proposal {
	b := proposalBuilder{
		o: r.options, step: r.trace.step, history: r.historySpan(), capacity: format.Rounded(r.options.Capacity),
		minReplicas: max(1, r.options.MinReplicas), maxReplicas: r.options.MaxReplicas, usedReplicas: head.PeakReplicas,
	}
	if b.maxReplicas == 0 {
		b.maxReplicas = int(math.Ceil(1.25 * head.PeakReplicas))
	}
	b.fillIn()
	return &Proposal{Forecast: b.forecast(), HPA: b.autoscaler()}
}

// historySpan returns how much history the Forecast should read: what the replay had, at least four
// weeks, and at most what a fit looks back on.
func (r *Report) historySpan() time.Duration {
	const day = 24 * time.Hour
	const maxSteps = 40320
	span := max(28*day, r.Input.From.Sub(r.Input.Start).Truncate(day))
	return max(day, min(span, (maxSteps*r.trace.step).Truncate(day), 365*day))
}

// proposalBuilder writes the manifests. The strings are YAML.
type proposalBuilder struct {
	o             Options
	step, history time.Duration
	capacity      float64
	minReplicas   int
	maxReplicas   int
	usedReplicas  float64 // the largest number of replicas of the replay

	name, metadata, query, source, target, lead, seasonality, mode string
}

// fillIn sets the parts that an existing Forecast already has.
func (b *proposalBuilder) fillIn() {
	b.name = serviceName(b.o.Service)
	b.metadata = "\n  name: " + b.name
	b.target = "{apiVersion: apps/v1, kind: Deployment, name: " + b.name + "}"
	b.lead = "{mode: Learned, default: " + duration(b.o.Lead) + "}"
	b.mode = "DryRun # change it to Active when you agree with the plan"
	seasonality := "timeZone: " + b.o.location().String()
	if fc := b.o.Existing; fc != nil {
		b.name, b.mode = fc.Name, string(fc.Spec.Mode)
		b.metadata = "\n  name: " + fc.Name + "\n  namespace: " + fc.Namespace
		ref := fc.Spec.TargetRef
		b.target = fmt.Sprintf("{apiVersion: %s, kind: %s, name: %s}", ref.APIVersion, ref.Kind, ref.Name)
		if fc.Spec.LeadTime.Mode == v1alpha1.LeadTimeFixed {
			b.lead = "{mode: Fixed, fixed: " + duration(b.o.Lead) + "}"
		}
		if d := fc.Spec.Demand; d != nil && d.Prometheus.Source != "" {
			b.source = "\n      source: " + quoteYAML(d.Prometheus.Source)
		}
		if c := fc.Spec.Seasonality.Calendars; len(c) > 0 {
			seasonality += ", calendars: [" + strings.Join(c, ", ") + "]"
		}
	}
	b.seasonality = "{" + seasonality + "}"
	b.query = quoteYAML(b.o.Query)
	if b.o.Query == "" {
		// An empty query is refused by the API server. An invented one might be in another unit than the
		// capacity, and be accepted.
		b.query += " # fill in: the PromQL of this demand, in the unit of capacityPerReplica"
	}
}

func (b *proposalBuilder) forecast() string {
	contract := fmt.Sprintf("{serviceLevel: %q}", format.Plain(b.o.Contract.ServiceLevel))
	if b.o.Contract.ShortageCost > 0 {
		contract = fmt.Sprintf("{shortageCost: %q}", format.Plain(b.o.Contract.ShortageCost))
	}
	return strings.Join([]string{
		"apiVersion: headstart.dev/v1alpha1",
		"kind: Forecast",
		"metadata:" + b.metadata,
		"spec:",
		"  demand:",
		"    prometheus:",
		"      query: " + b.query + b.source,
		"    resolution: " + duration(b.step),
		"    history: " + duration(b.history),
		"  targetRef: " + b.target,
		"  capacityPerReplica: " + quoteYAML(format.Plain(b.capacity)),
		"  leadTime: " + b.lead,
		"  provisionFor: " + contract,
		"  horizon: " + duration(b.o.Horizon),
		"  seasonality: " + b.seasonality,
		"  bounds: " + b.bounds(),
		"  mode: " + b.mode,
		"",
	}, "\n")
}

// bounds returns the existing bounds, or else what the HPA can serve at most.
func (b *proposalBuilder) bounds() string {
	var parts []string
	if fc := b.o.Existing; fc != nil {
		if v := fc.Spec.Bounds.Min; v != nil {
			parts = append(parts, "min: "+quoteYAML(v.String()))
		}
		if v := fc.Spec.Bounds.Max; v != nil {
			return "{" + strings.Join(append(parts, "max: "+quoteYAML(v.String())), ", ") + "}"
		}
	}
	largest := format.Significant(float64(b.maxReplicas) * b.capacity)
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

func quoteYAML(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func duration(d time.Duration) string { return string(v1alpha1.FormatDuration(d)) }
