package warmer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/gpuwarm/warmer/allocate"
	"headstart.dev/headstart/gpuwarm/warmer/images"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/nodes"
	"headstart.dev/headstart/gpuwarm/warmer/weights"
	"headstart.dev/headstart/internal/conditions"
)

// mostForecasts is how many Forecasts status names, and mostGroups how many groups that share a
// node pool.
const (
	mostForecasts = 64
	mostGroups    = 16
)

// report is what a look says: the status of a WarmPool and of its Forecasts.
type report struct {
	pool     *v1alpha1.WarmPool
	statuses map[string]v1alpha1.WarmForecast // by Forecast
	problems map[about]problem                // the first of each
	err      error                            // what time alone may fix
	held     map[string]allocate.Held         // by the key of the Forecast

	selected, ineligible, limited int
	limitedBy                     string // what bounds the first of those
	leftToPools                   int    // Forecasts whose target another WarmPool holds for
	leftToPool                    string // the first of those
	placeholders                  int
	notSeen                       string // what may be left and cannot be looked for, as the end of a message
	loads                         []string
	totals                        totals
	short                         []allocate.Shortage
	shared                        []v1alpha1.WarmShared
	rooms                         []v1alpha1.WarmRoom
}

// totals are over all Forecasts, also those that status does not name.
type totals struct {
	hold, there, held int    // replicas: to hold nodes for, that nodes are held for, and of those with the image
	images, ready     int    // nodes that are to have an image, and that have it
	by                string // the API that asks for nodes; empty where placeholders hold them
}

// newReport puts together what a look says.
func newReport(
	o *observation, d *allocate.Desired, outcomes map[string]*outcome, rest *outcome, errs *gpuwarm.ForecastErrors,
) *report {
	r := &report{
		pool: o.Pool, statuses: map[string]v1alpha1.WarmForecast{}, problems: map[about]problem{},
		selected: len(d.Works), short: d.Short, shared: sharedStatus(d.Shared, errs, o.Now), rooms: roomStatus(d.Rooms),
	}
	applied := map[string]allocate.Applied{}
	for _, w := range d.Works {
		applied[w.Key] = appliedOf(w, outcomes[w.Key])
	}
	r.held = allocate.Measure(&o.Snapshot, d.Works, applied)
	r.addQuotas(o.quotasErr)
	for _, released := range []bool{false, true} { // what holds before what is released
		for _, w := range d.Works {
			if out := outcomes[w.Key]; released == (w.Err == nil && !w.Holds()) {
				r.addForecast(o, w, out)
			}
		}
	}
	r.addProblems(rest, nil)
	if err := o.notSeen(); err != nil {
		r.notSeen = "; whether anything is left of what was made before is not known: " + brief(err)
		if _, remedy, known := kube.Remedy(err); known {
			r.notSeen += ": " + remedy
		}
	}
	return r
}

// appliedOf returns what the count of held replicas needs to know.
func appliedOf(w *allocate.Work, out *outcome) allocate.Applied {
	a := allocate.Applied{ByAutoscaler: out.byAutoscaler, Placeholders: out.placeholders}
	if w.Holds() && w.Pull.By != v1alpha1.WarmImagesOff {
		a.HasImage = hasImage(w, out)
	}
	return a
}

// addQuotas adds that quotas could not be listed. All rights in the WarmPool's namespace are
// granted together.
func (r *report) addQuotas(err error) {
	if err == nil {
		return
	}
	reason, remedy, known := kube.Remedy(err)
	if known {
		message := fmt.Sprintf("quotas are not looked at: %s: %s", brief(err), remedy)
		r.problems[aboutQuotas] = problem{aboutQuotas, reason, message, false}
		return
	}
	err = fmt.Errorf("quotas are not looked at: %w", err)
	r.err = err
	message := brief(err) + ": it is tried again, at least once a minute"
	r.problems[aboutQuotas] = problem{aboutQuotas, reasonFailed, message, false}
}

