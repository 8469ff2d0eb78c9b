package warmer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

// Leads that are assumed until they were learned.
const (
	defaultNodeLead    = 5 * time.Minute
	defaultImageLead   = 15 * time.Minute
	defaultWeightsLead = 15 * time.Minute
	// longestLead is the longest that is believed.
	longestLead = time.Hour
)

// job is what there is to do for one Forecast at one look.
type job struct {
	fc     *v1alpha1.Forecast
	target *target // nil where nothing is to be warmed for it, and then status says why
	stages gpuwarm.Stages
	hold   gpuwarm.Hold
	short  string // what it is short of, for people
	status v1alpha1.WarmForecast
}

// jobs are those of the selected Forecasts, in their order.
func (r *Reconciler) jobs(ctx context.Context, l *look, selected []v1alpha1.Forecast) ([]*job, error) {
	jobs := make([]*job, 0, len(selected))
	for i := range selected {
		j := &job{fc: &selected[i], status: v1alpha1.WarmForecast{Name: selected[i].Name}}
		jobs = append(jobs, j)
		t, err := r.targetFor(ctx, l, j.fc)
		if no, ok := errors.AsType[refusal](err); ok {
			j.status.Message = clip(no.why)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look at the target of Forecast %s/%s: %w", j.fc.Namespace, j.fc.Name, err)
		}
		j.target, j.stages = t, l.stagesOf(j.fc)
		j.hold = gpuwarm.Staging(t.timeline, l.now, j.stages, t.replicas)
		j.status.Needed, j.status.Replicas = int32(j.hold.Needed), int32(t.replicas)
		j.status.NodeLead, j.status.ImageLead = v1alpha1.FormatDuration(j.stages.Node), v1alpha1.FormatDuration(j.stages.Image)
	}
	return jobs, nil
}

// stagesOf are the leads for one Forecast: given, or learned from its starts, or what they were at the last look, or assumed. Nodes that are held ahead leave
// no starts that wait for one, and what was learned before that still counts.
func (l *look) stagesOf(fc *v1alpha1.Forecast) gpuwarm.Stages {
	var node, image time.Duration
	if fc.Status.LeadTime != nil {
		node, image = gpuwarm.LearnedStages(fc.Status.LeadTime.RecentStarts)
	}
	for _, was := range l.pool.Status.Forecasts {
		if was.Name == fc.Name {
			node, image = known(node, was.NodeLead), known(image, was.ImageLead)
		}
	}
	s := gpuwarm.Stages{Node: lead(l.pool.Spec.Nodes.Lead, node, defaultNodeLead), Image: lead(l.pool.Spec.Images.Lead, image, defaultImageLead)}
	if l.pool.Spec.Nodes.Policy == v1alpha1.WarmNodesOff {
		s.Node = 0
	}
	if l.pool.Spec.Images.Policy == v1alpha1.WarmImagesOff {
		s.Image = 0
	}
	if w := weightsOf(l.pool, fc.Name); w != nil {
		s.Weights = lead(w.Lead, 0, defaultWeightsLead)
	}
	return s
}

func known(learned time.Duration, before v1alpha1.Duration) time.Duration {
	if d, err := before.Parse(); learned == 0 && err == nil {
		return d
	}
	return learned
}

func lead(given v1alpha1.Duration, learned, assumed time.Duration) time.Duration {
	if given != "" {
		if d, err := given.Parse(); err == nil && d >= 0 {
			return d
		}
	}
	if learned > 0 {
		return min(learned, longestLead)
	}
	return assumed
}

// A group are jobs whose held places any of them can take.
type group struct {
	resource corev1.ResourceName
	jobs     []*job
	members  []gpuwarm.Member
}

// groups of the jobs that there is something to warm for, in the order of their first.
func groups(jobs []*job) []*group {
	var out []*group
	byPool := map[string]*group{}
	for _, j := range jobs {
		if j.target == nil {
			continue
		}
		key := j.target.shape.Pool() + j.target.template.Spec.SchedulerName
		g := byPool[key]
		name, units := j.target.shape.Scarce()
		if g == nil {
			g = &group{resource: name}
			byPool[key] = g
			out = append(out, g)
		}
		g.jobs = append(g.jobs, j)
		g.members = append(g.members, gpuwarm.Member{Timeline: j.target.timeline, Replicas: j.target.replicas, Units: units, Stages: j.stages})
	}
	return out
}

// share holds nodes for services that share a node pool from what they need together, and says what that saves. A ProvisioningRequest is for one
// service, whose rise is to be had as a whole or not at all.
func (r *Reconciler) share(l *look, jobs []*job) []v1alpha1.WarmShared {
	if p := l.pool.Spec.Nodes.Policy; p == v1alpha1.WarmNodesOff || p == v1alpha1.WarmNodesProvisioningRequest {
		return nil
	}
	var out []v1alpha1.WarmShared
	errs := r.errorsOf(l, jobs)
	for _, g := range groups(jobs) {
		if len(g.jobs) < 2 {
			continue
		}
		names := make([]string, len(g.jobs))
		for i, j := range g.jobs {
			names[i] = j.fc.Name
		}
		correlation, n := errs.Correlation(names)
		joint := gpuwarm.Together(g.members, l.now, correlation)
		for i, j := range g.jobs {
			j.hold.Nodes = joint.Holds[i]
		}
		if len(out) < 16 {
			out = append(out, v1alpha1.WarmShared{
				Forecasts: names[:min(16, len(names))], Resource: string(g.resource), Hold: units(joint.Units), Alone: units(joint.Alone),
				Correlation: v1alpha1.FormatDecimal(correlation, 2), Samples: int32(n),
			})
		}
	}
	return out
}

