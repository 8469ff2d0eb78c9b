package controller

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/planner/plan"
)

const (
	// roomAge is how long it is taken that the cluster has the room that it had: going through all pods once for each Forecast would be too much.
	roomAge = 15 * time.Second
	// warmStarts of the newest starts must all have been warm before the next ones are taken to be.
	warmStarts = 5
)

// rooms remembers what room the cluster has. It is safe for concurrent use.
type rooms struct {
	mu   sync.Mutex
	room *gpuwarm.Room
	at   time.Time
}

// now is the room as it is. Placeholders take theirs: whether what they hold comes to the next pod is for the WarmPool to say.
func (r *rooms) now(ctx context.Context, c client.Client, now time.Time) (*gpuwarm.Room, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.room != nil && now.Sub(r.at) < roomAge {
		return r.room, nil
	}
	var pods corev1.PodList
	var nodes corev1.NodeList
	if err := c.List(ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	if err := c.List(ctx, &pods, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	r.room, r.at = gpuwarm.NewRoom(nodes.Items, pods.Items, nil), now
	return r.room, nil
}

// nextPath is the path that the next pods would take. It is Warm where a WarmPool sees to that and the newest starts bear it out, and not because there
// happens to be room now: that may be gone when the plan rises, and a lead that is short for as long as a node is idle comes too late when it is not. That there is
// no room counts at once. Where neither is so the next pods are taken to be like the recent ones.
func (e *evaluation) nextPath(ctx context.Context, pods labels.Selector, records []v1alpha1.StartRecord) (gpuwarm.Path, error) {
	kept, err := e.keptWarm(ctx)
	if err != nil {
		return gpuwarm.PathUnknown, err
	}
	if kept {
		if newestWarm(records) {
			return gpuwarm.PathWarm, nil
		}
		return gpuwarm.PathUnknown, nil
	}
	var list corev1.PodList
	if err := e.client.List(ctx, &list, client.InNamespace(e.fc.Namespace), client.MatchingLabelsSelector{Selector: pods}, client.UnsafeDisableDeepCopy); err != nil {
		return gpuwarm.PathUnknown, fmt.Errorf("list the target's pods in namespace %s: %w", e.fc.Namespace, err)
	}
	newest := -1
	for i := range list.Items {
		if newest < 0 || list.Items[i].CreationTimestamp.After(list.Items[newest].CreationTimestamp.Time) {
			newest = i
		}
	}
	if newest < 0 {
		return gpuwarm.PathUnknown, nil // nothing says what a replica looks like
	}
	room, err := e.rooms.now(ctx, e.client, e.now)
	if err != nil {
		return gpuwarm.PathUnknown, err
	}
	meta, spec := list.Items[newest].Annotations, &list.Items[newest].Spec
	path := room.Path(gpuwarm.ShapeOf(spec), gpuwarm.MainImage(meta, spec), e.more(len(list.Items)))
	if path == gpuwarm.PathWarm {
		path = gpuwarm.PathUnknown
	}
	return path, nil
}

// more is how many replicas beyond those that there are the published plan asks for within a lead; at least one.
func (e *evaluation) more(replicas int) int {
	capacity := e.capacity
	if e.state.step.Published == nil || capacity <= 0 {
		return 1
	}
	ahead := e.set.Lead.Max
	if was := e.fc.Status.LeadTime; was != nil {
		if d, err := was.Value.Parse(); err == nil {
			ahead = d
		}
	}
	most, ok := e.state.step.Published.Max(e.now, e.now.Add(ahead))
	if !ok {
		return 1
	}
	return max(1, plan.Replicas(most, capacity)-replicas)
}

// newestWarm is whether the newest starts whose path is known were all warm, and enough of them.
func newestWarm(records []v1alpha1.StartRecord) bool {
	n := 0
	for _, r := range slices.Backward(records) {
		if r.Path == "" {
			continue
		}
		if r.Path != string(gpuwarm.PathWarm) {
			return false
		}
		if n++; n == warmStarts {
			return true
		}
	}
	return false
}

// keptWarm is whether a WarmPool that acts holds nodes and images for this Forecast, and nothing keeps it from that.
func (e *evaluation) keptWarm(ctx context.Context) (bool, error) {
	var pools v1alpha1.WarmPoolList
	if err := e.client.List(ctx, &pools, client.InNamespace(e.fc.Namespace)); err != nil {
		return false, fmt.Errorf("list WarmPools: %w", err)
	}
	var all []v1alpha1.WarmForecast
	var selecting [][]v1alpha1.WarmForecast
	for i := range pools.Items {
		p := &pools.Items[i]
		if !keepsWarm(p) {
			continue
		}
		all = append(all, p.Status.Forecasts...)
		if matcher, _ := p.ForecastMatcher(); matcher.Matches(e.fc) { // The condition of the WarmPool has the error.
			selecting = append(selecting, p.Status.Forecasts)
		}
	}
	return slices.ContainsFunc(selecting, func(list []v1alpha1.WarmForecast) bool { return warmedFor(list, all, e.fc.Name) }), nil
}

// keepsWarm is whether a WarmPool acts, and nothing keeps it from holding nodes and images.
func keepsWarm(p *v1alpha1.WarmPool) bool {
	c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionNodesWarm)
	return p.Spec.Mode != v1alpha1.WarmPoolDryRun && p.Spec.Nodes.Policy != v1alpha1.WarmNodesOff && p.Spec.Images.Policy != v1alpha1.WarmImagesOff &&
		meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionReady) && !meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionCapacityShort) &&
		c != nil && c.Reason != "Limited"
}

// warmedFor is whether a Forecast of a WarmPool's list is warmed for, by itself or by another one of its target, and nothing keeps either from it. all has what other
// WarmPools do, too.
func warmedFor(list, all []v1alpha1.WarmForecast, name string) bool {
	fine := func(name string) func(v1alpha1.WarmForecast) bool {
		return func(f v1alpha1.WarmForecast) bool { return f.Name == name && f.Message == "" }
	}
	i := slices.IndexFunc(list, fine(name))
	if i < 0 {
		return false
	}
	by := list[i].WarmedBy
	return by == "" || slices.ContainsFunc(all, fine(by)) // a WarmPool that selects it too, and leaves it to another one, says so in a message
}
