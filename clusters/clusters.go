package clusters

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
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
	Clock  clock.WithTicker
	Logger *slog.Logger
}

func (o Options) validate() error {
	if o.Reload <= 0 || o.Clock == nil || o.Logger == nil {
		return errors.New("options of clusters: Reload, Clock and Logger are needed")
	}
	return nil
}

// place is a namespace of a cluster.
type place struct{ cluster, namespace string }

// Clusters follows Forecasts of other clusters. All methods are safe for concurrent use.
type Clusters struct {
	opts    Options
	changes chan event.GenericEvent

	mu        sync.Mutex
	ctx       context.Context //nolint:containedctx // of Start: watches begin later, and end with it
	clusters  map[string]*cluster
	followers map[types.NamespacedName]Reference
	watches   map[place]*namespaceWatch
}

// New reads the configuration. Run Start to watch.
func New(o Options) (*Clusters, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	c := &Clusters{
		opts: o, changes: make(chan event.GenericEvent),
		followers: map[types.NamespacedName]Reference{}, watches: map[place]*namespaceWatch{},
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
	c.mu.Unlock()
	if changed {
		c.opts.Logger.Info("reloaded --clusters-config")
		c.notify(func(Reference) bool { return true })
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
	if c.followers[key] != of {
		c.unfollow(key)
		c.followers[key] = of
	}
	at := place{of.Cluster, of.Namespace}
	w := c.watches[at]
	if w == nil {
		var err error
		logger := c.opts.Logger.With("cluster", of.Cluster, "namespace", of.Namespace)
		w, err = newNamespaceWatch(c.clusters[of.Cluster].rest, of.Namespace, c.opts.Clock, logger, func(name string) {
			c.notify(func(of Reference) bool {
				return of.Cluster == at.cluster && of.Namespace == at.namespace && (name == "" || name == of.Name)
			})
		})
		if err != nil {
			return Reading{}, errorf(ClusterUnusable, "cluster %q cannot be used: %v: correct its kubeconfig", of.Cluster, err)
		}
		c.watches[at] = w
		if c.ctx != nil {
			w.run(c.ctx)
		}
	}
	return w.get(of.Namespace, of.Name), nil
}

// allowed returns why a namespace may not read a Forecast; nil when it may.
func (c *Clusters) allowed(namespace string, of Reference) error {
	config := c.clusters[of.Cluster]
	switch {
	case config == nil && len(c.clusters) == 0:
		return errorf(ClusterUnknown, "no cluster is named %q, and the server has none: "+
			"give it a file with the flag --clusters-config", of.Cluster)
	case config == nil:
		return errorf(ClusterUnknown, "no cluster is named %q: the configuration file has %s; "+
			"correct spec.overflowOf.cluster, or add the cluster", of.Cluster,
			strings.Join(slices.Sorted(maps.Keys(c.clusters)), ", "))
	case !config.admits(namespace):
		return errorf(NamespaceRefused, "cluster %q is not open to namespace %q: add it to the namespaces of the cluster "+
			"in the server's configuration", of.Cluster, namespace)
	case !config.reads(namespace, of.Namespace):
		return errorf(NamespaceRefused, "namespace %q may not read namespace %q of cluster %q: add that to its "+
			"remoteNamespaces in the server's configuration", namespace, of.Namespace, of.Cluster)
	}
	return nil
}

// Forget stops following for a Forecast that is gone, or planned elsewhere.
func (c *Clusters) Forget(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unfollow(key)
}

// unfollow ends the watch that nobody else needs. The caller holds the lock.
func (c *Clusters) unfollow(key types.NamespacedName) {
	of, ok := c.followers[key]
	if !ok {
		return
	}
	delete(c.followers, key)
	at := place{of.Cluster, of.Namespace}
	for _, other := range c.followers {
		if other.Cluster == at.cluster && other.Namespace == at.namespace {
			return
		}
	}
	if w := c.watches[at]; w != nil {
		w.stop()
		delete(c.watches, at)
	}
}

// notify sends an event for each Forecast here that follows one of these.
func (c *Clusters) notify(which func(Reference) bool) {
	c.mu.Lock()
	ctx := c.ctx
	var keys []types.NamespacedName
	for key, of := range c.followers {
		if which(of) {
			keys = append(keys, key)
		}
	}
	c.mu.Unlock()
	if ctx == nil {
		return
	}
	for _, key := range keys {
		fc := &v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
		select {
		case c.changes <- event.GenericEvent{Object: client.Object(fc)}:
		case <-ctx.Done():
			return
		}
	}
}
