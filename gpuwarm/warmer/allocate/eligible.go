package allocate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
)

// RecallFor is how long a target that cannot be read counts as it was read last.
const RecallFor = 5 * time.Minute

// errNotRead says that the snapshot has nothing about a target.
var errNotRead = errors.New("the target was not read")

// Ineligible returns why nothing is warmed for a Forecast, whatever its target is; empty where that
// depends on the target.
func Ineligible(fc *v1alpha1.Forecast) string {
	switch {
	case fc.Spec.Mode != v1alpha1.ForecastActive && fc.Spec.Mode != "":
		return fmt.Sprintf("the Forecast is in mode %s, so nobody scales by its plan: nothing is warmed for it",
			fc.Spec.Mode)
	case fc.Status.Plan == nil:
		return "the Forecast has no plan yet: see its conditions"
	case fc.Status.CapacityPerReplica == nil:
		return "the Forecast does not know what a replica serves: set spec.capacityPerReplica, " +
			"or let an HPA with an averageValue read it"
	}
	return ""
}

// LeftToPool returns why another WarmPool warms for a Forecast that both select; empty where this
// one does.
func (s *Snapshot) LeftToPool(fc *v1alpha1.Forecast) string {
	first := firstPool(s.Pools, fc)
	switch {
	case first == nil || first.UID == s.Pool.UID:
		return ""
	case acts(first) && !s.Acts():
		return fmt.Sprintf("WarmPool %s selects this Forecast as well and is Active: it warms for it", first.Name)
	case acts(first):
		return fmt.Sprintf("WarmPool %s selects this Forecast as well and is older: it warms for it", first.Name)
	}
	return fmt.Sprintf("WarmPool %s selects this Forecast as well and is older: it would warm for it", first.Name)
}

// firstPool returns which of the WarmPools warms for a Forecast; nil where none selects it.
func firstPool(pools []v1alpha1.WarmPool, fc *v1alpha1.Forecast) *v1alpha1.WarmPool {
	var first *v1alpha1.WarmPool
	for i := range pools {
		p := &pools[i]
		matcher, _ := p.ForecastMatcher() // the condition of that WarmPool has the error
		if p.DeletionTimestamp != nil || !matcher.Matches(fc) {
			continue
		}
		if first == nil || comparePools(p, first) < 0 {
			first = p
		}
	}
	return first
}

// comparePools orders WarmPools by which of them warms for a Forecast that several select: one that
// acts, the oldest, the first by name.
func comparePools(a, b *v1alpha1.WarmPool) int {
	rank := func(p *v1alpha1.WarmPool) int {
		if acts(p) {
			return 0
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(rank(a), rank(b)),
		a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
		cmp.Compare(a.Name, b.Name),
	)
}

// resolve returns the target of a Forecast, or why there is none: a reason why nothing is warmed
// for it, or an error of reading it.
func (s *Snapshot) resolve(fc *v1alpha1.Forecast) (t *Target, ineligible string, err error) {
	if s.PoolsErr != nil {
		return nil, "", s.PoolsErr
	}
	if why := cmp.Or(s.LeftToPool(fc), Ineligible(fc)); why != "" {
		return nil, why, nil
	}
	w, ok := s.Workloads[fc.Name]
	switch {
	case !ok:
		return nil, "", errNotRead
	case w.Err != nil || w.Ineligible != "":
		return nil, w.Ineligible, w.Err
	}
	t = newTarget(fc, w)
	t.HPA = fc.Status.CapacityPerReplica.Name
	bound := s.HPAs[t.HPA]
	if bound.Err != nil {
		return nil, "", bound.Err
	}
	t.MaxReplicas = bound.MaxReplicas
	if err := t.follow(fc); err != nil {
		return nil, err.Error(), nil
	}
	t.count(s.Pods)
	return t, "", nil
}

// recall returns the target of a Forecast that cannot be read just now: as it was read last, with
// the plan of now; nil where that is not known, too long ago, or of another target or another HPA.
func (s *Snapshot) recall(fc *v1alpha1.Forecast, last Remembered) *Target {
	if last.Target == nil || last.Target.FromRequest || s.Now.Sub(last.Read) > RecallFor ||
		last.Target.Ref != fc.Spec.TargetRef || Ineligible(fc) != "" || fc.Status.CapacityPerReplica.Name != last.Target.HPA {
		return nil
	}
	t := *last.Target
	if err := t.follow(fc); err != nil {
		return nil
	}
	t.count(s.Pods)
	return &t
}

// newWork returns the work for one Forecast as far as it depends on that Forecast alone.
func (s *Snapshot) newWork(fc *v1alpha1.Forecast, selected []*v1alpha1.Forecast, m Memory) *Work {
	last := m.Forecasts[fc.Name]
	w := &Work{Forecast: fc, Key: forecastKey(fc), Before: last.Status}
	w.Before.Name = fc.Name
	w.Learned = learnedLeads(fc, w.Before)
	t, ineligible, err := s.resolve(fc)
	if err != nil && kube.IsTransient(err) && !s.mayBeLeftToPool(w.Before, selected) {
		if t = s.recall(fc, last); t != nil {
			w.Stale, err = err, nil
		}
	}
	switch {
	case err != nil:
		w.Err, w.Last = err, s.lastTarget(fc, last)
	case t == nil:
		w.Ineligible = ineligible
		if r := s.Requests[w.Key]; r.Template != nil && s.Acts() {
			w.Last = targetOfRequest(fc, r)
		}
	default:
		w.Target = t
	}
	if w.Last != nil {
		w.Last.count(s.Pods)
	}
	return w
}

// mayBeLeftToPool reports whether WarmPools cannot be listed, and one of them warmed for this
// Forecast's target.
func (s *Snapshot) mayBeLeftToPool(before v1alpha1.WarmForecast, selected []*v1alpha1.Forecast) bool {
	return s.PoolsErr != nil && before.WarmedBy != "" &&
		!slices.ContainsFunc(selected, func(fc *v1alpha1.Forecast) bool { return fc.Name == before.WarmedBy })
}

// lastTarget returns what is known of a target that is not read now: from the last look, or from
// what the cluster's autoscaler was asked with, which outlives a restart; nil where nothing is
// known.
func (s *Snapshot) lastTarget(fc *v1alpha1.Forecast, last Remembered) *Target {
	if last.Target != nil {
		t := *last.Target
		return &t
	}
	if r, ok := s.Requests[forecastKey(fc)]; ok && r.Template != nil {
		return targetOfRequest(fc, r)
	}
	return nil
}