func units(v float64) resource.Quantity {
	return *resource.NewMilliQuantity(int64(math.Round(1000*v)), resource.DecimalSI)
}

// errorsOf brings what is known about the errors of the Forecasts up to date.
func (r *Reconciler) errorsOf(l *look, jobs []*job) *gpuwarm.Errors {
	key := types.NamespacedName{Namespace: l.pool.Namespace, Name: l.pool.Name}
	errs := r.errors[key]
	if errs == nil {
		errs = &gpuwarm.Errors{}
		r.errors[key] = errs
	}
	for _, j := range jobs {
		if j.target == nil {
			errs.Forget(j.fc.Name)
			continue
		}
		if o := j.fc.Status.Observed; o != nil {
			errs.Observe(j.fc.Name, o.Time.Time, o.Value.AsApproximateFloat64())
		}
		errs.Foresee(j.fc.Name, l.now, j.target.timeline)
	}
	return errs
}

// forget drops what is remembered about a WarmPool.
func (r *Reconciler) forget(pool types.NamespacedName) { delete(r.errors, pool) }

// shortfalls look for when plans need more than can be given, one by one and together, and say so.
func (r *Reconciler) shortfalls(l *look, jobs []*job, out *outcome) {
	for _, g := range groups(jobs) {
		together := len(g.jobs) > 1 && r.shortTogether(l, g, out)
		for _, j := range g.jobs {
			if s := l.shortAlone(j); s.by > 0 && !together {
				j.short = s.text
				out.short(j.fc.Name, s.by, s.from)
			}
		}
	}
}

// shortTogether compares what the members of a group need together with what there is of their resource.
func (r *Reconciler) shortTogether(l *look, g *group, out *outcome) bool {
	most, bound, ok := l.mostOf(g)
	if !ok {
		return false
	}
	s, ok := gpuwarm.ShortOf(g.members, l.now, most)
	if !ok {
		return false
	}
	per := 0.0
	for _, m := range g.members {
		per = max(per, m.Units)
	}
	by := int(math.Ceil(s.By / per))
	for i, j := range g.jobs {
		j.short = fmt.Sprintf("together with %d others that share its nodes the plan needs %g %s at %s and more than %g from %s on, but the %s can give %g: %s",
			len(g.jobs)-1, s.Peak, g.resource, s.PeakAt.UTC().Format(time.RFC3339), most, s.From.UTC().Format(time.RFC3339), bound, most, remedies[bound])
		if i > 0 {
			by = 0 // it is counted once
		}
		out.short(j.fc.Name, by, s.From)
	}
	return true
}

// mostOf is how much of a group's resource its members can have together, and what bounds that.
func (l *look) mostOf(g *group) (most float64, bound string, ok bool) {
	used, free := 0.0, 0.0
	for _, m := range g.members {
		used += float64(m.Replicas) * m.Units
	}
	for i := range l.nodes {
		if n := &l.nodes[i]; g.jobs[0].target.shape.Admits(n) {
			q := l.free[n.Name][g.resource]
			free += max(0, q.AsApproximateFloat64())
		}
	}
	for _, j := range g.jobs {
		_, u := j.target.shape.Scarce()
		free -= float64(j.target.waiting) * u
	}
	there := used + max(0, free)
	capacity, given := l.pool.Spec.Nodes.Capacity[string(g.resource)]
	switch {
	case l.pool.Spec.Nodes.Policy == v1alpha1.WarmNodesOff:
		most, bound = there, "nodes"
	case given:
		most, bound = max(capacity.AsApproximateFloat64(), there), "pool"
	}
	for i := range l.quotas {
		q := &l.quotas[i]
		if len(q.Spec.Scopes) > 0 || q.Spec.ScopeSelector != nil {
			continue
		}
		for _, name := range []corev1.ResourceName{g.resource, "requests." + g.resource} {
			hard, has := q.Status.Hard[name]
			left := hard.DeepCopy()
			left.Sub(q.Status.Used[name])
			if room := used + max(0, left.AsApproximateFloat64()); has && (bound == "" || room < most) {
				most, bound = room, "quota"
			}
		}
	}
	return most, bound, bound != ""
}

// lack is what one Forecast is short of.
type lack struct {
	by   int
	from time.Time
	text string
}

var remedies = map[string]string{
	"nodes": "add nodes, or let spec.nodes bring them up", "pool": "let the node pool grow further, or correct spec.nodes.capacity",
	"quota": "raise the namespace's ResourceQuota",
}

// shortAlone compares what one plan needs with what its service could have if nobody else wanted any.
func (l *look) shortAlone(j *job) lack {
	t := j.target
	c := gpuwarm.Capacity{Grows: l.pool.Spec.Nodes.Policy != v1alpha1.WarmNodesOff, Quota: gpuwarm.QuotaRoom(l.quotas, t.shape)}
	c.Fits = l.roomFor(t)
	if pool := l.pool.Spec.Nodes.Capacity; len(pool) > 0 {
		c.Pool = within(pool, corev1.ResourceList{}, t.shape, 1<<20)
	}
	most, bound, ok := c.Most(t.replicas)
	if !ok {
		return lack{}
	}
	peak, at, planned := t.timeline.Most(l.now, t.timeline.End())
	if !planned || peak <= most {
		return lack{}
	}
	from, _ := t.timeline.First(l.now, most)
	return lack{by: peak - most, from: from, text: fmt.Sprintf("the plan needs %d replicas at %s and more than %d from %s on, but the %s can give %d: %s", peak,
		at.UTC().Format(time.RFC3339), most, from.UTC().Format(time.RFC3339), bound, most, remedies[bound])}
}
