package values

import "github.com/prometheus/client_golang/prometheus"

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

// Describe implements [prometheus.Collector].
func (o *Observer) Describe(ch chan<- *prometheus.Desc) {
	ch <- floorDroppedDesc
	ch <- polledAtDesc
	o.polls.Describe(ch)
}

// Collect implements [prometheus.Collector]: whether the floor of each polled Forecast was dropped,
// and when it was last polled.
func (o *Observer) Collect(ch chan<- prometheus.Metric) {
	o.polls.Collect(ch)
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
