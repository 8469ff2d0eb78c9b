package adapter

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"
)

// Options configure a [Server].
type Options struct {
	// ExternalMetrics serves external.metrics.k8s.io, and CustomMetrics custom.metrics.k8s.io. With
	// neither, the server has its probes and its own metrics only: KEDA reads another port.
	ExternalMetrics, CustomMetrics bool

	// BindAddress is the IP address to listen on; all addresses when it is empty.
	BindAddress string
	// SecurePort is the TCP port to listen on; [DefaultPort] when it is 0.
	SecurePort int
	// Listener replaces BindAddress and SecurePort when it is not nil.
	Listener net.Listener

	// Cert is the serving certificate, such as a certs.Manager. New connections use a changed one
	// without a restart.
	Cert dynamiccertificates.CertKeyContentProvider
	// CertFile and KeyFile replace Cert when they are not empty. They are read again when they
	// change.
	CertFile, KeyFile string

	// Client reads from the API server how it identifies itself and its users to aggregated servers.
	Client kubernetes.Interface
	// ReviewClient makes TokenReviews and SubjectAccessReviews. Its configuration comes from
	// ReviewConfig. It must have no rate limit, so that requests of the aggregator never wait behind
	// those of unknown callers.
	ReviewClient kubernetes.Interface
	// AuthCacheTTL is how long a token review or a permission is cached; a minute when it is 0. A
	// denied permission is cached for ten seconds at most.
	AuthCacheTTL time.Duration

	// ShutdownDelay is how long the server still serves, unready, after its context is done, so
	// that traffic moves away before the listener closes.
	ShutdownDelay time.Duration
	// GoawayChance is the probability, from 0 to 0.02, of a GOAWAY after a request of an HTTP/2
	// client, where the last one was a while ago. The client then opens a new connection, which
	// spreads clients over replicas: an API server would otherwise keep one connection.
	GoawayChance float64
	// ReadyChecks are added to /readyz. They should check only what serving from memory needs,
	// such as synced caches.
	ReadyChecks []healthz.HealthChecker

	// Registerer registers the adapter's own metrics; nil registers none.
	Registerer prometheus.Registerer
	// Gatherer is served at /metrics, together with the API machinery's own registry. A metric
	// that both have comes from Gatherer. nil serves the API machinery's metrics only.
	Gatherer prometheus.Gatherer

	// Logger logs changes of state; slog.Default() when it is nil.
	Logger *slog.Logger
	// Clock is the clock that values are served by; the real one when it is nil.
	Clock clock.PassiveClock

	// These replace the constants of the same names, for tests on machines that pause for longer.
	reviewTimeout, requestTimeout time.Duration
}

const (
	// DefaultPort is the port of the metrics APIs.
	DefaultPort = 6443

	defaultAuthCacheTTL = time.Minute
	maxGoawayChance     = 0.02
)

// withDefaults returns the options with defaults for zero values.
func (o Options) withDefaults() Options {
	if o.SecurePort == 0 {
		o.SecurePort = DefaultPort
	}
	if o.AuthCacheTTL == 0 {
		o.AuthCacheTTL = defaultAuthCacheTTL
	}
	o.reviewTimeout, o.requestTimeout = cmp.Or(o.reviewTimeout, reviewTimeout), cmp.Or(o.requestTimeout, requestTimeout)
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
	if o.Client == nil || o.ReviewClient == nil {
		errs = append(errs, errors.New("client or review client is missing: they ask the API server who may read"))
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		errs = append(errs, fmt.Errorf("give both of certificate file %q and key file %q, or neither",
			o.CertFile, o.KeyFile))
	}
	if o.CertFile == "" && o.Cert == nil {
		errs = append(errs, errors.New("there is no serving certificate: give Cert, or CertFile and KeyFile"))
	}
	if o.AuthCacheTTL < 0 || o.ShutdownDelay < 0 {
		errs = append(errs, errors.New("durations must not be negative"))
	}
	if o.GoawayChance < 0 || o.GoawayChance > maxGoawayChance {
		errs = append(errs, fmt.Errorf("the chance of a GOAWAY is %v, and must be between 0 and %v",
			o.GoawayChance, maxGoawayChance))
	}
	return errors.Join(append(errs, o.validateAddress())...)
}

func (o Options) validateAddress() error {
	var errs []error
	if o.Listener == nil && (o.SecurePort < 1 || o.SecurePort > 65535) {
		errs = append(errs, fmt.Errorf("port %d is not between 1 and 65535", o.SecurePort))
	}
	if o.BindAddress != "" && net.ParseIP(o.BindAddress) == nil {
		errs = append(errs, fmt.Errorf("bind address %q is not an IP address", o.BindAddress))
	}
	return errors.Join(errs...)
}