// addProblems adds the problems of an outcome. The first about a thing counts for the WarmPool, the
// last for the Forecast.
func (r *report) addProblems(out *outcome, status *v1alpha1.WarmForecast) {
	for _, p := range out.problems {
		if _, before := r.problems[p.about]; !before && p.about != "" {
			r.problems[p.about] = p
		}
		if p.ofForecast && status != nil {
			status.Message = clip(p.message)
		}
	}
	r.err = errors.Join(r.err, out.err)
}

// addForecast adds one Forecast.
func (r *report) addForecast(o *observation, w *allocate.Work, out *outcome) {
	held := r.held[w.Key]
	status := v1alpha1.WarmForecast{Name: w.Forecast.Name}
	switch {
	case w.Err != nil:
		status = w.Before
	case w.Target == nil:
		r.ineligible++
		status.Message = clip(w.Ineligible)
		by := v1alpha1.WarmNodesPolicy(w.Before.NodesBy)
		if o.Acts() && allocate.ByAutoscaler(by) && w.Before.Hold > 0 && !out.released {
			status.NodesBy, status.Hold = w.Before.NodesBy, w.Before.Hold
		}
	default:
		r.setTarget(&status, w, out, held)
		if held.Nodes < w.Hold.Replicas && out.byAutoscaler { // otherwise it does not matter
			out.fails(aboutNodes, nodes.ReasonNotProvisioned, out.unmet)
		}
	}
	status.LearnedNodeLead = allocate.FormatLead(w.Learned.Node)
	status.LearnedImageLead = allocate.FormatLead(w.Learned.Image)
	r.addMessages(&status, w, out)
	if out.loads {
		r.loads = append(r.loads, out.weights)
	}
	r.placeholders += out.placeholders
	r.statuses[w.Forecast.Name] = status
	if w.Err != nil || w.Target != nil {
		r.totals.add(status, held)
	}
}

// addMessages adds what keeps a Forecast from being warmed, and what its placeholders leave out.
func (r *report) addMessages(status *v1alpha1.WarmForecast, w *allocate.Work, out *outcome) {
	if w.Stale != nil {
		out.settleFor(aboutNodes, fmt.Sprintf("the target%s counts as it was read last, for up to %s", out.of,
			v1alpha1.FormatDuration(allocate.RecallFor)), w.Stale)
	}
	r.addProblems(out, status)
	if w.Holds() && status.Message == "" {
		status.Message = clip(w.ShortMessage)
	}
	if w.Holds() && w.MostBy != "" {
		status.Most, status.MostBy = new(int32(min(w.Most, math.MaxInt32))), boundNames[w.MostBy]
	}
	if w.Holds() && w.Target.LeftOut != "" {
		status.Message = clip(strings.TrimPrefix(status.Message+"; ", "; ") + w.Target.LeftOut)
	}
}

// setTarget sets what status says of a Forecast that is warmed for.
func (r *report) setTarget(status *v1alpha1.WarmForecast, w *allocate.Work, out *outcome, held allocate.Held) {
	status.Needed, status.Replicas = int32(w.Need.Needed), int32(w.Target.Replicas)
	status.NodeLead = v1alpha1.FormatDuration(w.Stages.Node)
	status.ImageLead = v1alpha1.FormatDuration(w.Stages.Image)
	if w.Weights != nil {
		status.WeightsBy, status.Weights = weights.By(w.Weights), out.weights
	}
	switch {
	case w.HolderPool != nil:
		status.WarmedBy = w.HolderPool.Forecast.Name
		r.leftToPools++
		r.leftToPool = cmp.Or(r.leftToPool, w.HolderPool.Pool.Name)
		return
	case w.Holder != nil:
		status.WarmedBy = w.Holder.Forecast.Name
		return
	}
	status.NodesBy, status.Hold, status.Held = string(w.Hold.By), int32(w.Hold.Replicas), int32(held.Warm)
	status.ImagesBy, status.ImageNodes = string(w.Pull.By), int32(len(w.Pull.Nodes))
	for _, n := range w.Pull.Nodes {
		if images.HasImage(w.Target, out.history, n) {
			status.ImageNodesReady++
		}
	}
	if w.Hold.Limited {
		r.limited++
		r.limitedBy = cmp.Or(r.limitedBy, w.Hold.LimitedBy)
	}
}

