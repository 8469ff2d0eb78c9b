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

// Options say what is served, where, and to whom.
type Options struct {
	// ExternalMetrics serves external.metrics.k8s.io, CustomMetrics serves custom.metrics.k8s.io: one of them, or both.
	ExternalMetrics, CustomMetrics bool

	// BindAddress is the IP address to listen on; every address without it.
	BindAddress string
	// SecurePort is the TCP port to listen on; 6443 without it.
	SecurePort int
	// Listener is used instead of BindAddress and SecurePort where it is given.
	Listener net.Listener

	// Cert is the serving certificate, such as a certs.Manager. A change is taken over by new connections without a restart.
	Cert dynamiccertificates.CertKeyContentProvider
	// CertFile and KeyFile are used instead of Cert where they are given. They are read again when they change.
	CertFile, KeyFile string

	// Client reaches the API server that requests are authenticated and authorised by. Its rate limit is the limit of
	// TokenReviews and SubjectAccessReviews: DelegationConfig makes a fitting one.
	Client kubernetes.Interface
	// AuthCacheTTL is how long a token or a permission that was granted is believed; a minute without it. A refusal is
	// believed for ten seconds at most.
	AuthCacheTTL time.Duration

	// ShutdownDelay is how long the server goes on serving after it was told to end and reports not ready, so that traffic has
	// moved away before the listener closes.
	ShutdownDelay time.Duration
	// GoawayChance is the probability, at most 0.02, of asking an HTTP/2 client to connect anew after a request, which spreads
	// clients over replicas: an API server holds on to one connection otherwise. 0 without it.
	GoawayChance float64
	// ReadyChecks are added to /readyz: that caches are synced, and nothing that serving from memory can do without.
	ReadyChecks []healthz.HealthChecker

	// Registerer takes the adapter's own metrics; they are not registered without it.
	Registerer prometheus.Registerer
	// Gatherer is served at /metrics together with the API machinery's own registry; metrics that both have are taken from
	// Gatherer. Without it only the API machinery's are served.
	Gatherer prometheus.Gatherer

	// Logger reports changes of state; slog.Default() without it.
	Logger *slog.Logger
	// Clock is the time of serving; the real one without it.
	Clock clock.PassiveClock

	// Instead of the constants of these names, for tests on a machine that stands still longer than they allow.
	reviewTimeout, requestTimeout time.Duration
}

const (
	defaultPort         = 6443
	defaultAuthCacheTTL = time.Minute
	maxDenyCacheTTL     = 10 * time.Second
	maxGoawayChance     = 0.02
)

// withDefaults fills in what was not given.
func (o Options) withDefaults() Options {
	if o.SecurePort == 0 {
		o.SecurePort = defaultPort
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

// validate says what is wrong with the options, all at once.
func (o Options) validate() error {
	var errs []error
	if !o.ExternalMetrics && !o.CustomMetrics {
		errs = append(errs, errors.New("neither ExternalMetrics nor CustomMetrics is set, so there is nothing to serve"))
	}
	if o.Client == nil {
		errs = append(errs, errors.New("client is missing: it asks the API server who may read"))
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		errs = append(errs, fmt.Errorf("give both of certificate file %q and key file %q, or neither", o.CertFile, o.KeyFile))
	}
	if o.CertFile == "" && o.Cert == nil {
		errs = append(errs, errors.New("there is no serving certificate: give Cert, or CertFile and KeyFile"))
	}
	if o.AuthCacheTTL < 0 || o.ShutdownDelay < 0 {
		errs = append(errs, errors.New("durations must not be negative"))
	}
	if o.GoawayChance < 0 || o.GoawayChance > maxGoawayChance {
		errs = append(errs, fmt.Errorf("the chance of a GOAWAY is %v, and must be between 0 and %v", o.GoawayChance, maxGoawayChance))
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
