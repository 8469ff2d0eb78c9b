// Package watch follows the objects of a cluster that the page shows, with the permissions of the
// user. Changes arrive by watches. Nothing is written.
package watch

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/ui/model"
	"headstart.dev/headstart/planner"
)

// Options of a Cluster.
type Options struct {
	// Client has the permissions of the user. Its requests must have no time limit of their own, which
	// would end watches.
	Client client.WithWatch
	// Namespaces are those to follow. None are all of them, or, for a kind that the user may not list
	// in all of them, Fallback.
	Namespaces []string
	Fallback   string
	// Retry is how long to wait until what failed or was denied is tried again.
	Retry time.Duration
}

// DefaultRetry is a good value for Options.Retry.
const DefaultRetry = 15 * time.Second

func (o Options) validate() error {
	switch {
	case o.Client == nil:
		return errors.New("no client")
	case len(o.Namespaces) == 0 && o.Fallback == "":
		return errors.New("no namespace to fall back to")
	case o.Retry <= 0:
		return errors.New("the time until a retry must be above 0")
	}
	return nil
}

// Cluster follows a cluster. It is safe for concurrent use.
type Cluster struct {
	o Options

	mu      sync.Mutex
	feeds   []*feed
	targets targets
	changed chan struct{} // closed at the next change
	tasks   sync.WaitGroup
}

// Start follows the cluster until ctx ends. It returns at once; the objects arrive later.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	c := &Cluster{o: o, targets: newTargets(), changed: make(chan struct{})}
	for _, k := range kinds() {
		c.follow(ctx, k)
	}
	c.tasks.Go(func() { c.followTargets(ctx) })
	return c, nil
}

// Wait waits until everything has ended, after the context of Start has.
func (c *Cluster) Wait() { c.tasks.Wait() }

// Changed returns a channel that is closed at the next change.
func (c *Cluster) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

func (c *Cluster) notify() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.changed)
	c.changed = make(chan struct{})
}

// follow starts to follow a kind, in all namespaces or in some.
func (c *Cluster) follow(ctx context.Context, k kind) {
	c.tasks.Go(func() {
		switch {
		case k.clusterWide:
			c.run(ctx, k, "")
		case len(c.o.Namespaces) > 0:
			var wait sync.WaitGroup
			for _, ns := range c.o.Namespaces {
				wait.Go(func() { c.run(ctx, k, ns) })
			}
			wait.Wait()
		default:
			c.runAll(ctx, k)
		}
	})
}

// runAll follows a kind in all namespaces, and in the one to fall back to while that is denied.
func (c *Cluster) runAll(ctx context.Context, k kind) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all := c.add(k, "")
	defer c.remove(all)
	var once sync.Once
	var wait sync.WaitGroup
	defer wait.Wait()
	all.run(ctx, c.o.Retry, func(state model.State) {
		if state == model.Denied {
			once.Do(func() { wait.Go(func() { c.run(ctx, k, c.o.Fallback) }) })
		}
	})
}

func (c *Cluster) run(ctx context.Context, k kind, namespace string) {
	f := c.add(k, namespace)
	defer c.remove(f)
	f.run(ctx, c.o.Retry, func(model.State) {})
}

func (c *Cluster) add(k kind, namespace string) *feed {
	f := newFeed(c.o.Client, k, namespace, c.notify)
	c.mu.Lock()
	c.feeds = append(c.feeds, f)
	c.mu.Unlock()
	return f
}

func (c *Cluster) remove(f *feed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.feeds = slices.DeleteFunc(c.feeds, func(other *feed) bool { return other == f })
}

// objects returns the objects of a kind. Two feeds may have the same object.
func (c *Cluster) objects(name string) []client.Object {
	c.mu.Lock()
	feeds := slices.Clone(c.feeds)
	c.mu.Unlock()
	seen := map[client.ObjectKey]bool{}
	var out []client.Object
	for _, f := range feeds {
		if f.kind.name != name {
			continue
		}
		for _, o := range f.objects() {
			if key := client.ObjectKeyFromObject(o); !seen[key] {
				seen[key] = true
				out = append(out, o)
			}
		}
	}
	return out
}

// Snapshot returns what is known now. The objects must not be changed.
func (c *Cluster) Snapshot() model.Objects {
	out := model.Objects{
		Forecasts: list[v1alpha1.Forecast](c, forecasts), PeakSchedules: list[v1alpha1.PeakSchedule](c, peakSchedules),
		Calendars: list[v1alpha1.Calendar](c, calendars), WarmPools: list[v1alpha1.WarmPool](c, warmPools),
		HPAs:    list[autoscalingv2.HorizontalPodAutoscaler](c, autoscalers),
		Targets: map[model.TargetKey]model.Target{}, Access: c.access(),
	}
	for _, o := range c.objects(scaledObjects) {
		if s, err := planner.ReadScaledObject(o.(*unstructured.Unstructured)); err == nil {
			out.ScaledObjects = append(out.ScaledObjects, s)
		}
	}
	for _, gvk := range c.targetKinds() {
		apiVersion, kind := gvk.ToAPIVersionAndKind()
		for _, o := range c.objects(targetName(gvk)) {
			key := model.TargetKey{Namespace: o.GetNamespace(), APIVersion: apiVersion, Kind: kind, Name: o.GetName()}
			out.Targets[key] = targetOf(o.(*unstructured.Unstructured))
		}
	}
	return out
}

// list returns the objects of a kind as a list of a type.
func list[T any](c *Cluster, name string) []T {
	var out []T
	for _, o := range c.objects(name) {
		out = append(out, *any(o).(*T))
	}
	return out
}

func (c *Cluster) access() []model.Access {
	c.mu.Lock()
	feeds := slices.Clone(c.feeds)
	c.mu.Unlock()
	var out []model.Access
	for _, f := range feeds {
		out = append(out, f.access())
	}
	slices.SortFunc(out, func(a, b model.Access) int {
		return strings.Compare(a.Kind+"/"+a.Namespace, b.Kind+"/"+b.Namespace)
	})
	return out
}
