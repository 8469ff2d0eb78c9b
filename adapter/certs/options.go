package certs

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
)

// Options say whose certificate this is, where it is kept and for how long it is used.
type Options struct {
	// Namespace of the Service and of the Secret.
	Namespace string
	// Service that the API server reaches the adapter through. The certificate is for its names in the cluster's DNS.
	Service string
	// Secret that holds certificate, CA and keys. It is made when it does not exist.
	Secret string
	// ExtraNames are further DNS names or IP addresses to be valid for.
	ExtraNames []string
	// APIServices whose spec.caBundle is kept, by name, such as v1beta1.external.metrics.k8s.io. One that does not exist, or
	// points at another Service, is left alone.
	APIServices []string

	// CAValidity is how long a CA is valid; a year without it. The next one is published in the last third.
	CAValidity time.Duration
	// Validity is how long a serving certificate is valid; 90 days without it. It is renewed in the last third.
	Validity time.Duration
	// Overlap is how long a CA is published before it signs, and after it was last signed with; an hour without it. It must be
	// longer than every replica and every API server takes to learn of a change: several Intervals.
	Overlap time.Duration
	// Interval is how often the Secret and the APIServices are looked at; a minute without it.
	Interval time.Duration

	// Registerer takes the metrics; they are not registered without it.
	Registerer prometheus.Registerer
	// Logger reports changes of state; slog.Default() without it.
	Logger *slog.Logger
	// Clock says what time it is; the real one without it.
	Clock clock.PassiveClock
}

const day = 24 * time.Hour

func (o Options) withDefaults() Options {
	o.CAValidity = orDefault(o.CAValidity, 365*day)
	o.Validity = orDefault(o.Validity, 90*day)
	o.Overlap = orDefault(o.Overlap, time.Hour)
	o.Interval = orDefault(o.Interval, time.Minute)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	return o
}

func orDefault(d, byDefault time.Duration) time.Duration {
	if d == 0 {
		return byDefault
	}
	return d
}

func (o Options) validate() error {
	var errs []error
	if o.Namespace == "" || o.Service == "" || o.Secret == "" {
		errs = append(errs, fmt.Errorf("give namespace %q, Service %q and Secret %q", o.Namespace, o.Service, o.Secret))
	}
	if o.Interval <= 0 || o.Overlap < 2*o.Interval {
		errs = append(errs, fmt.Errorf("overlap %s must be at least two intervals of %s, or replicas learn of a CA after it is in use",
			o.Overlap, o.Interval))
	}
	// The last third of each must hold a whole rotation: publish, wait, sign, wait.
	if o.Validity < 6*o.Overlap {
		errs = append(errs, fmt.Errorf("validity %s must be at least six times the overlap of %s", o.Validity, o.Overlap))
	}
	if o.CAValidity < o.Validity {
		errs = append(errs, fmt.Errorf("validity %s of the CA must be at least that of the serving certificate, %s", o.CAValidity, o.Validity))
	}
	return errors.Join(errs...)
}

func (o Options) rules() rules {
	return rules{
		names: append([]string{
			o.Service + "." + o.Namespace + ".svc", // what the API server asks for
			o.Service + "." + o.Namespace,
			o.Service,
			o.Service + "." + o.Namespace + ".svc.cluster.local",
		}, o.ExtraNames...),
		caValidity: o.CAValidity,
		validity:   o.Validity,
		overlap:    o.Overlap,
	}
}
