package clusters

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"headstart.dev/headstart/api/v1alpha1"
)

// Reference names a Forecast of another cluster.
type Reference struct{ Cluster, Namespace, Name string }

// Reading is what is known of a Forecast of another cluster.
type Reading struct {
	// Forecast as it was seen last; nil when it was not seen or does not exist.
	Forecast *v1alpha1.Forecast
	// Synced reports whether the Forecasts of the namespace have been read.
	Synced bool
	// Err is why it cannot be read now, and Since when that began.
	Err   error
	Since time.Time
	// Skew is how far the clock there is ahead of the one here, if it is known.
	Skew      time.Duration
	SkewKnown bool
}

// Options configure [Clusters].
type Options struct {
	// Path of the configuration file; without one there are no clusters.
	Path string
	// Reload is how often the file is checked for changes.
	Reload time.Duration
	// Answer is how long another cluster may take to answer; 30 s when it is 0.
	Answer time.Duration
	Clock  clock.WithTicker
	Logger *slog.Logger
}

func (o Options) validate() error {
	if o.Reload <= 0 || o.Answer < 0 || o.Clock == nil || o.Logger == nil {
		return errors.New("options of clusters: Reload, Clock and Logger are needed, and Answer is not below 0")
	}
	return nil
}

// place is a namespace of a cluster.
type place struct{ cluster, namespace string }

func (r Reference) place() place { return place{r.Cluster, r.Namespace} }

// Clusters follows Forecasts of other clusters. All methods are safe for concurrent use.
type Clusters struct {
	opts    Options
	changes chan event.GenericEvent

	mu       sync.Mutex
	ctx      context.Context //nolint:containedctx // of Start: watches begin later, and end with it
	clusters map[string]*cluster
	followed followed
	watches  map[place]*namespaceWatch
	notices  *notices
}

// New reads the configuration. Run Start to watch.
func New(o Options) (*Clusters, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Answer == 0 {
		o.Answer = answerTime
	}
	c := &Clusters{
		opts: o, changes: make(chan event.GenericEvent), followed: newFollowed(),
		watches: map[place]*namespaceWatch{}, notices: newNotices(o.Clock),
	}
	if o.Path == "" {
		return c, nil
	}
	var err error
	c.clusters, err = load(o.Path)
	return c, err
}

// None returns Clusters of a server that knows no other cluster.
func None() *Clusters { return &Clusters{changes: make(chan event.GenericEvent)} }

// Changes has an event for each Forecast here whose Forecast there has changed, or whether that can
// be read.
func (c *Clusters) Changes() <-chan event.GenericEvent { return c.changes }

// NeedLeaderElection lets every replica watch for the Forecasts that it plans.
func (*Clusters) NeedLeaderElection() bool { return false }

// Start watches, and reloads the configuration, until ctx ends.
func (c *Clusters) Start(ctx context.Context) error {
	c.mu.Lock()
	c.ctx = ctx
	for _, w := range c.watches {
		w.run(ctx)
	}
	c.mu.Unlock()
	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() { c.notices.run(ctx, c.send) })
	tick := c.opts.Clock.NewTicker(c.opts.Reload)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C():
			c.reload()
		}
	}
}

// reload reads the configuration again. An invalid one changes nothing.
func (c *Clusters) reload() {
	if c.opts.Path == "" {
		return
	}
	loaded, err := load(c.opts.Path)
	if err != nil {
		c.opts.Logger.Warn("reload of --clusters-config failed; the clusters stay as they were", "error", err)
		return
	}
	c.mu.Lock()
	changed := !maps.EqualFunc(c.clusters, loaded, func(a, b *cluster) bool {
		return a.same(b) && slices.Equal(a.Namespaces, b.Namespaces) &&
			maps.EqualFunc(a.RemoteNamespaces, b.RemoteNamespaces, slices.Equal[[]string])
	})
	for at, w := range c.watches {
		if old := c.clusters[at.cluster]; old == nil || !old.same(loaded[at.cluster]) {
			w.stop()
			delete(c.watches, at)
		}
	}
	c.clusters = loaded
	if changed {
		c.notices.add(slices.Collect(maps.Keys(c.followed.of))...)
	}
	c.mu.Unlock()
	if changed {
		c.opts.Logger.Info("reloaded --clusters-config")
	}
}

// Of follows, for a Forecast here, one of another cluster, and returns what is known of it. Its
// error is an [*Error].
func (c *Clusters) Of(key types.NamespacedName, of Reference) (Reading, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.allowed(key.Namespace, of); err != nil {
		c.unfollow(key)
		return Reading{}, err
	}
	if old, had := c.followed.of[key]; old != of {
		// The new one is followed first, so that a watch of both goes on.
		c.followed.add(key, of)
		if w := c.watches[of.place()]; w != nil {
			w.count(of.Name, 1)
		}
		if had {
			c.left(old)
		}
	}
	w, err := c.watch(of)
	if err != nil {
		return Reading{}, errorf(ClusterUnusable, "cluster %q cannot be used: %v: correct its kubeconfig", of.Cluster, err)
	}
	return w.get(of.Namespace, of.Name), nil
}

// watch returns the watch for a Forecast there, and begins it when it is the first. The caller holds
// the lock.
func (c *Clusters) watch(of Reference) (*namespaceWatch, error) {
	at := of.place()
	if w := c.watches[at]; w != nil {
		return w, nil
	}
	logger := c.opts.Logger.With("cluster", of.Cluster, "namespace", of.Namespace)
	w, err := newNamespaceWatch(c.clusters[of.Cluster].rest, of.Namespace, c.opts.Answer, c.opts.Clock, logger,
		func(name string) { c.changed(at, name) })
	if err != nil {
		return nil, err
	}
	for name, keys := range c.followed.by[at] {
		w.count(name, len(keys))
	}
	c.watches[at] = w
	if c.ctx != nil {
		w.run(c.ctx)
	}
	return w, nil
}
