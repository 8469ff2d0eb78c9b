package gpuwarm

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the metrics of starts. A nil *Metrics counts nothing.
type Metrics struct {
	phases *prometheus.HistogramVec
}

// NewMetrics registers the metrics of this package with r.
//
// headstart_startup_phase_seconds is a histogram of the phases of starts that were watched until
// the pod was Ready, by phase (schedule, init, image, start, load, and total for their sum) and
// path (Warm, ColdImage, ColdNode). It has no label for the service, because with buckets thousands
// of Forecasts would make millions of series. The times of one service are in its status and in
// "headstart startup".
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{phases: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "headstart_startup_phase_seconds",
		Help:    "Time that the phases of watched starts took until the pod was Ready, in seconds.",
		Buckets: []float64{1, 2, 5, 10, 20, 30, 45, 60, 90, 120, 180, 240, 300, 420, 600, 900, 1200, 1800, 3600},
	}, []string{"phase", "path"})}
	if err := r.Register(m.phases); err != nil {
		return nil, err
	}
	return m, nil
}

// Observe counts starts that became Ready, as [Learner.Sync] returns them.
func (m *Metrics) Observe(starts []Start) {
	if m == nil {
		return
	}
	for _, s := range starts {
		path := string(s.Path)
		if path == "" {
			path = "Unknown"
		}
		for phase, d := range s.Durations() {
			m.phases.WithLabelValues(string(phase), path).Observe(d.Seconds())
		}
		if !s.Ready.IsZero() {
			m.phases.WithLabelValues("total", path).Observe(max(0, s.Ready.Sub(s.Created).Seconds()))
		}
	}
}
