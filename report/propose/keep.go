package propose

import (
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/report/internal/format"
)

// keep takes over what an existing Forecast says. Applying a manifest removes the fields that it
// leaves out, so nothing may be left out.
func (b *builder) keep(fc *v1alpha1.Forecast) {
	b.name, b.mode = scalar(fc.Name), string(fc.Spec.Mode)
	b.metadata = "\n  name: " + b.name + "\n  namespace: " + scalar(fc.Namespace)
	ref := fc.Spec.TargetRef
	b.target = "{apiVersion: " + scalar(ref.APIVersion) + ", kind: " + scalar(ref.Kind) +
		", name: " + scalar(ref.Name) + "}"
	if unit := fc.Spec.Serve.Unit; unit != "" && unit != v1alpha1.ServeDemand {
		b.serve = "\n  serve: {unit: " + scalar(string(unit)) + "}"
	}
	b.keepCapacity(fc.Spec)
	b.serve += keptOverflow(fc.Spec)
	b.lead, b.seasonality = b.keptLead(fc.Spec.LeadTime), b.keptSeasonality(fc.Spec.Seasonality)
	if d := fc.Spec.Demand; d != nil {
		b.keepDemand(d)
		if d.Settle != "" {
			b.settle = "\n    settle: " + scalar(string(d.Settle))
		}
	}
	if e := fc.Spec.OnPlanExpiry; e.Policy != "" {
		b.expiry = "\n  onPlanExpiry: {policy: " + scalar(string(e.Policy))
		if e.Value != nil {
			b.expiry += ", value: " + quoteYAML(e.Value.String())
		}
		b.expiry += "}"
	}
}

// keepDemand keeps where the demand comes from. The query is that of the dry run, if it had one.
func (b *builder) keepDemand(d *v1alpha1.DemandSource) {
	if len(d.Terms) > 0 {
		b.demand = "\n    terms:" + nested(d.Terms, 4)
		if d.Source != "" {
			b.demand += "\n    source: " + quoteYAML(d.Source)
		}
		if d.Weights != "" {
			b.demand += "\n    weights: " + scalar(string(d.Weights))
		}
		return
	}
	if b.Query == "" && d.Prometheus.Query != "" {
		b.demand = prometheusOf(quoteYAML(d.Prometheus.Query) + " # as it is: check that the dry run read the same demand")
	}
	if d.Prometheus.Source != "" {
		b.demand += "\n      source: " + quoteYAML(d.Prometheus.Source)
	}
}

// keepCapacity keeps how the capacity is known. A learned one is served in replicas.
func (b *builder) keepCapacity(spec v1alpha1.ForecastSpec) {
	c := spec.Capacity
	if c == nil {
		return
	}
	kept := "\n  capacity:" + nested(c, 4)
	if c.Default != nil {
		b.capacity = kept // says the same as capacityPerReplica
	} else {
		b.capacity = "\n  capacityPerReplica: " + quoteYAML(format.Plain(b.Capacity)) + kept
	}
	if c.Mode != v1alpha1.CapacityFixed {
		b.serve = inReplicas
	}
}

// nested returns a value as YAML on lines of its own, behind an indent.
func nested(value any, indent int) string {
	text, err := yaml.Marshal(value)
	if err != nil {
		return " {}" // types of the API are always written
	}
	margin := "\n" + strings.Repeat(" ", indent)
	return margin + strings.ReplaceAll(strings.TrimRight(string(text), "\n"), "\n", margin)
}

// keptOverflow keeps what other clusters have to do with it.
func keptOverflow(spec v1alpha1.ForecastSpec) (out string) {
	if spec.Unit != "" {
		out += "\n  unit: " + scalar(spec.Unit)
	}
	if spec.Priority != 0 {
		out += fmt.Sprintf("\n  priority: %d", spec.Priority)
	}
	if o := spec.OverflowOf; o != nil {
		out += "\n  overflowOf: {cluster: " + scalar(o.Cluster) + ", forecast: " + scalar(o.Forecast) + "}"
	}
	return out
}

// keptLead keeps all but a fixed lead, which is that of the dry run.
func (b *builder) keptLead(l v1alpha1.LeadTime) string {
	parts := []string{"mode: Learned", "default: " + duration(b.Lead)}
	switch {
	case l.Mode == v1alpha1.LeadTimeFixed:
		parts = []string{"mode: Fixed", "fixed: " + duration(b.Lead)}
		if l.Default != nil {
			parts = append(parts, "default: "+scalar(string(*l.Default)))
		}
	case l.Default != nil:
		parts[1] = "default: " + scalar(string(*l.Default))
	}
	if l.Percentile != 0 {
		parts = append(parts, fmt.Sprintf("percentile: %d", l.Percentile))
	}
	if l.Max != "" {
		parts = append(parts, "max: "+scalar(string(l.Max)))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (b *builder) keptSeasonality(s v1alpha1.Seasonality) string {
	out := "timeZone: " + scalar(b.Location.String())
	if len(s.Calendars) > 0 {
		var names []string
		for _, name := range s.Calendars {
			names = append(names, scalar(name))
		}
		out += ", calendars: [" + strings.Join(names, ", ") + "]"
	}
	if len(s.Periods) > 0 {
		var periods []string
		for _, period := range s.Periods {
			periods = append(periods, scalar(string(period)))
		}
		out += ", periods: [" + strings.Join(periods, ", ") + "]"
	}
	return "{" + out + "}"
}
