package controller

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/overflow"
	"headstart.dev/headstart/planner/plan"
)

// readLimits reads what bounds the service in this cluster: what its WarmPool says of nodes and
// quotas, and what the services that share them need.
func (e *evaluation) readLimits(ctx context.Context) (overflow.Limits, error) {
	l := overflow.Limits{
		Release: e.set.Scaling.ScaleDownStabilization + e.rates.HPASync, Last: lastOverflow(e.fc.Status.Overflow, e.now),
	}
	var pools v1alpha1.WarmPoolList
	if err := e.client.List(ctx, &pools, client.InNamespace(e.fc.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return l, fmt.Errorf("list WarmPools: %w", err)
	}
	for i := range pools.Items {
		status := &pools.Items[i].Status
		for _, f := range status.Forecasts {
			if f.Name == e.fc.Name && f.Most != nil && f.MostBy != "" {
				l.Alone, l.By = int(*f.Most), overflow.Reason(f.MostBy)
			}
		}
		for k := range status.Rooms {
			common, err := e.common(ctx, &status.Rooms[k])
			if err != nil {
				return l, err
			}
			if common != nil {
				l.Common = common
			}
		}
	}
	return l, nil
}

// lastOverflow returns what overflows at an instant by the status; 0 where nothing does.
func lastOverflow(status *v1alpha1.Overflow, at time.Time) float64 {
	if status == nil {
		return 0
	}
	decoded, err := plan.Decode(status.Timeline)
	if err != nil {
		return 0
	}
	v, _ := decoded.At(at)
	return v
}

// common returns the room as this service sees it; nil when it is not a member.
func (e *evaluation) common(ctx context.Context, room *v1alpha1.WarmRoom) (*overflow.Common, error) {
	own := slices.IndexFunc(room.Members, func(m v1alpha1.WarmRoomMember) bool { return m.Forecast == e.fc.Name })
	if own < 0 {
		return nil, nil
	}
	out := &overflow.Common{Most: room.Most.AsApproximateFloat64(), By: overflow.Reason(room.By)}
	out.Own = claim(e.fc.Name, e.set, e.capacity, room.Members[own])
	for i, m := range room.Members {
		if i == own {
			continue
		}
		member, err := e.member(ctx, m)
		if err != nil {
			return nil, err
		}
		if member != nil {
			out.Others = append(out.Others, *member)
		}
	}
	return out, nil
}

// claim returns what a service asks of a room, without its need.
func claim(name string, set planner.Settings, capacity float64, m v1alpha1.WarmRoomMember) overflow.Claim {
	units := m.Units.AsApproximateFloat64()
	if !(units > 0) {
		units = 1
	}
	return overflow.Claim{
		Name: name, Priority: set.Priority, Units: units,
		Min: max(set.Scaling.MinReplicas, plan.Replicas(set.Min, capacity)),
	}
}

// member returns what another service of the namespace needs of a room; nil when it needs nothing
// that its plan says.
func (e *evaluation) member(ctx context.Context, m v1alpha1.WarmRoomMember) (*overflow.Member, error) {
	var fc v1alpha1.Forecast
	key := types.NamespacedName{Namespace: e.fc.Namespace, Name: m.Forecast}
	err := e.client.Get(ctx, key, &fc, &client.GetOptions{UnsafeDisableDeepCopy: new(true)})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get forecast %s: %w", key, err)
	}
	all, err := e.autoscalers.Of(ctx, &fc)
	if err != nil {
		return nil, err
	}
	set, err := planner.NewSettings(&fc, all, e.rates.HPASync)
	capacity := set.CapacityIn(fc.Status.CapacityPerReplica)
	if err != nil || !isActive(&fc) || fc.Status.Plan == nil || capacity <= 0 {
		return nil, nil //nolint:nilerr // its own condition has the error
	}
	decoded, err := plan.Decode(*fc.Status.Plan)
	if err != nil {
		return nil, nil //nolint:nilerr // the same
	}
	return &overflow.Member{
		Claim: claim(fc.Name, set, capacity, m), Plan: &decoded, Capacity: capacity, MaxReplicas: set.Scaling.MaxReplicas,
	}, nil
}

