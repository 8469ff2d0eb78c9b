package warmer

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/utils/clock"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/gpuwarm/warmer/allocate"
	"headstart.dev/headstart/gpuwarm/warmer/images"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/nodes"
)

// poolState is what is remembered of a WarmPool between looks. A restart loses it, which costs a
// few requests or tries.
type poolState struct {
	failing   bool // the last look failed
	forecasts map[string]allocate.Remembered
	images    map[allocate.ImageKey]allocate.Admission
	overheads map[string]corev1.ResourceList // by runtime class
	errors    *gpuwarm.ForecastErrors        // of the forecasts

	listings *cache.Expiring   // by kind: nil where there are no objects, or why they may not be listed
	denied   *kube.DenyBackoff // by Forecast and method
	pulls    map[allocate.TargetKey]*images.History
	ended    map[allocate.TargetKey]*nodes.Failures

	measured time.Time          // when metrics were measured last
	placedOn map[types.UID]bool // the namespace's pods that have a node, and whether that is known
}

// stateOf returns the state of a WarmPool. In a new process it begins with what the WarmPool's
// status says.
func (r *Reconciler) stateOf(pool *v1alpha1.WarmPool) *poolState {
	key := types.NamespacedName{Namespace: pool.Namespace, Name: pool.Name}
	if s := r.pools[key]; s != nil {
		return s
	}
	s := &poolState{
		forecasts: map[string]allocate.Remembered{}, errors: recallErrors(pool, r.opts.Clock.Now()),
		listings: kube.NewExpiring(r.opts.Clock), denied: kube.NewDenyBackoff(r.opts.Clock),
		pulls: map[allocate.TargetKey]*images.History{}, ended: map[allocate.TargetKey]*nodes.Failures{},
	}
	for _, was := range reportedForecasts(pool) {
		s.forecasts[was.Name] = allocate.Remembered{Status: was}
	}
	r.pools[key] = s
	return s
}

// memory returns what a decision needs.
func (s *poolState) memory() allocate.Memory {
	return allocate.Memory{Forecasts: s.forecasts, Images: s.images, Overheads: s.overheads, Errors: s.errors}
}

// history returns the pulls of the image that a target has now.
func (s *poolState) history(w *allocate.Work, c clock.PassiveClock) *images.History {
	key := allocate.KeyOf(w.Forecast)
	if h := s.pulls[key]; h != nil && h.Image == w.Target.Admitted {
		return h
	}
	s.pulls[key] = images.NewHistory(w.Target.Admitted, c)
	return s.pulls[key]
}

// failures returns the failures of a target's placeholders.
func (s *poolState) failures(key allocate.TargetKey, c clock.PassiveClock) *nodes.Failures {
	if s.ended[key] == nil {
		s.ended[key] = nodes.NewFailures(c)
	}
	return s.ended[key]
}

// remember keeps what is known of the Forecasts for the next look. Status has it too, for the first
// of them.
func (s *poolState) remember(o *observation, d *allocate.Desired, statuses map[string]v1alpha1.WarmForecast) {
	known := map[string]allocate.Remembered{}
	used := map[allocate.TargetKey]bool{}
	for _, w := range d.Works {
		name := w.Forecast.Name
		read := o.Now
		if w.Target == nil || w.Stale != nil {
			read = s.forecasts[name].Read
		}
		known[name] = allocate.Remembered{Target: w.SeenTarget(), Read: read, Status: statuses[name]}
		used[allocate.KeyOf(w.Forecast)] = used[allocate.KeyOf(w.Forecast)] || w.Err != nil || w.Holds()
	}
	s.learnErrors(o, d)
	s.forecasts, s.images, s.overheads = known, d.Images, d.Overheads
	for key := range s.pulls {
		if !used[key] {
			delete(s.pulls, key)
		}
	}
	for key := range s.ended {
		if !used[key] {
			delete(s.ended, key)
		}
	}
}

// learnErrors brings what is known of the errors of the forecasts up to date.
func (s *poolState) learnErrors(o *observation, d *allocate.Desired) {
	policy := o.Pool.Spec.Nodes.Policy
	if policy == v1alpha1.WarmNodesOff || policy == v1alpha1.WarmNodesProvisioningRequest {
		return
	}
	var selected []string
	for _, w := range d.Works {
		selected = append(selected, w.Forecast.Name)
	}
	s.errors.Retain(selected)
	for _, w := range d.Works {
		switch {
		case w.Err != nil:
		case w.Target == nil:
			s.errors.Forget(w.Forecast.Name)
		default:
			if seen := w.Forecast.Status.Observed; seen != nil {
				s.errors.RecordDemand(w.Forecast.Name, seen.Time.Time, seen.Value.AsApproximateFloat64())
			}
			s.errors.RecordPlan(w.Forecast.Name, o.Now, w.Target.Timeline)
		}
	}
}

// mostShared is how many Forecasts status names of those that share a node pool.
const mostShared = 16

// recallErrors returns what was measured of the errors before a restart, by status.
func recallErrors(pool *v1alpha1.WarmPool, now time.Time) *gpuwarm.ForecastErrors {
	errs := &gpuwarm.ForecastErrors{}
	for _, s := range pool.Status.Shared {
		correlation, err := s.Correlation.Parse()
		if err != nil || s.MeasuredAt == nil || len(s.Forecasts) >= mostShared { // the others are not known
			continue
		}
		measured := gpuwarm.Measured{Correlation: correlation, Samples: int(s.Samples), At: s.MeasuredAt.Time}
		errs.Restore(s.Forecasts, measured, now)
	}
	return errs
}

// reportedForecasts returns the Forecasts of a status, with the leads that an earlier release
// learned: it did not distinguish them from those that it assumed or was given.
func reportedForecasts(pool *v1alpha1.WarmPool) []v1alpha1.WarmForecast {
	out := slices.Clone(pool.Status.Forecasts)
	isNew := func(was v1alpha1.WarmForecast) bool {
		return was.LearnedNodeLead != "" || was.LearnedImageLead != "" || was.WarmedBy != ""
	}
	if pool.Status.ObservedGeneration != pool.Generation || slices.ContainsFunc(out, isNew) {
		return out
	}
	for i := range out {
		was := &out[i]
		if pool.Spec.Nodes.Lead == "" && was.NodeLead != v1alpha1.FormatDuration(allocate.DefaultNodeLead) {
			was.LearnedNodeLead = was.NodeLead
		}
		if pool.Spec.Images.Lead == "" && was.ImageLead != v1alpha1.FormatDuration(allocate.DefaultImageLead) {
			was.LearnedImageLead = was.ImageLead
		}
	}
	return out
}
