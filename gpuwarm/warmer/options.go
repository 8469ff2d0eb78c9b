package warmer

import (
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
)

// Defaults of [Options].
const (
	// DefaultNamespace is where placeholders live. In the namespace of a service they would use its
	// quota.
	DefaultNamespace = "headstart-warm"
	// DefaultPriorityClass is the class of the placeholders.
	DefaultPriorityClass = "headstart-placeholder"
	// DefaultPauseImage does nothing, in a few hundred kilobytes.
	DefaultPauseImage = "registry.k8s.io/pause:3.10"
	// DefaultInterval is the time between two looks at a WarmPool.
	DefaultInterval = 15 * time.Second
)

// Discovery says which kinds the cluster serves now.
type Discovery = kube.Discovery

// Options of a [Reconciler]. Client, Discovery, Logger and Clock are required.
type Options struct {
	// Client reads Forecasts, pods and nodes from a cache. Other kinds need not be cached.
	Client client.Client
	// Live reads quotas, and what the warmer makes beside pods, from the API server. Client by
	// default.
	Live client.Reader
	// Discovery is a discovery client without a cache.
	Discovery Discovery
	// Recorder writes Events; optional.
	Recorder events.EventRecorder
	// Registerer of the metrics; optional.
	Registerer prometheus.Registerer
	Logger     *slog.Logger
	Clock      clock.PassiveClock

	// Owns reports whether this replica warms for the WarmPools of a namespace; nil lets the leader
	// warm for all. OwnersChanged gets an event when that has changed.
	Owns          func(namespace string) bool
	OwnersChanged <-chan event.GenericEvent

	// Namespace of the placeholders.
	Namespace string
	// PriorityClass of the placeholders, with preemptionPolicy Never. It is below every real pod's,
	// and not below -10: for pods below that the cluster autoscaler brings no node up.
	PriorityClass string
	// PauseImage is what placeholders run.
	PauseImage string
	// Interval between two looks at a WarmPool.
	Interval time.Duration
	// Bounds of what WarmPools may do, whatever their spec says. Numbers that are 0 are those of
	// [DefaultBounds].
	Bounds Bounds
}

// Bounds are an administrator's bounds for all WarmPools of one namespace together. Its WarmPools
// share them evenly.
type Bounds struct {
	// Placeholders is for how many replicas nodes may be held at a time, whatever holds them.
	Placeholders int
	// Accelerators is how much of each extended resource these may take, such as GPUs.
	Accelerators int
	// Pulls is how many nodes may pull at a time, and ImageNodes how many may get an image ahead of
	// replicas, once for each image.
	Pulls, ImageNodes int
	// Schedulers are the names of schedulers, beside the default one, that placeholders may name.
	Schedulers []string
}

// DefaultBounds are safe where nobody thought about them.
func DefaultBounds() Bounds {
	return Bounds{Placeholders: 64, Accelerators: 64, Pulls: 16, ImageNodes: 500}
}

func (o Options) withDefaults() (Options, error) {
	switch {
	case o.Client == nil:
		return o, errors.New("warmer: Client is missing")
	case o.Discovery == nil:
		return o, errors.New("warmer: Discovery is missing")
	case o.Logger == nil:
		return o, errors.New("warmer: Logger is missing")
	case o.Clock == nil:
		return o, errors.New("warmer: Clock is missing")
	}
	if o.OwnersChanged == nil {
		o.OwnersChanged = make(chan event.GenericEvent)
	}
	if o.Live == nil {
		o.Live = o.Client
	}
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	if o.PriorityClass == "" {
		o.PriorityClass = DefaultPriorityClass
	}
	if o.PauseImage == "" {
		o.PauseImage = DefaultPauseImage
	}
	if o.Interval <= 0 {
		o.Interval = DefaultInterval
	}
	defaults := DefaultBounds()
	for _, b := range []struct{ value, or *int }{
		{&o.Bounds.Placeholders, &defaults.Placeholders},
		{&o.Bounds.Accelerators, &defaults.Accelerators},
		{&o.Bounds.Pulls, &defaults.Pulls},
		{&o.Bounds.ImageNodes, &defaults.ImageNodes},
	} {
		if *b.value <= 0 {
			*b.value = *b.or
		}
	}
	return o, nil
}
