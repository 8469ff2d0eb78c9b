package clusters

import (
	"context"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"headstart.dev/headstart/api/v1alpha1"
)

// allowed returns why a namespace may not read a Forecast; nil when it may.
func (c *Clusters) allowed(namespace string, of Reference) error {
	config := c.clusters[of.Cluster]
	switch {
	case config == nil && len(c.clusters) == 0:
		return errorf(ClusterUnknown, "no cluster is named %q, and the server has none: "+
			"give it a file with the flag --clusters-config", of.Cluster)
	case config == nil:
		return errorf(ClusterUnknown, "no cluster is named %q: the configuration file has %s for this namespace; "+
			"correct spec.overflowOf.cluster, or add the cluster", of.Cluster,
			c.open(namespace))
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

// open lists the clusters that a namespace may name. It is not told of the others.
func (c *Clusters) open(namespace string) string {
	var names []string
	for name, config := range c.clusters {
		if config.admits(namespace) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "none"
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// unfollow ends the watch that nobody else needs. The caller holds the lock.
func (c *Clusters) unfollow(key types.NamespacedName) {
	if of, ok := c.followed.of[key]; ok {
		c.followed.remove(key)
		c.notices.forget(key)
		c.left(of)
	}
}

// left ends what a Forecast there needs no longer when one less follows it. The caller holds the lock.
func (c *Clusters) left(of Reference) {
	w := c.watches[of.place()]
	switch {
	case w == nil:
	case len(c.followed.by[of.place()]) == 0:
		w.stop()
		delete(c.watches, of.place())
	default:
		w.count(of.Name, -1)
	}
}

// changed notes that a Forecast there has changed, or all of a namespace where there is no name.
func (c *Clusters) changed(at place, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if name != "" {
		c.notices.add(slices.Collect(maps.Keys(c.followed.by[at][name]))...)
		return
	}
	for _, keys := range c.followed.by[at] {
		c.notices.add(slices.Collect(maps.Keys(keys))...)
	}
}

// send sends an event for a Forecast here.
func (c *Clusters) send(ctx context.Context, key types.NamespacedName) {
	fc := &v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	select {
	case c.changes <- event.GenericEvent{Object: client.Object(fc)}:
	case <-ctx.Done():
	}
}
