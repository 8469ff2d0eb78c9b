package simulator

import "github.com/prometheus/client_golang/prometheus"

var (
	requestsDesc = desc(metricRequests+"_total", "Requests that the service was offered.")
	droppedDesc  = desc(metricDropped+"_total", "Requests that no ready replica had capacity for.")
	readyDesc    = desc(metricReady, "Replicas that serve.")
	latencyDesc  = desc(metricLatency, "Latency of the service's queue.")
	wantedDesc   = desc("simulator_replicas_wanted", "Desired replicas of the Deployment.")
)

func desc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, []string{"service"}, nil)
}

// Describe implements prometheus.Collector.
func (s *Simulator) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{requestsDesc, droppedDesc, readyDesc, wantedDesc, latencyDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. The counters start at the demand's begin, as those in
// the history do, so they continue.
func (s *Simulator) Collect(ch chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.updateAccounts()
	for name, svc := range s.services {
		ch <- prometheus.MustNewConstMetric(requestsDesc, prometheus.CounterValue, s.demand.Total(s.last), name)
		ch <- prometheus.MustNewConstMetric(droppedDesc, prometheus.CounterValue, svc.account.Dropped, name)
		ch <- prometheus.MustNewConstMetric(readyDesc, prometheus.GaugeValue, float64(svc.ready()), name)
		ch <- prometheus.MustNewConstMetric(wantedDesc, prometheus.GaugeValue, float64(svc.wanted), name)
		if svc.Objective > 0 {
			ch <- prometheus.MustNewConstMetric(latencyDesc, prometheus.GaugeValue, svc.latency(s.last, s.demand), name)
		}
	}
}
