package evidence

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/reads"
)

// Metrics are about the capacities that this replica learns.
type Metrics struct{ capacity, steps, learned, weight *prometheus.GaugeVec }

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help},
			append([]string{"namespace", "forecast"}, labels...))
	}
	m := &Metrics{
		capacity: gauge("headstart_forecast_capacity",
			"Demand that one replica serves, where that is learned: the figure used, the one configured, the newest "+
				"estimate, its lower bound, and the most that was carried with the objective met.", "figure"),
		steps: gauge("headstart_forecast_capacity_steps",
			"Steps that the capacity is learned from, and those of them that missed the objective.", "steps"),
		learned: gauge("headstart_forecast_capacity_learned",
			"Whether the capacity that is used is learned from loads near the limit: 1 or 0."),
		weight: gauge("headstart_forecast_demand_weight",
			"Weight in use of each term of demand, by its number from 0 on, where weights are learned.", "term"),
	}
	if r != nil {
		r.MustRegister(m)
	}
	return m
}

// Observe sets the metrics of a learned capacity. configured is what counts without evidence.
func (m *Metrics) Observe(key types.NamespacedName, c *v1alpha1.LearnedCapacity, configured float64) {
	if c == nil {
		m.Forget(key)
		return
	}
	figures := map[string]*resource.Quantity{
		"used": &c.Value, "estimate": c.Estimate, "lower": c.Lower, "carried": c.Carried,
	}
	for figure, q := range figures {
		if q == nil {
			m.capacity.DeleteLabelValues(key.Namespace, key.Name, figure)
			continue
		}
		m.capacity.WithLabelValues(key.Namespace, key.Name, figure).Set(q.AsApproximateFloat64())
	}
	m.capacity.WithLabelValues(key.Namespace, key.Name, "configured").Set(configured)
	m.steps.WithLabelValues(key.Namespace, key.Name, "taught").Set(float64(c.Steps))
	m.steps.WithLabelValues(key.Namespace, key.Name, "missed").Set(float64(c.Missed))
	learned := 0.0
	if c.Source == v1alpha1.CapacitySourceLearned {
		learned = 1
	}
	m.learned.WithLabelValues(key.Namespace, key.Name).Set(learned)
}

// ObserveWeights sets the metric of the weights of a demand, where they are learned: those in status,
// or those of the spec.
func (m *Metrics) ObserveWeights(key types.NamespacedName, d *v1alpha1.DemandSource, s *v1alpha1.DemandWeights) {
	var terms []v1alpha1.DemandTerm
	if d != nil && d.Weights == v1alpha1.WeightsLearned {
		terms = d.Terms
	}
	for i, t := range terms {
		text := t.Weight
		if s != nil && i < len(s.Values) {
			text = s.Values[i]
		}
		if w, err := text.Parse(); err == nil {
			m.weight.WithLabelValues(key.Namespace, key.Name, strconv.Itoa(i)).Set(w)
		}
	}
	m.forgetWeights(key, len(terms))
}

// forgetWeights drops the series of the weights from a term on.
func (m *Metrics) forgetWeights(key types.NamespacedName, from int) {
	for i := from; i < reads.MaxTerms; i++ {
		m.weight.DeleteLabelValues(key.Namespace, key.Name, strconv.Itoa(i))
	}
}

// Forget drops the series of a learned capacity. They are named one by one: a partial match looks at
// the series of all Forecasts, and Observe calls this for each without a learned capacity.
func (m *Metrics) Forget(key types.NamespacedName) {
	for _, figure := range []string{"used", "estimate", "lower", "carried", "configured"} {
		m.capacity.DeleteLabelValues(key.Namespace, key.Name, figure)
	}
	for _, what := range []string{"taught", "missed"} {
		m.steps.DeleteLabelValues(key.Namespace, key.Name, what)
	}
	m.learned.DeleteLabelValues(key.Namespace, key.Name)
	m.forgetWeights(key, 0)
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, g := range []*prometheus.GaugeVec{m.capacity, m.steps, m.learned, m.weight} {
		g.Describe(ch)
	}
}

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, g := range []*prometheus.GaugeVec{m.capacity, m.steps, m.learned, m.weight} {
		g.Collect(ch)
	}
}
