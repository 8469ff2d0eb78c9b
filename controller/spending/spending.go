// Package spending writes what the plans of a Forecast ask for, over a reactive policy, into its
// status, its conditions and its metrics. What is done about it is decided in planner/spend.
package spending

import (
	"fmt"
	"math"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/internal/conditions"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/spend"
)

// Status returns what status says. figures are those of the newest step.
func Status(l *spend.Ledger, figures spend.Figures) *v1alpha1.SpendStatus {
	record := l.Record()
	if record.Text == "" {
		return nil
	}
	return &v1alpha1.SpendStatus{
		Ratio: figure(figures.Ratio), Unbounded: figure(figures.Full), Reachable: figure(figures.Reachable),
		RecordSince: new(kube.MetaTime(record.Since)), RecordUntil: new(kube.MetaTime(record.Until)), Record: record.Text,
	}
}

// figure formats a figure with four significant digits. One that is not known is empty.
func figure(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return string(v1alpha1.FormatDecimal(v, 4))
}

// SetCondition sets the condition SpendLimited: whether the plan is lowered, and what can be
// reached. figures is nil where the bound cannot be held, because the capacity or the demand is not
// known. limited reports whether the condition was True before.
func SetCondition(set *conditions.Set, bound planner.Settings, figures *spend.Figures, capacity float64, limited bool) {
	const kind = v1alpha1.ConditionSpendLimited
	switch {
	case !(capacity > 0):
		set.SetUnknown(kind, "CapacityUnknown", "provisionFor.atMost is not held, because replica-hours are not known: "+
			"set spec.capacityPerReplica, or averageValue of the HPA")
	case figures == nil || math.IsNaN(figures.Ratio):
		set.SetUnknown(kind, "NothingCounted", "no plan was counted yet: there is no demand, or no plan of it")
	case figures.Exceeded():
		set.SetTrue(kind, "BoundExceeded", "%s, more than provisionFor.atMost %s, although no forecast is planned with: "+
			"declared peaks ask for it, or demand has fallen since; only observed demand and declared peaks are provided for "+
			"until the week is within the bound; raise atMost, or lower the peaks",
			asked(*figures), figure(bound.AtMost))
	case figures.Lowered() || limited && figures.Full > resume*bound.AtMost:
		set.SetTrue(kind, "LevelLowered", "%s, and provisionFor.atMost is %s: %s; the whole service level of %s asks for "+
			"%s times; raise atMost, or lower serviceLevel",
			asked(*figures), figure(bound.AtMost), reached(*figures), figure(bound.Contract.ServiceLevel), ratio(figures.Full))
	default:
		set.SetFalse(kind, "WithinBound", "%s, and provisionFor.atMost is %s", asked(*figures), figure(bound.AtMost))
	}
}

// resume is the share of the bound that the whole forecast must come down to before the condition
// turns. At the bound itself it would turn all the time.
const resume = 0.95

func asked(f spend.Figures) string {
	over := "the last 7 days"
	if !f.WholeWeek() {
		over = fmt.Sprintf("the %.0f hours so far", math.Ceil(f.Counted.Hours()))
	}
	return fmt.Sprintf("the plans of %s asked for %s times the replica-hours of a reactive policy", over, ratio(f.Ratio))
}

func reached(f spend.Figures) string {
	if math.IsNaN(f.Reachable) {
		return "the plan is lowered; which service level can be reached so is not known yet"
	}
	return fmt.Sprintf("the plan is lowered, and reaches a service level of %.3f", f.Reachable)
}

// ratio formats a ratio for a message.
func ratio(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

// Metrics are about the Forecasts with a bound on what they ask for.
type Metrics struct{ spend *prometheus.GaugeVec }

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "headstart_forecast_spend",
		Help: "What the plans of the last week asked for, in replica-hours of a reactive policy, where that is " +
			"bounded: the ratio, what it would be unbounded, and the bound at_most; and the service level that is reachable.",
	}, []string{"namespace", "forecast", "figure"})}
	if r != nil {
		r.MustRegister(m.spend)
	}
	return m
}

// Observe sets the metrics of a Forecast. figures is nil where nothing is bounded or known.
func (m *Metrics) Observe(key types.NamespacedName, atMost float64, figures *spend.Figures) {
	if figures == nil {
		figures, atMost = &spend.Figures{Ratio: math.NaN(), Full: math.NaN(), Reachable: math.NaN()}, math.NaN()
	}
	for name, v := range map[string]float64{
		"ratio": figures.Ratio, "unbounded": figures.Full, "at_most": atMost, "reachable": figures.Reachable,
	} {
		if math.IsNaN(v) {
			m.spend.DeleteLabelValues(key.Namespace, key.Name, name)
		} else {
			m.spend.WithLabelValues(key.Namespace, key.Name, name).Set(v)
		}
	}
}

// Forget drops the series of a Forecast.
func (m *Metrics) Forget(key types.NamespacedName) { m.Observe(key, 0, nil) }

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) { m.spend.Describe(ch) }

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(ch chan<- prometheus.Metric) { m.spend.Collect(ch) }