func (t *totals) add(s v1alpha1.WarmForecast, held allocate.Held) {
	t.hold, t.there, t.held = t.hold+int(s.Hold), t.there+held.Nodes, t.held+int(s.Held)
	t.images, t.ready = t.images+int(s.ImageNodes), t.ready+int(s.ImageNodesReady)
	if held.ByAutoscaler && t.by == "" {
		t.by = s.NodesBy
	}
}

// status returns the status of the WarmPool.
func (r *report) status(works []*allocate.Work, now time.Time) *v1alpha1.WarmPoolStatus {
	status := r.pool.Status.DeepCopy()
	status.ObservedGeneration = r.pool.Generation
	status.Placeholders, status.Shared, status.Rooms, status.Forecasts = int32(r.placeholders), r.shared, r.rooms, nil
	for _, w := range works[:min(len(works), mostForecasts)] {
		status.Forecasts = append(status.Forecasts, r.statuses[w.Forecast.Name])
	}
	set := conditions.Set{List: status.Conditions, Generation: r.pool.Generation, Now: now}
	for _, f := range []struct {
		kind string
		finding
	}{
		{v1alpha1.ConditionNodesWarm, r.nodesWarm()},
		{v1alpha1.ConditionImagesWarm, r.imagesWarm()},
		{v1alpha1.ConditionWeightsWarm, r.weightsWarm()},
		{v1alpha1.ConditionCapacityShort, r.capacityShort()},
		{v1alpha1.ConditionReady, r.ready()},
	} {
		set.Put(f.kind, conditions.Status(f.ok), f.reason, f.message)
	}
	status.Conditions = set.List
	return status
}

// notReady writes why nothing can be looked at, and leaves the rest of the status as it is.
func (r *Reconciler) notReady(ctx context.Context, pool *v1alpha1.WarmPool, reason, message string) error {
	return r.writeNotReady(ctx, pool, pool.Status.DeepCopy(), reason, message)
}

// writeNotReady writes a status with the condition Ready as False.
func (r *Reconciler) writeNotReady(
	ctx context.Context, pool *v1alpha1.WarmPool, status *v1alpha1.WarmPoolStatus, reason, message string,
) error {
	status.ObservedGeneration = pool.Generation
	set := conditions.Set{List: status.Conditions, Generation: pool.Generation, Now: r.opts.Clock.Now()}
	set.Put(v1alpha1.ConditionReady, metav1.ConditionFalse, reason, message)
	status.Conditions = set.List
	return r.write(ctx, pool, status)
}

// write writes a status that differs, and Events about the conditions that changed.
func (r *Reconciler) write(ctx context.Context, pool *v1alpha1.WarmPool, status *v1alpha1.WarmPoolStatus) error {
	if equality.Semantic.DeepEqual(&pool.Status, status) {
		return nil
	}
	before := pool.Status.Conditions
	pool = pool.DeepCopy()
	pool.Status = *status
	if err := r.opts.Client.Status().Update(ctx, pool); err != nil {
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			return nil // the next look writes what is so then
		}
		return fmt.Errorf("write the status of WarmPool %s/%s: %w", pool.Namespace, pool.Name, err)
	}
	changed := conditions.Changed(before, pool.Status.Conditions)
	conditions.Emit(r.opts.Recorder, pool, "Warm", changed, func(c metav1.Condition) bool {
		bad := (c.Status == metav1.ConditionFalse) != (c.Type == v1alpha1.ConditionCapacityShort)
		return bad && c.Reason != reasonDryRun && c.Reason != reasonInProgress
	})
	return nil
}
