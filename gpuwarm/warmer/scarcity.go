package warmer

import (
	"fmt"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

// shortfalls look for when plans need more than can be given, one by one and together, and say so.
func (r *Reconciler) shortfalls(l *look, jobs []*job, out *outcome) {
	for _, g := range groups(jobs) {
		together := len(g.jobs) > 1 && r.shortTogether(l, g, out)
		for _, j := range g.jobs {
			if s := l.shortAlone(j); s.by > 0 && !together {
				j.short = s.text
				out.short(l, j.fc.Name, s.by, s.from)
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
		j.short = fmt.Sprintf("together with %d others that share its nodes the plan needs %g %s %s and more than %g %s, but the %s can give %g: %s",
			len(g.jobs)-1, s.Peak, g.resource, l.at(s.PeakAt), most, l.since(s.From), bound, most, remedies[bound])
		if i > 0 {
			by = 0 // it is counted once
		}
		out.short(l, j.fc.Name, by, s.From)
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
	peak, at, planned := j.plan.Most(l.now, j.plan.End())
	if !planned || peak <= most {
		return lack{}
	}
	from, _ := j.plan.First(l.now, most)
	return lack{by: peak - most, from: from, text: fmt.Sprintf("the plan needs %d replicas %s and more than %d %s, but the %s can give %d: %s",
		peak, l.at(at), most, l.since(from), bound, most, remedies[bound])}
}

// at is a time of the plan for people. What is so now is not given the time of the look, or status would change at each.
func (l *look) at(t time.Time) string {
	if !t.After(l.now) {
		return "now"
	}
	return "at " + t.UTC().Format(time.RFC3339)
}

// since is the same for what begins then.
func (l *look) since(t time.Time) string {
	if !t.After(l.now) {
		return "already"
	}
	return "from " + t.UTC().Format(time.RFC3339) + " on"
}
