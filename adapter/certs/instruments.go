package certs

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// instruments are the metrics of certificates.
type instruments struct {
	expiry   *prometheus.GaugeVec
	failures prometheus.Counter
	cas      prometheus.Gauge
}

// newInstruments registers the metrics with reg; with none when reg is nil.
func newInstruments(reg prometheus.Registerer) (*instruments, error) {
	i := &instruments{
		expiry: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "headstart_adapter_certificate_expiration_timestamp_seconds",
			Help: "When the certificate in use expires, as Unix time, by certificate: " +
				"serving, ca (the one that signs).",
		}, []string{"certificate"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "headstart_adapter_certificate_sync_failures_total",
			Help: "Failed attempts to read, rotate or publish the serving certificate.",
		}),
		cas: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "headstart_adapter_certificate_trusted_authorities",
			Help: "CAs in the bundle that clients trust: 1, and 2 while they overlap.",
		}),
	}
	if reg == nil {
		return i, nil
	}
	for _, c := range []prometheus.Collector{i.expiry, i.failures, i.cas} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics of certificates: %w", err)
		}
	}
	return i, nil
}

// observe sets the metrics after a sync that left s in use.
func (i *instruments) observe(s state, err error) {
	if err != nil {
		i.failures.Inc()
	}
	i.cas.Set(float64(len(s.cas)))
	if s.serving != nil {
		i.expiry.WithLabelValues("serving").Set(float64(s.serving.leaf.NotAfter.Unix()))
	}
	if s.signing != nil {
		i.expiry.WithLabelValues("ca").Set(float64(s.signing.cert.NotAfter.Unix()))
	}
}
