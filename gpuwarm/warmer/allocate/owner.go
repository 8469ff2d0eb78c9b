package allocate

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

// A target is warmed for once, however many Forecasts and WarmPools are for it: by the largest of
// the plans at each instant, as an HPA with several metrics scales by the largest of them.

// PoolShare is a Forecast of a target that several WarmPools are for, with the WarmPool that warms
// for it.
type PoolShare struct {
	Forecast *v1alpha1.Forecast
	Pool     *v1alpha1.WarmPool
}

// demand is what the Forecasts of one target need together.
type demand struct {
	plans   []gpuwarm.Timeline
	learned gpuwarm.Stages // the longest leads
}

func (d *demand) add(plan gpuwarm.Timeline, learned gpuwarm.Stages) {
	d.plans = append(d.plans, plan)
	d.learned.Node = max(d.learned.Node, learned.Node)
	d.learned.Image = max(d.learned.Image, learned.Image)
}

// byTarget groups the works that are warmed for.
func byTarget(works []*Work) map[TargetKey][]*Work {
	out := map[TargetKey][]*Work{}
	for _, w := range works {
		if w.Target != nil {
			out[KeyOf(w.Forecast)] = append(out[KeyOf(w.Forecast)], w)
		}
	}
	return out
}

// assignHolders decides which Forecast of each target holds for all of them, and how much they
// need. The first by name does: placeholders have the label of their Forecast, and would be made
// again each time that another plan is ahead. Another WarmPool may hold for the target instead.
func assignHolders(s *Snapshot, works []*Work) {
	for key, group := range byTarget(works) {
		need := &demand{}
		shares := s.sharesOf(key)
		holder := holderPool(shares, s.Pool.UID)
		if holder != nil {
			for _, share := range shares {
				if share.Pool.UID != s.Pool.UID {
					s.addShare(need, share, group[0].Target)
				}
			}
		}
		for i, w := range group {
			switch {
			case holder != nil && holder.Pool.UID != s.Pool.UID:
				w.HolderPool = holder
			case i > 0:
				w.Holder = group[0]
			}
			need.add(w.Target.Timeline, w.Learned)
		}
		for _, w := range group {
			w.size(s, gpuwarm.Largest(need.plans...), need.learned)
		}
	}
	holders := map[TargetKey]*Work{}
	for _, w := range works {
		if w.Holds() {
			holders[KeyOf(w.Forecast)] = w
		}
	}
	for _, w := range works {
		if h := holders[KeyOf(w.Forecast)]; h != w {
			w.Successor = h
		}
	}
}

// sharesOf returns the Forecasts of a target that are warmed for, each with its WarmPool. WarmPools
// in mode DryRun have no share.
func (s *Snapshot) sharesOf(key TargetKey) []PoolShare {
	if !s.Acts() || len(s.Pools) < 2 {
		return nil
	}
	var out []PoolShare
	for i := range s.Forecasts {
		fc := &s.Forecasts[i]
		if KeyOf(fc) != key || Ineligible(fc) != "" || new(Target).follow(fc) != nil {
			continue
		}
		if p := firstPool(s.Pools, fc); p != nil && acts(p) {
			out = append(out, PoolShare{fc, p})
		}
	}
	slices.SortFunc(out, func(a, b PoolShare) int { return compareNames(a.Forecast, b.Forecast) })
	return out
}

// holderPool returns the share of the WarmPool that holds for all: the first of those that warm all
// the stages that any of them does, and that have begun to, or begin now. It is nil where there is
// none, or where one WarmPool has all shares. Every WarmPool gets the same result.
func holderPool(shares []PoolShare, own types.UID) *PoolShare {
	var first *PoolShare
	shared := false
	for i := range shares {
		share, all := &shares[i], true
		for _, other := range shares {
			all = all && covers(share.Pool, other.Pool)
			shared = shared || share.Pool.UID != other.Pool.UID
		}
		if all && (share.Pool.UID == own || share.hasBegun()) &&
			(first == nil || comparePools(share.Pool, first.Pool) < 0) {
			first = share
		}
	}
	if !shared {
		return nil
	}
	return first
}

// covers reports whether a WarmPool warms all the stages that another one does.
func covers(a, b *v1alpha1.WarmPool) bool {
	return (a.Spec.Nodes.Policy != v1alpha1.WarmNodesOff || b.Spec.Nodes.Policy == v1alpha1.WarmNodesOff) &&
		(a.Spec.Images.Policy != v1alpha1.WarmImagesOff || b.Spec.Images.Policy == v1alpha1.WarmImagesOff)
}

// mostReported is how many Forecasts the status of a WarmPool names.
const mostReported = 64

// hasBegun reports whether the WarmPool warms for the Forecast, by its last status. Until then what
// others hold stays.
func (p *PoolShare) hasBegun() bool {
	for _, kind := range []string{v1alpha1.ConditionNodesWarm, v1alpha1.ConditionImagesWarm} {
		c := meta.FindStatusCondition(p.Pool.Status.Conditions, kind)
		if c != nil && c.Reason == ReasonDryRun {
			return false // it was in mode DryRun
		}
	}
	list := p.Pool.Status.Forecasts
	find := func(name string) *v1alpha1.WarmForecast {
		i := slices.IndexFunc(list, func(f v1alpha1.WarmForecast) bool { return f.Name == name })
		if i < 0 {
			return nil
		}
		return &list[i]
	}
	f := find(p.Forecast.Name)
	if f != nil && f.WarmedBy != "" {
		f = find(f.WarmedBy)
	}
	if f == nil {
		return len(list) == mostReported
	}
	return f.NodesBy != "" || f.ImagesBy != ""
}

// ReasonDryRun is the reason of the conditions of a WarmPool in mode DryRun.
const ReasonDryRun = "DryRun"

// addShare adds what another WarmPool's Forecast of a target needs; nothing where its plan cannot
// be read.
func (s *Snapshot) addShare(need *demand, share PoolShare, t *Target) {
	its := *t
	if name := share.Forecast.Status.CapacityPerReplica.Name; name != t.HPA {
		if bound, ok := s.HPAs[name]; ok && bound.Err == nil {
			its.MaxReplicas = bound.MaxReplicas
		} else if name == "" {
			its.MaxReplicas = 0
		} // where its bound cannot be read, it is most often the same
	}
	if err := its.follow(share.Forecast); err != nil {
		return
	}
	need.add(its.Timeline, learnedLeads(share.Forecast, v1alpha1.WarmForecast{}))
}
