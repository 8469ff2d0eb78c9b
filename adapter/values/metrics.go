package values

import (
	"cmp"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"headstart.dev/headstart/history"
)

// The metrics of an Observer, which are computed at each scrape.
var (
	floorDroppedDesc = prometheus.NewDesc("headstart_forecast_floor_dropped",
		"1 while observed demand is older than three polls, or was never polled, "+
			"and does not hold the served metric of this replica up; else 0. It has the Forecasts "+
			"that this replica owns, or was asked for lately.",
		[]string{"namespace", "forecast"}, nil)
	polledAtDesc = prometheus.NewDesc("headstart_forecast_observed_timestamp_seconds",
		"When the observed demand that this replica knows was polled.", []string{"namespace", "forecast"}, nil)
)

// forecastsDesc is the metric of Plans. Only the owner of a Forecast exports what is planned for it,
// so a Forecast that nobody plans for has no series. An alert finds it by this number.
var forecastsDesc = prometheus.NewDesc("headstart_forecasts",
	"Forecasts in the cluster that this replica knows, whoever plans for them.", nil, nil)

// planPeakDesc shows on a dashboard what is to come: a series of Prometheus has no future.
var planPeakDesc = prometheus.NewDesc("headstart_forecast_plan_peak_demand",
	"Largest demand that the published plan provisions for, from now on and within a time, in the unit of demand. "+
		"The owner of a Forecast exports it.",
	[]string{"namespace", "forecast", "within"}, nil)

// aheads are the values of within.
var aheads = [...]struct {
	name string
	span time.Duration
}{{"1h", time.Hour}, {"6h", 6 * time.Hour}, {"1d", 24 * time.Hour}}

// Describe implements [prometheus.Collector].
func (p *Plans) Describe(ch chan<- *prometheus.Desc) {
	ch <- forecastsDesc
	ch <- planPeakDesc
}

// Collect implements [prometheus.Collector]: how many Forecasts there are, and what the plans of those
// that this replica owns reach.
func (p *Plans) Collect(ch chan<- prometheus.Metric) {
	now := p.demand.clock.Now()
	p.mu.RLock()
	defer p.mu.RUnlock()
	ch <- prometheus.MustNewConstMetric(forecastsDesc, prometheus.GaugeValue, float64(len(p.entries)))
	for key, e := range p.entries {
		if e.plan == nil || !p.demand.ownsForecast(key) {
			continue
		}
		for _, w := range aheads {
			if v, ok := e.plan.Max(now, now.Add(w.span)); ok {
				ch <- prometheus.MustNewConstMetric(planPeakDesc, prometheus.GaugeValue, v, key.Namespace, key.Name, w.name)
			}
		}
	}
}

// newSourcePolls counts polls by source and result.
func newSourcePolls() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "headstart_source_polls_total",
		Help: "Polls of observed demand by this replica, by source and result: Answered, or the reason of the failure.",
	}, []string{"source", "result"})
}

// countPoll counts a poll that ended with err. A Forecast may name any source, so polls of those that
// it may not use are not counted: there would be no bound on the series.
func (o *Observer) countPoll(source string, err error) {
	kind := history.KindOf(err)
	if kind == history.ErrSourceUnknown || kind == history.ErrSourceForbidden {
		return
	}
	result := "Answered"
	if err != nil {
		result = cmp.Or(string(kind), "Error")
	}
	o.bySource.WithLabelValues(source, result).Inc()
}

// Describe implements [prometheus.Collector].
func (o *Observer) Describe(ch chan<- *prometheus.Desc) {
	ch <- floorDroppedDesc
	ch <- polledAtDesc
	o.polls.Describe(ch)
	o.bySource.Describe(ch)
}

// Collect implements [prometheus.Collector]: whether the floor of each polled Forecast was dropped,
// and when it was last polled.
func (o *Observer) Collect(ch chan<- prometheus.Metric) {
	o.polls.Collect(ch)
	o.bySource.Collect(ch)
	now := o.clock.Now()
	o.mu.RLock()
	defer o.mu.RUnlock()
	for key, f := range o.queries {
		v, dropped := o.latests[key], 0.0
		if o.tooOld(v) {
			dropped = 1
		}
		if o.askedLately(f, now) || o.ownsForecast(key) {
			ch <- prometheus.MustNewConstMetric(floorDroppedDesc, prometheus.GaugeValue, dropped, key.Namespace, key.Name)
		}
		if !v.at.IsZero() {
			seconds := float64(v.at.UnixMilli()) / 1000
			ch <- prometheus.MustNewConstMetric(polledAtDesc, prometheus.GaugeValue, seconds, key.Namespace, key.Name)
		}
	}
}
