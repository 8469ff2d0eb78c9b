package controller

import (
	"math"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
)

// reconcilerMetrics are what the leader tells of its Forecasts.
type reconcilerMetrics struct {
	writes   prometheus.Counter
	observed *prometheus.GaugeVec
	served   *prometheus.GaugeVec
	lead     *prometheus.GaugeVec
	skill    *prometheus.GaugeVec
	planEnd  *prometheus.GaugeVec
	states   *prometheus.GaugeVec
	accuracy *prometheus.GaugeVec
}

func newReconcilerMetrics(r prometheus.Registerer) *reconcilerMetrics {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return promauto.With(r).NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"namespace", "forecast"})
	}
	return &reconcilerMetrics{
		writes: promauto.With(r).NewCounter(prometheus.CounterOpts{
			Name: "headstart_controller_status_writes_total", Help: "Status writes of Forecasts.",
		}),
		observed: gauge("headstart_forecast_observed_demand", "Demand that was measured last, in the unit of the Forecast's query."),
		served:   gauge("headstart_forecast_served_demand", "Demand that the metric had at the last evaluation, as the leader sees it, in the unit of the Forecast's query."),
		lead:     gauge("headstart_forecast_lead_seconds", "Lead that the plan was made with."),
		skill:    gauge("headstart_forecast_skill", "1 - loss / loss of the better simple rule (the level stays; demand rises as a season ago), on held-out history and since; below 0 the forecast is not served."),
		planEnd:  gauge("headstart_forecast_plan_end_timestamp_seconds", "When the published plan is outlived."),
		states: promauto.With(r).NewGaugeVec(prometheus.GaugeOpts{
			Name: "headstart_forecast_condition", Help: "Conditions of Forecasts, by type: 1 is True, 0 False, -1 Unknown.",
		}, []string{"namespace", "forecast", "type"}),
		accuracy: promauto.With(r).NewGaugeVec(prometheus.GaugeOpts{
			Name: "headstart_forecast_accuracy",
			Help: "How good the plan turned out to be: asked and covered share of lead windows (of steps, under a shortage cost), skill, and bias, over the last day and week.",
		}, []string{"namespace", "forecast", "figure", "over"}),
	}
}

// observe shows a status as an evaluation left it, whether or not it was worth a write.
func (m *reconcilerMetrics) observe(key types.NamespacedName, s *v1alpha1.ForecastStatus, lead time.Duration) {
	if s.Observed != nil {
		m.observed.WithLabelValues(key.Namespace, key.Name).Set(s.Observed.Value.AsApproximateFloat64())
	}
	if s.Served != nil {
		m.served.WithLabelValues(key.Namespace, key.Name).Set(s.Served.Value.AsApproximateFloat64())
	}
	m.lead.WithLabelValues(key.Namespace, key.Name).Set(lead.Seconds())
	if s.Model != nil {
		if skill, err := strconv.ParseFloat(s.Model.Skill, 64); err == nil {
			m.skill.WithLabelValues(key.Namespace, key.Name).Set(skill)
		}
	}
	for _, c := range s.Conditions {
		value := -1.0
		switch c.Status {
		case metav1.ConditionTrue:
			value = 1
		case metav1.ConditionFalse:
			value = 0
		case metav1.ConditionUnknown:
		}
		m.states.WithLabelValues(key.Namespace, key.Name, c.Type).Set(value)
	}
	m.observeAccuracy(key, s.Accuracy)
	if s.Plan != nil {
		m.planEnd.WithLabelValues(key.Namespace, key.Name).Set(float64(s.Plan.End.Unix()))
	}
}

func (m *reconcilerMetrics) observeAccuracy(key types.NamespacedName, a *v1alpha1.AccuracyStatus) {
	if a == nil {
		return
	}
	for over, f := range map[string]*v1alpha1.AccuracyFigures{"day": a.LastDay, "week": a.LastWeek} {
		if f == nil {
			continue
		}
		for figure, text := range map[string]string{"asked": string(a.Asked), "covered": f.Coverage, "skill": f.Skill, "bias": f.Bias} {
			if v, err := strconv.ParseFloat(text, 64); err == nil {
				m.accuracy.WithLabelValues(key.Namespace, key.Name, figure, over).Set(v)
			} else {
				m.accuracy.DeleteLabelValues(key.Namespace, key.Name, figure, over)
			}
		}
	}
}

// forget drops the series of a Forecast that is gone.
func (m *reconcilerMetrics) forget(key types.NamespacedName) {
	for _, g := range []*prometheus.GaugeVec{m.observed, m.served, m.lead, m.skill, m.planEnd} {
		g.DeleteLabelValues(key.Namespace, key.Name)
	}
	m.states.DeletePartialMatch(prometheus.Labels{"namespace": key.Namespace, "forecast": key.Name})
	m.accuracy.DeletePartialMatch(prometheus.Labels{"namespace": key.Namespace, "forecast": key.Name})
}

// signed writes a figure with its sign and three digits after the point.
func signed(f float64) string {
	if math.Abs(f) > 1e6 {
		return strconv.FormatFloat(math.Copysign(1e6, f), 'f', 0, 64)
	}
	return strconv.FormatFloat(f, 'f', 3, 64)
}
