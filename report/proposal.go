package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/report/internal/format"
)

// Proposal is what to apply to switch Headstart on: a Forecast in mode DryRun, and the HPA that reads it.
type Proposal struct {
	// Forecast and HPA are manifests.
	Forecast string `json:"forecast"`
	HPA      string `json:"hpa"`
}

// proposal fills in what the replay knows; what it does not know is that of the Forecast that exists, or the user's to check.
func (r *Report) proposal(head Figures) *Proposal {
	ceiling := r.trace.most
	if ceiling == 0 {
		ceiling = int(math.Ceil(1.25 * head.PeakReplicas))
	}
	n, capacity := r.names(), format.Rounded(r.options.Capacity)
	return &Proposal{Forecast: r.proposedForecast(n, capacity, ceiling), HPA: r.proposedHPA(n, capacity, ceiling, head.PeakReplicas)}
}

func (r *Report) proposedForecast(n names, capacity float64, ceiling int) string {
	o := r.options
	query := o.Query
	if query == "" {
		query = fmt.Sprintf(`sum(rate(http_requests_total{service="%s"}[2m]))`, n.name)
	}
	contract := fmt.Sprintf("{serviceLevel: %q}", format.Plain(o.Contract.ServiceLevel))
	if o.Contract.ShortageCost > 0 {
		contract = fmt.Sprintf("{shortageCost: %q}", format.Plain(o.Contract.ShortageCost))
	}
	return strings.Join([]string{
		"apiVersion: headstart.dev/v1alpha1",
		"kind: Forecast",
		"metadata:" + n.metadata,
		"spec:",
		"  demand:",
		"    prometheus:",
		"      query: " + quoteYAML(query) + n.source,
		"    resolution: " + duration(r.trace.step),
		"    history: " + duration(r.historySpan()),
		"  targetRef: " + n.target,
		"  capacityPerReplica: " + quoteYAML(format.Plain(capacity)),
		"  leadTime: " + n.lead,
		"  provisionFor: " + contract,
		"  horizon: " + duration(o.Horizon),
		"  seasonality: " + n.seasonality,
		"  bounds: " + r.bounds(float64(ceiling)*capacity),
		"  mode: " + n.mode,
		"",
	}, "\n")
}

func (r *Report) proposedHPA(n names, capacity float64, ceiling int, peak float64) string {
	return strings.Join([]string{
		"apiVersion: autoscaling/v2",
		"kind: HorizontalPodAutoscaler",
		"metadata:" + n.metadata,
		"spec:",
		"  scaleTargetRef: " + n.target,
		fmt.Sprintf("  minReplicas: %d", max(1, r.trace.least)),
		fmt.Sprintf("  maxReplicas: %d # the dry run asked for %s at most", ceiling, format.Whole(peak)),
		"  metrics:",
		"  - type: External",
		"    external:",
		"      metric: {name: " + n.name + "}",
		"      target: {type: AverageValue, averageValue: " + quoteYAML(format.Plain(capacity)) + "}",
		"  behavior:",
		"    scaleUp:",
		"      tolerance: \"0\" # Kubernetes 1.35 and later; before, 10 % more demand is not acted on",
		"      stabilizationWindowSeconds: 0",
		"      policies:",
		"      - {type: Percent, value: 900, periodSeconds: 15}",
		"      - {type: Pods, value: 20, periodSeconds: 15}",
		"      selectPolicy: Max",
		"    scaleDown:",
		"      tolerance: \"0\"",
		fmt.Sprintf("      stabilizationWindowSeconds: %d", int(min(r.options.Stabilization, time.Hour).Seconds())),
		"",
	}, "\n")
}

// bounds are those that are there, or what the HPA can serve at most.
func (r *Report) bounds(most float64) string {
	var parts []string
	if fc := r.options.Existing; fc != nil {
		if v := fc.Spec.Bounds.Min; v != nil {
			parts = append(parts, "min: "+quoteYAML(v.String()))
		}
		if v := fc.Spec.Bounds.Max; v != nil {
			return "{" + strings.Join(append(parts, "max: "+quoteYAML(v.String())), ", ") + "}"
		}
	}
	return "{" + strings.Join(append(parts, "max: "+quoteYAML(format.Significant(most))), ", ") + "} # what maxReplicas serve"
}

// names are the parts of the manifests that a Forecast which exists has already.
type names struct{ name, metadata, source, target, lead, seasonality, mode string }

func (r *Report) names() names {
	o := r.options
	name := serviceName(o.Service)
	n := names{
		name: name, metadata: "\n  name: " + name,
		target: "{apiVersion: apps/v1, kind: Deployment, name: " + name + "}",
		lead:   "{mode: Learned, default: " + duration(o.Lead) + "}",
		mode:   "DryRun # Active once you have seen what it plans",
	}
	zone := "{timeZone: " + r.options.location().String()
	if fc := o.Existing; fc != nil {
		n.name, n.metadata, n.mode = fc.Name, "\n  name: "+fc.Name+"\n  namespace: "+fc.Namespace, string(fc.Spec.Mode)
		ref := fc.Spec.TargetRef
		n.target = fmt.Sprintf("{apiVersion: %s, kind: %s, name: %s}", ref.APIVersion, ref.Kind, ref.Name)
		if fc.Spec.LeadTime.Mode == v1alpha1.LeadTimeFixed {
			n.lead = "{mode: Fixed, fixed: " + duration(o.Lead) + "}"
		}
		if d := fc.Spec.Demand; d != nil && d.Prometheus.Source != "" {
			n.source = "\n      source: " + quoteYAML(d.Prometheus.Source)
		}
		if c := fc.Spec.Seasonality.Calendars; len(c) > 0 {
			zone += ", calendars: [" + strings.Join(c, ", ") + "]"
		}
	}
	n.seasonality = zone + "}"
	return n
}

// historySpan is what the Forecast should read: what was at hand here, four weeks at least, as far as a fit looks.
func (r *Report) historySpan() time.Duration {
	const day = 24 * time.Hour
	span := max(28*day, r.Input.From.Sub(r.Input.Start).Truncate(day))
	return max(day, min(span, (40320*r.trace.step).Truncate(day), 365*day))
}

// serviceName makes a name that the API takes.
func serviceName(name string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(name) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			b.WriteRune(c)
		} else if b.Len() > 0 && !strings.HasSuffix(b.String(), "-") {
			b.WriteByte('-')
		}
	}
	out := strings.Trim(b.String(), "-")
	if out = strings.Trim(out[:min(len(out), 50)], "-"); out == "" {
		return "my-service"
	}
	return out
}

func quoteYAML(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func duration(d time.Duration) string { return string(v1alpha1.FormatDuration(d)) }
