package adapter

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The values of the label "api".
const (
	apiExternal = "external"
	apiCustom   = "custom"
	apiKEDA     = "keda"
)

// The values of the label "result", beside the reasons of [Unavailable]. resultError is a fault of
// the program.
const (
	resultServed = "Served"
	resultError  = "Error"
)

// instruments are the adapter's own metrics.
type instruments struct {
	requests *prometheus.CounterVec
	lookup   *prometheus.HistogramVec
	age      *prometheus.HistogramVec
	reviews  *prometheus.CounterVec
}

// newInstruments creates the metrics and registers them with reg, unless reg is nil.
func newInstruments(reg prometheus.Registerer) (*instruments, error) {
	i := &instruments{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "headstart_adapter_values_total",
			Help: "Requests for a value, by API (external, custom, keda) and result: Served, Error, " +
				"or the reason why there is none.",
		}, []string{"api", "result"}),
		lookup: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "headstart_adapter_lookup_duration_seconds",
			Help:    "Time to look a value up in memory, without transport, authentication and authorisation.",
			Buckets: []float64{1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1},
		}, []string{"api"}),
		age: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "headstart_adapter_value_age_seconds",
			Help:    "Time since the served value's plan was made or its demand was measured.",
			Buckets: []float64{15, 60, 300, 900, 1800, 3600, 4 * 3600, 12 * 3600, 24 * 3600},
		}, []string{"api"}),
		reviews: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "headstart_adapter_access_reviews_total",
			Help: "Answers about who calls (token) and what they may read (access), by result: " +
				"allowed, refused, error, cached, or limited when the caller is over its budget.",
		}, []string{"kind", "result"}),
	}
	if reg == nil {
		return i, nil
	}
	for _, c := range []prometheus.Collector{i.requests, i.lookup, i.age, i.reviews} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register the adapter's metrics: %w", err)
		}
	}
	return i, nil
}

// countServed counts a value that was served. age is the time since it was computed, and took is
// the duration of the lookup.
func (i *instruments) countServed(api string, age, took time.Duration) {
	i.requests.WithLabelValues(api, resultServed).Inc()
	i.age.WithLabelValues(api).Observe(age.Seconds())
	i.lookup.WithLabelValues(api).Observe(took.Seconds())
}

// countReview counts an answer of package access.
func (i *instruments) countReview(kind, result string) {
	i.reviews.WithLabelValues(kind, result).Inc()
}

// countFailed counts a request without a value.
func (i *instruments) countFailed(api string, err error) {
	result := resultError
	if u, ok := errors.AsType[*Unavailable](err); ok {
		result = string(u.Reason)
	}
	i.requests.WithLabelValues(api, result).Inc()
}
