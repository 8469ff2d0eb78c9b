package warmer

import (
	"cmp"
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

// targetFor is the target of a Forecast, unless another WarmPool is there for it.
func (r *Reconciler) targetFor(ctx context.Context, l *look, fc *v1alpha1.Forecast) (*target, error) {
	if l.unlisted != nil {
		return nil, l.unlisted
	}
	first := firstOf(l.pools, fc)
	switch {
	case first == nil || first.UID == l.pool.UID:
		return r.targetOf(ctx, fc, l.pods)
	case acts(first) && !l.act:
		return nil, refuse("WarmPool %s selects this Forecast as well and is Active: it warms for it", first.Name)
	case acts(first):
		return nil, refuse("WarmPool %s selects this Forecast as well and is older: it warms for it", first.Name)
	}
	return nil, refuse("WarmPool %s selects this Forecast as well and is older: it would warm for it", first.Name)
}

// firstOf is which of the WarmPools warms for a Forecast; nil where none selects it.
func firstOf(pools []v1alpha1.WarmPool, fc *v1alpha1.Forecast) *v1alpha1.WarmPool {
	var first *v1alpha1.WarmPool
	for i := range pools {
		p := &pools[i]
		selector, err := metav1.LabelSelectorAsSelector(&p.Spec.ForecastSelector)
		if err == nil && p.DeletionTimestamp == nil && selector.Matches(labels.Set(fc.Labels)) && (first == nil || precede(p, first) < 0) {
			first = p
		}
	}
	return first
}

// precede orders WarmPools by which of them warms for a Forecast that several select. A trial stops none that acts.
func precede(a, b *v1alpha1.WarmPool) int {
	rank := func(p *v1alpha1.WarmPool) int {
		if acts(p) {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
}

// acts is whether a WarmPool warms anything.
func acts(p *v1alpha1.WarmPool) bool { return p.Spec.Mode != v1alpha1.WarmPoolDryRun }

// covers is whether a WarmPool warms all the stages that another one does.
func covers(a, b *v1alpha1.WarmPool) bool {
	return (a.Spec.Nodes.Policy != v1alpha1.WarmNodesOff || b.Spec.Nodes.Policy == v1alpha1.WarmNodesOff) &&
		(a.Spec.Images.Policy != v1alpha1.WarmImagesOff || b.Spec.Images.Policy == v1alpha1.WarmImagesOff)
}

// part is a Forecast of a target that several WarmPools are for, each for a part of its Forecasts.
type part struct {
	fc   *v1alpha1.Forecast
	pool *v1alpha1.WarmPool
}

// parts are the Forecasts of a target that are warmed for, each by its WarmPool. Trials have no part in it.
func (l *look) parts(key targetKey) []part {
	var out []part
	for i := range l.forecasts {
		fc := &l.forecasts[i]
		if refOf(fc) != key || mayNot(fc) != nil || new(target).follow(fc) != nil {
			continue
		}
		if p := firstOf(l.pools, fc); p != nil && acts(p) {
			out = append(out, part{fc, p})
		}
	}
	return out
}

// holder is the part of the WarmPool that warms the target for all: the first of those that warm all the stages that any of them does, and have begun to or begin now. nil where
// there is none, or the target is one WarmPool's alone.
func holder(parts []part, own types.UID) *part {
	var first *part
	shared := false
	for i := range parts {
		p, all := &parts[i], true
		for _, other := range parts {
			all = all && covers(p.pool, other.pool)
			shared = shared || p.pool.UID != other.pool.UID
		}
		if all && (p.pool.UID == own || p.begun()) && (first == nil || precede(p.pool, first.pool) < 0) {
			first = p
		}
	}
	if !shared {
		return nil
	}
	return first
}

// begun is whether the WarmPool warms for the Forecast, by what it said last: until then what others hold stays. Status names 64.
func (p *part) begun() bool {
	for _, kind := range []string{v1alpha1.ConditionNodesWarm, v1alpha1.ConditionImagesWarm} {
		if c := meta.FindStatusCondition(p.pool.Status.Conditions, kind); c != nil && c.Reason == reasonDryRun {
			return false // that was a trial
		}
	}
	list := p.pool.Status.Forecasts
	of := func(name string) *v1alpha1.WarmForecast {
		i := slices.IndexFunc(list, func(f v1alpha1.WarmForecast) bool { return f.Name == name })
		if i < 0 {
			return nil
		}
		return &list[i]
	}
	f := of(p.fc.Name)
	if f != nil && f.WarmedBy != "" {
		f = of(f.WarmedBy)
	}
	if f == nil {
		return len(list) == 64
	}
	return f.NodesBy != "" || f.ImagesBy != ""
}

// split settles who warms the targets that other WarmPools have a part in, as each of them sees it alike: nodes held by both would be held twice. The one that does follows the
// others' plans too.
func (r *Reconciler) split(ctx context.Context, l *look, jobs []*job) {
	if !l.act || len(l.pools) < 2 {
		return
	}
	done := map[targetKey]bool{}
	for _, j := range jobs {
		if j.target == nil || done[keyOf(j)] {
			continue
		}
		done[keyOf(j)] = true
		parts := l.parts(keyOf(j))
		first := holder(parts, l.pool.UID)
		if first == nil {
			continue
		}
		for _, mine := range jobs {
			if mine.target != nil && keyOf(mine) == keyOf(j) && first.pool.UID != l.pool.UID {
				mine.elsewhere = first
			}
		}
		for _, p := range parts {
			if p.pool.UID != l.pool.UID {
				l.others[keyOf(j)] = append(l.others[keyOf(j)], r.plansOf(ctx, l, p.fc, j.target)...)
			}
		}
	}
}

// plansOf is what another WarmPool's Forecast of a target asks for; none where its plan cannot be read.
func (r *Reconciler) plansOf(ctx context.Context, l *look, fc *v1alpha1.Forecast, t *target) []foreign {
	its := *t
	if name := fc.Status.CapacityPerReplica.Name; name != t.hpa {
		if most, err := r.maxReplicas(ctx, fc); err == nil {
			its.most = most
		} // else its bound is most often the same
	}
	if err := its.follow(fc); err != nil {
		return nil
	}
	f := foreign{plan: its.timeline}
	f.learned.Node, f.learned.Image = l.learned(fc)
	return []foreign{f}
}

// foreign is what another WarmPool's Forecast of a target asks for.
type foreign struct {
	plan    gpuwarm.Timeline
	learned gpuwarm.Stages
}
