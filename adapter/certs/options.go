package certs

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

// Options configure a [Manager].
type Options struct {
	// Namespace of the Service and of the Secret.
	Namespace string
	// Service through which the API server reaches the adapter. The certificate is for its DNS
	// names.
	Service string
	// Secret that holds certificate, CA and keys. It is created when it does not exist.
	Secret string
	// ExtraNames are further DNS names or IP addresses for the certificate.
	ExtraNames []string
	// APIServices are the names of the APIServices whose spec.caBundle is kept up to date, such as
	// v1beta1.external.metrics.k8s.io. One that does not exist, or points at another Service, is
	// not changed.
	APIServices []string
	// ConfigMaps get the CA bundle under the key [BundleKey], for clients that read it from there,
	// such as KEDA. One that does not exist is not made.
	ConfigMaps []types.NamespacedName

	// CAValidity is how long a CA is valid; a year when it is 0. The next CA is published in the
	// last third.
	CAValidity time.Duration
	// Validity is how long a serving certificate is valid; 90 days when it is 0. It is renewed in
	// the last third.
	Validity time.Duration
	// Overlap is how long a CA is in the bundle before it signs, and after the next one has signed;
	// an hour when it is 0. It must be longer than the time in which every replica and every API
	// server learns of a change: several Intervals.
	Overlap time.Duration
	// Interval is the time between two syncs; a minute when it is 0.
	Interval time.Duration

	// Registerer registers the metrics; nil registers none.
	Registerer prometheus.Registerer
	// Logger logs changes of state; slog.Default() when it is nil.
	Logger *slog.Logger
	// Clock is the clock; the real one when it is nil.
	Clock clock.PassiveClock
}

const day = 24 * time.Hour

func (o Options) withDefaults() Options {
	o.CAValidity = cmp.Or(o.CAValidity, 365*day)
	o.Validity = cmp.Or(o.Validity, 90*day)
	o.Overlap = cmp.Or(o.Overlap, time.Hour)
	o.Interval = cmp.Or(o.Interval, time.Minute)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	return o
}

func (o Options) validate() error {
	var errs []error
	if o.Namespace == "" || o.Service == "" || o.Secret == "" {
		errs = append(errs, fmt.Errorf("give namespace %q, Service %q and Secret %q", o.Namespace, o.Service, o.Secret))
	}
	if o.Interval <= 0 || o.Overlap < 2*o.Interval {
		errs = append(errs, fmt.Errorf("overlap %s must be at least two intervals of %s, "+
			"or replicas learn of a CA after it is in use", o.Overlap, o.Interval))
	}
	// A whole rotation (publish, wait, sign, wait) must fit into the last third of each validity.
	if o.Validity < 6*o.Overlap {
		errs = append(errs, fmt.Errorf("validity %s must be at least six overlaps of %s", o.Validity, o.Overlap))
	}
	if o.CAValidity < o.Validity {
		errs = append(errs, fmt.Errorf("validity %s of the CA must be at least that of the serving certificate, %s",
			o.CAValidity, o.Validity))
	}
	return errors.Join(errs...)
}

func (o Options) policy() policy {
	return policy{
		names: append([]string{
			o.Service + "." + o.Namespace + ".svc", // the name that the API server verifies
			o.Service + "." + o.Namespace,
			o.Service,
			o.Service + "." + o.Namespace + ".svc.cluster.local",
		}, o.ExtraNames...),
		caValidity: o.CAValidity,
		validity:   o.Validity,
		overlap:    o.Overlap,
	}
}
