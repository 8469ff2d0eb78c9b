package controller

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/planner/plan"
)

// warmStarts is how many of the newest starts must have been warm before the next starts are assumed
// to be warm.
const warmStarts = 5

// nextPath returns the path that the next pods of the target will take. records are its recent
// starts.
//
//   - It is Warm when a WarmPool warms nodes and images for the Forecast and the newest starts were
//     warm. Free nodes alone are not enough: they may be in use when the plan rises, and then a
//     lead for free nodes is too short.
//   - It is cold as soon as no node, or no node with the image, has free capacity.
//   - Otherwise it is unknown, and the next pods are assumed to be like the recent ones.
func (e *evaluation) nextPath(
	ctx context.Context, pods labels.Selector, records []v1alpha1.StartRecord,
) (gpuwarm.Path, error) {
	warmed, err := e.warmedByPool(ctx)
	if err != nil {
		return gpuwarm.PathUnknown, err
	}
	if warmed {
		if newestStartsWarm(records) {
			return gpuwarm.PathWarm, nil
		}
		return gpuwarm.PathUnknown, nil
	}
	var list corev1.PodList
	err = e.client.List(ctx, &list, client.InNamespace(e.fc.Namespace),
		client.MatchingLabelsSelector{Selector: pods}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return gpuwarm.PathUnknown, fmt.Errorf("list the target's pods in namespace %s: %w", e.fc.Namespace, err)
	}
	if len(list.Items) == 0 {
		return gpuwarm.PathUnknown, nil // Without a pod, the shape of a replica is not known.
	}
	newest := slices.MaxFunc(list.Items, func(a, b corev1.Pod) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	room, err := e.free.Get(ctx, e.client, e.now)
	if err != nil {
		return gpuwarm.PathUnknown, err
	}
	image := gpuwarm.MainImage(newest.Annotations, &newest.Spec)
	path := room.Path(gpuwarm.ShapeOf(&newest.Spec), image, e.additionalReplicas(len(list.Items)))
	if path == gpuwarm.PathWarm {
		path = gpuwarm.PathUnknown
	}
	return path, nil
}

// additionalReplicas returns how many more replicas than now the published plan needs within a
// lead; at least one.
func (e *evaluation) additionalReplicas(replicas int) int {
	if e.state.step.Published == nil || e.capacity <= 0 {
		return 1
	}
	lead := e.set.Lead.Max
	if last := e.fc.Status.LeadTime; last != nil {
		if d, err := last.Value.Parse(); err == nil {
			lead = d
		}
	}
	largest, ok := e.state.step.Published.Max(e.now, e.now.Add(lead))
	if !ok {
		return 1
	}
	return max(1, plan.Replicas(largest, e.capacity)-replicas)
}

// newestStartsWarm reports whether the newest starts with a known path were all warm, and enough of
// them.
func newestStartsWarm(records []v1alpha1.StartRecord) bool {
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

// warmedByPool reports whether a WarmPool that selects the Forecast warms nodes and images for it.
func (e *evaluation) warmedByPool(ctx context.Context) (bool, error) {
	var pools v1alpha1.WarmPoolList
	if err := e.client.List(ctx, &pools, client.InNamespace(e.fc.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return false, fmt.Errorf("list WarmPools: %w", err)
	}
	var all []v1alpha1.WarmForecast
	var selecting [][]v1alpha1.WarmForecast
	for i := range pools.Items {
		p := &pools.Items[i]
		if !isWarming(p) {
			continue
		}
		all = append(all, p.Status.Forecasts...)
		if matcher, _ := p.ForecastMatcher(); matcher.Matches(e.fc) { // The condition of the WarmPool has the error.
			selecting = append(selecting, p.Status.Forecasts)
		}
	}
	return slices.ContainsFunc(selecting, func(list []v1alpha1.WarmForecast) bool {
		return isWarmed(list, all, e.fc.Name)
	}), nil
}

// isWarming reports whether a WarmPool warms nodes and images, and nothing keeps it from that.
func isWarming(p *v1alpha1.WarmPool) bool {
	if p.Spec.Mode == v1alpha1.WarmPoolDryRun ||
		p.Spec.Nodes.Policy == v1alpha1.WarmNodesOff || p.Spec.Images.Policy == v1alpha1.WarmImagesOff {
		return false
	}
	conditions := p.Status.Conditions
	nodes := meta.FindStatusCondition(conditions, v1alpha1.ConditionNodesWarm)
	return meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady) &&
		!meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionCapacityShort) &&
		nodes != nil && nodes.Reason != "Limited"
}

// isWarmed reports whether the status of a WarmPool lists a Forecast as warmed, by itself or
// through another Forecast of its target. all are the Forecasts in the status of all WarmPools.
func isWarmed(list, all []v1alpha1.WarmForecast, name string) bool {
	withoutProblem := func(name string) func(v1alpha1.WarmForecast) bool {
		return func(f v1alpha1.WarmForecast) bool { return f.Name == name && f.Message == "" }
	}
	i := slices.IndexFunc(list, withoutProblem(name))
	if i < 0 {
		return false
	}
	// A WarmPool that selects the other Forecast too, but leaves it to another WarmPool, has a
	// message for it. So all WarmPools are searched.
	by := list[i].WarmedBy
	return by == "" || slices.ContainsFunc(all, withoutProblem(by))
}
