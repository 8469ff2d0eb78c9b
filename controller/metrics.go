package controller

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/evidence"
	"headstart.dev/headstart/controller/spending"
	"headstart.dev/headstart/history"
)

// reconcilerMetrics are the metrics about the Forecasts that this replica owns.
type reconcilerMetrics struct {
	writes     prometheus.Counter
	observed   *prometheus.GaugeVec
	served     *prometheus.GaugeVec
	lead       *prometheus.GaugeVec
	skill      *prometheus.GaugeVec
	planEnd    *prometheus.GaugeVec
	conditions *prometheus.GaugeVec
	accuracy   *prometheus.GaugeVec
	partial    *prometheus.GaugeVec
	warnings   *prometheus.GaugeVec
	overflow   *prometheus.GaugeVec
	overStart  *prometheus.GaugeVec
	overPeak   *prometheus.GaugeVec
	timeline   *prometheus.GaugeVec
	share      *prometheus.GaugeVec
	linkUp     *prometheus.GaugeVec
	skew       *prometheus.GaugeVec
	evidence   *evidence.Metrics
	spend      *spending.Metrics
}

func newReconcilerMetrics(r prometheus.Registerer) *reconcilerMetrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		labels = append([]string{"namespace", "forecast"}, labels...)
		return promauto.With(r).NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	return &reconcilerMetrics{
		writes: promauto.With(r).NewCounter(prometheus.CounterOpts{
			Name: "headstart_controller_status_writes_total", Help: "Status writes of Forecasts.",
		}),
		observed: gauge("headstart_forecast_observed_demand",
			"Newest measured demand, in the unit of the Forecast's query."),
		served: gauge("headstart_forecast_served_demand",
			"Demand served at the last evaluation, as their owner sees it, in the unit of the Forecast's query."),
		lead: gauge("headstart_forecast_lead_seconds", "Lead of the newest plan."),
		skill: gauge("headstart_forecast_skill",
			"1 - loss / loss of the better simple rule (the level stays; demand rises as a season ago), "+
				"on held-out history and since. Below 0 the forecast is not served."),
		partial: gauge("headstart_forecast_partial_steps",
			"Steps of the history that the source has answered in part only. They are read again."),
		warnings: gauge("headstart_forecast_source_warnings",
			"Warnings and infos of the source in the last read of history."),
		overflow: gauge("headstart_forecast_overflow_demand",
			"Part of the plan that does not fit into this cluster, in the unit of the Forecast's query: "+
				"now, and a lead ahead.", "at"),
		overStart: gauge("headstart_forecast_overflow_start_timestamp_seconds",
			"When a part of the plan does not fit into this cluster for the first time; absent while all of it fits."),
		overPeak: gauge("headstart_forecast_overflow_peak_demand",
			"Largest part of the plan that does not fit into this cluster; absent while all of it fits."),
		timeline: gauge("headstart_overflow_timeline_timestamp_seconds",
			"When the cluster in spec.overflowOf planned what was last read of it."),
		share: gauge("headstart_forecast_planned_share",
			"Share of the planned demand that this cluster serves, and that overflows: now, and a lead ahead.",
			"part", "at"),
		linkUp: gauge("headstart_overflow_link_up",
			"Whether the cluster in spec.overflowOf can be reached: 1 or 0."),
		skew: gauge("headstart_overflow_clock_skew_seconds",
			"How far the clock of the cluster in spec.overflowOf is ahead, estimated to the second."),
		evidence: evidence.NewMetrics(r), spend: spending.NewMetrics(r),
		planEnd: gauge("headstart_forecast_plan_end_timestamp_seconds", "When the published plan ends."),
		conditions: gauge("headstart_forecast_condition",
			"Conditions of Forecasts, by type: 1 is True, 0 False, -1 Unknown.", "type"),
		accuracy: gauge("headstart_forecast_accuracy",
			"Accuracy of the plan over the last day and week: required (asked) and covered share of lead windows "+
				"(of steps, under a shortage cost), skill, and bias.", "figure", "over"),
	}
}

// observe sets the metrics of a Forecast from its status after an evaluation, even if that is not
// written.
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
	m.observeConditions(key, s.Conditions)
	m.observeAccuracy(key, s.Accuracy)
	if s.Plan != nil {
		m.planEnd.WithLabelValues(key.Namespace, key.Name).Set(float64(s.Plan.End.Unix()))
	}
}

// observeConditions sets the metrics of conditions.
func (m *reconcilerMetrics) observeConditions(key types.NamespacedName, all []metav1.Condition) {
	for _, c := range all {
		value := -1.0
		switch c.Status {
		case metav1.ConditionTrue:
			value = 1
		case metav1.ConditionFalse:
			value = 0
		case metav1.ConditionUnknown:
		}
		m.conditions.WithLabelValues(key.Namespace, key.Name, c.Type).Set(value)
	}
}

// observeNotes sets the metrics of what the source says about its answers.
func (m *reconcilerMetrics) observeNotes(key types.NamespacedName, n history.Notes) {
	m.partial.WithLabelValues(key.Namespace, key.Name).Set(float64(n.Partial))
	m.warnings.WithLabelValues(key.Namespace, key.Name).Set(float64(len(n.Warnings)))
}

func (m *reconcilerMetrics) observeAccuracy(key types.NamespacedName, a *v1alpha1.AccuracyStatus) {
	if a == nil {
		return
	}
	for over, f := range map[string]*v1alpha1.AccuracyFigures{"day": a.LastDay, "week": a.LastWeek} {
		if f == nil {
			continue
		}
		figures := map[string]string{
			"asked": string(a.Asked), "covered": f.Coverage, "skill": f.Skill, "bias": f.Bias,
		}
		for figure, text := range figures {
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
	for _, g := range []*prometheus.GaugeVec{
		m.observed, m.served, m.lead, m.skill, m.planEnd, m.partial, m.warnings,
	} {
		g.DeleteLabelValues(key.Namespace, key.Name)
	}
	m.conditions.DeletePartialMatch(prometheus.Labels{"namespace": key.Namespace, "forecast": key.Name})
	m.accuracy.DeletePartialMatch(prometheus.Labels{"namespace": key.Namespace, "forecast": key.Name})
	m.forgetShares(key)
	m.forgetLink(key)
	m.evidence.Forget(key)
	m.spend.Forget(key)
}
