package externalscaler

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/utils/clock"
)

// Options configure a [Server].
type Options struct {
	// Forecasts and Lookup are where the answers come from.
	Forecasts Forecasts
	Lookup    Lookup

	// BindAddress is the IP address to listen on; all addresses when it is empty.
	BindAddress string
	// Port is the TCP port to listen on; [DefaultPort] when it is 0.
	Port int
	// Listener replaces BindAddress and Port when it is not nil.
	Listener net.Listener

	// Cert is the serving certificate, such as a certs.Manager. New connections use a changed one.
	Cert dynamiccertificates.CertKeyContentProvider
	// ClientCA are the CAs of client certificates. A client without a certificate of theirs is
	// refused. nil asks for no certificate.
	ClientCA dynamiccertificates.CAContentProvider

	// ShutdownDelay is how long the server still serves after its context is done, so that clients
	// learn of the other replicas before the listener closes.
	ShutdownDelay time.Duration

	// MaxStreams bounds the open streams, and MaxStreamsPerNamespace those of one namespace; see the
	// defaults below when they are 0. A trigger of type external-push has two.
	MaxStreams, MaxStreamsPerNamespace int

	// Registerer registers the metrics; nil registers none.
	Registerer prometheus.Registerer
	// Logger logs changes of state; slog.Default() when it is nil.
	Logger *slog.Logger
	// Clock is the clock that values are served by; the real one when it is nil.
	Clock clock.PassiveClock

	// These replace the constants of the same names, for tests.
	tick, lifetime, readTimeout   time.Duration
	maxConnections, maxUnfinished int
}

const (
	// DefaultPort is the port of the scaler.
	DefaultPort = 9443

	defaultMaxStreams             = 10_000
	defaultMaxStreamsPerNamespace = 2_000

	tick     = time.Second
	lifetime = 20 * time.Minute

	// readTimeout is how long a request waits for its message. KEDA sends both at once.
	readTimeout = 10 * time.Second
	// maxConnections bounds the connections, of which one client address has half. KEDA has one, or a
	// few.
	maxConnections = 1_000
	// maxUnfinished bounds the requests that are not finished, without the streams that are followed.
	maxUnfinished = 20_000
)

// withDefaults returns the options with defaults for zero values.
func (o Options) withDefaults() Options {
	o.Port = cmp.Or(o.Port, DefaultPort)
	o.MaxStreams = cmp.Or(o.MaxStreams, defaultMaxStreams)
	o.MaxStreamsPerNamespace = cmp.Or(o.MaxStreamsPerNamespace, defaultMaxStreamsPerNamespace)
	o.tick, o.lifetime = cmp.Or(o.tick, tick), cmp.Or(o.lifetime, lifetime)
	o.readTimeout = cmp.Or(o.readTimeout, readTimeout)
	o.maxConnections = cmp.Or(o.maxConnections, maxConnections)
	o.maxUnfinished = cmp.Or(o.maxUnfinished, maxUnfinished)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	return o
}

// validate returns all errors of the options at once.
func (o Options) validate() error {
	var errs []error
	if o.Forecasts == nil || o.Lookup == nil {
		errs = append(errs, errors.New("there are no Forecasts to serve"))
	}
	if o.Cert == nil {
		errs = append(errs, errors.New("there is no serving certificate: give Cert"))
	}
	if o.Listener == nil && (o.Port < 1 || o.Port > 65535) {
		errs = append(errs, fmt.Errorf("port %d is not between 1 and 65535", o.Port))
	}
	if o.BindAddress != "" && net.ParseIP(o.BindAddress) == nil {
		errs = append(errs, fmt.Errorf("bind address %q is not an IP address", o.BindAddress))
	}
	if o.MaxStreams < 1 || o.MaxStreamsPerNamespace < 1 || o.ShutdownDelay < 0 {
		errs = append(errs, errors.New("the bounds of streams must be above 0, and the shutdown delay not below 0"))
	}
	return errors.Join(errs...)
}