// setOverflow sets the condition FitsCluster and the overflow in status.
func (e *evaluation) setOverflow() {
	const kind = v1alpha1.ConditionFitsCluster
	over := e.out.Overflow
	switch {
	case e.dropsPlan():
	case e.out.Plan == nil:
		e.next.Overflow = e.fc.Status.Overflow
		if old := meta.FindStatusCondition(e.fc.Status.Conditions, kind); old != nil {
			e.conditions.Put(kind, old.Status, old.Reason, old.Message)
		}
	case e.capacity <= 0:
		e.conditions.SetUnknown(kind, "CapacityUnknown", "what one replica serves is not known: "+
			"set spec.capacityPerReplica, or averageValue of the HPA")
	case over == nil:
		e.conditions.SetUnknown(kind, "NoLimit", "nothing that is known bounds the replicas: "+
			"neither an autoscaler nor a WarmPool that selects this Forecast")
	case over.Fits() && !over.TakesFrom.IsZero():
		e.conditions.SetTrue(kind, "TakesPriority", "the plan fits: from %s on, Forecasts with a lower spec.priority "+
			"leave their places to it", over.TakesFrom.UTC().Format(time.RFC3339))
	case over.Fits():
		e.conditions.SetTrue(kind, "Fits", "the whole plan fits into this cluster")
	default:
		e.conditions.SetFalse(kind, string(over.Reason), "a part of the plan does not fit into this cluster from %s on, "+
			"up to %d replicas at %s (%s): %s, or plan it in another cluster with spec.overflowOf%s",
			over.From.UTC().Format(time.RFC3339), over.Replicas, over.PeakAt.UTC().Format(time.RFC3339), over.PeakReason,
			over.Reason.Remedy(), e.routedOnly())
		e.next.Overflow = e.overflowStatus(over)
	}
}

// routedOnly says, as the end of a message, that the query may see only what is routed to this
// cluster. Such demand falls when another cluster takes its part, and then the plan fits again.
func (e *evaluation) routedOnly() string {
	places := history.PlaceLabels(e.set.Query)
	if len(places) == 0 {
		return ""
	}
	return fmt.Sprintf("; the query selects by %s, so it may see only what is routed here: "+
		"measure the demand before it is split", strings.Join(places, ", "))
}

// overflowStatus returns the overflow as status carries it.
func (e *evaluation) overflowStatus(over *overflow.Timeline) *v1alpha1.Overflow {
	step := e.out.Plan.Segments[0].Step
	timeline := plan.Plan{ComputedAt: e.now, Start: e.out.Plan.Start, Segments: []plan.Segment{{
		Step: step, Values: over.Values,
	}}}
	// What the values look ahead: whole steps. A lead rounded down would have the other cluster
	// begin a step too early.
	lead := time.Duration(planner.LeadSteps(e.leadTime, step)) * step
	return &v1alpha1.Overflow{
		Version: v1alpha1.OverflowVersion, Unit: e.set.Unit, Lead: v1alpha1.FormatDuration(lead),
		From: kube.MetaTime(over.From), Reason: string(over.Reason),
		Peak: kube.QuantityOf(over.Peak), PeakAt: kube.MetaTime(over.PeakAt),
		PeakReplicas: int32(min(over.Replicas, math.MaxInt32)), //nolint:gosec // bounded
		Timeline:     timeline.Encode(),
	}
}

// overflowChange is the relative change of what overflows that is worth a write.
const overflowChange = 0.05

// overflowChanged reports whether what overflows has changed so much that the other cluster should
// know.
func overflowChanged(old, now *v1alpha1.Overflow) bool {
	if old == nil || now == nil {
		return (old == nil) != (now == nil)
	}
	was, is := old.Peak.AsApproximateFloat64(), now.Peak.AsApproximateFloat64()
	return old.Reason != now.Reason || old.Unit != now.Unit || math.Abs(is-was) > overflowChange*max(is, was)
}
