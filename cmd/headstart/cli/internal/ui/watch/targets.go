package watch

import (
	"context"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/ui/model"
)

// maxTargetKinds bounds the kinds of workloads that are followed.
const maxTargetKinds = 16

// targets are the kinds of workloads that are followed. Only followTargets uses them.
type targets struct {
	stop map[schema.GroupVersionKind]context.CancelFunc
	// absent has when kinds that the cluster does not have gave their place to another one.
	absent map[schema.GroupVersionKind]time.Time
}

func newTargets() targets {
	return targets{
		stop: map[schema.GroupVersionKind]context.CancelFunc{}, absent: map[schema.GroupVersionKind]time.Time{},
	}
}

// followTargets follows each kind of workload that a Forecast names, while one does.
func (c *Cluster) followTargets(ctx context.Context) {
	for ctx.Err() == nil {
		changed := c.Changed()
		var again <-chan time.Time
		if c.updateTargets(ctx, c.targetKinds()) {
			again = time.After(c.o.Retry)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-again:
		}
	}
}

// updateTargets follows these kinds and no others. It reports whether some found no place.
func (c *Cluster) updateTargets(ctx context.Context, kinds []schema.GroupVersionKind) bool {
	t := &c.targets
	for gvk, stop := range t.stop {
		if !slices.Contains(kinds, gvk) {
			stop()
			delete(t.stop, gvk)
		}
	}
	for gvk, since := range t.absent {
		if !slices.Contains(kinds, gvk) || time.Since(since) >= c.o.Retry {
			delete(t.absent, gvk)
		}
	}
	waiting := false
	for _, gvk := range kinds {
		_, absent := t.absent[gvk]
		switch {
		case t.stop[gvk] != nil:
		case absent || len(t.stop) >= maxTargetKinds && !c.freeAbsent():
			waiting = true
		default:
			target, stop := context.WithCancel(ctx)
			t.stop[gvk] = stop
			c.follow(target, targetKind(gvk))
		}
	}
	return waiting
}

// freeAbsent stops to follow a kind that the cluster does not have. It reports whether there was one.
func (c *Cluster) freeAbsent() bool {
	c.mu.Lock()
	absent := map[string]bool{}
	for _, f := range c.feeds {
		if f.access().State == model.Absent {
			absent[f.kind.name] = true
		}
	}
	c.mu.Unlock()
	for gvk, stop := range c.targets.stop {
		if absent[targetName(gvk)] {
			stop()
			delete(c.targets.stop, gvk)
			c.targets.absent[gvk] = time.Now()
			return true
		}
	}
	return false
}

// targetKinds are the kinds of the targets of all Forecasts.
func (c *Cluster) targetKinds() []schema.GroupVersionKind {
	seen := map[schema.GroupVersionKind]bool{}
	var out []schema.GroupVersionKind
	for _, o := range c.objects(forecasts) {
		ref := o.(*v1alpha1.Forecast).Spec.TargetRef
		gvk := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)
		if !seen[gvk] && ref.Kind != "" && isWorkload(gvk) {
			seen[gvk] = true
			out = append(out, gvk)
		}
	}
	slices.SortFunc(out, func(a, b schema.GroupVersionKind) int { return strings.Compare(a.String(), b.String()) })
	return out
}

// isWorkload reports whether a kind may have replicas. Of the core kinds one does. Whoever may edit
// a Forecast must not make the page of an administrator read the others, such as Secrets.
func isWorkload(gvk schema.GroupVersionKind) bool {
	return gvk.Group != "" || gvk.Kind == "ReplicationController"
}
