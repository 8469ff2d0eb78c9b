package warmer

import (
	"maps"
	"math"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

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
		if j.target == nil || j.joined() {
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
		g.members = append(g.members, gpuwarm.Member{Timeline: j.plan, Replicas: j.target.replicas, Units: units, Stages: j.stages})
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
			out = append(out, shared(g, names, joint, correlation, n, errs.MeasuredAt(names, l.now)))
		}
	}
	return out
}

func shared(g *group, names []string, joint gpuwarm.Joint, correlation float64, samples int, at time.Time) v1alpha1.WarmShared {
	s := v1alpha1.WarmShared{
		Forecasts: names[:min(mostShared, len(names))], Resource: string(g.resource), Hold: units(joint.Units), Alone: units(joint.Alone),
		Correlation: v1alpha1.FormatDecimal(correlation, 2), Samples: int32(samples),
	}
	if samples > 0 {
		s.MeasuredAt = new(metav1.NewTime(at.Truncate(time.Hour))) // so that status is not written for that alone
	}
	return s
}

func units(v float64) resource.Quantity {
	return *resource.NewMilliQuantity(int64(math.Round(1000*v)), resource.DecimalSI)
}

// errorsOf brings what is known about the errors of the Forecasts up to date.
func (r *Reconciler) errorsOf(l *look, jobs []*job) *gpuwarm.Errors {
	key := types.NamespacedName{Namespace: l.pool.Namespace, Name: l.pool.Name}
	errs := r.errors[key]
	if errs == nil {
		errs = recall(l)
		r.errors[key] = errs
	}
	selected := make([]string, len(jobs))
	for i, j := range jobs {
		selected[i] = j.fc.Name
	}
	errs.Retain(selected)
	for _, j := range jobs {
		if j.err != nil {
			continue
		}
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

// mostShared is how many Forecasts status names of those that share a node pool.
const mostShared = 16

// recall has what was measured before a restart from status.
func recall(l *look) *gpuwarm.Errors {
	errs := &gpuwarm.Errors{}
	for _, s := range l.pool.Status.Shared {
		correlation, err := s.Correlation.Parse()
		if err != nil || s.MeasuredAt == nil || len(s.Forecasts) >= mostShared { // of more it is not known which they were
			continue
		}
		errs.Recall(s.Forecasts, gpuwarm.Measured{Correlation: correlation, Samples: int(s.Samples), At: s.MeasuredAt.Time}, l.now)
	}
	return errs
}

// forget drops what is remembered about a WarmPool.
func (r *Reconciler) forget(pool types.NamespacedName) {
	delete(r.errors, pool)
	delete(r.swept, pool)
	delete(r.admitted, pool)
	delete(r.last, pool)
	delete(r.failing, pool)
	of := poolHash(pool.Namespace, pool.Name) + "/"
	maps.DeleteFunc(r.trials, func(k string, _ *trials) bool { return strings.HasPrefix(k, of) })
	maps.DeleteFunc(r.ends, func(k string, _ ends) bool { return strings.HasPrefix(k, of) })
}
