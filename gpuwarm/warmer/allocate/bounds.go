package allocate

import (
	"math"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// Cap is the most that an administrator lets all WarmPools of one namespace hold and pull.
type Cap struct {
	// Placeholders bounds the replicas that nodes are held for, whatever holds them.
	Placeholders int
	// Accelerators bounds the accelerators of these replicas, all kinds together.
	Accelerators int
	// Pulls bounds the nodes that pull at a time, and ImageNodes those that get an image ahead of
	// replicas, once for each image.
	Pulls, ImageNodes int
}

// unlimited reports whether a WarmPool holds nodes without limits. The API server does not admit
// that; an earlier release did. Nothing is held for such a WarmPool.
func unlimited(p *v1alpha1.WarmPool) bool {
	return acts(p) && len(p.Spec.Limits) == 0 && p.Spec.Nodes.Policy != v1alpha1.WarmNodesOff
}

// Unlimited reports whether the pool has no limits, so that nothing is held.
func (s *Snapshot) Unlimited() bool { return unlimited(s.Pool) }

// bound is something that bounds what the pool holds.
type bound struct {
	limits map[string]resource.Quantity // less what others use of it
	by     string                       // for a message
}

// Why fewer replicas are held for than are needed, for messages.
const (
	byLimits = "spec.limits"
	byCap    = "the administrator's cap for a namespace (the flags --warm-max-placeholders and " +
		"--warm-max-accelerators of serve)"
	byQuota = "what the ResourceQuota of this namespace leaves, which replicas would need,"
	byShare = "this namespace's share of the ResourceQuota of the placeholders' namespace"
)

// boundsOf returns what bounds the pool, by whether placeholders hold.
func (s *Snapshot) boundsOf(most Cap, byPlaceholders bool) []bound {
	out := []bound{
		{s.Pool.Spec.Limits, byLimits},
		{map[string]resource.Quantity{"pods": count(most.Placeholders / s.holdingPools())}, byCap},
	}
	beside := corev1.ResourceList{} // what other WarmPools of the namespace hold by placeholders
	for i := range s.Pods {
		p := &s.Pods[i]
		if namespaceOf(p) == s.Pool.Namespace && s.isPlaceholder(p) && IsAlive(p) && !s.IsPlaceholder(p) {
			usePod(beside, p, 1)
		}
	}
	for i := range s.Quotas {
		if limits := headroom(&s.Quotas[i]); len(limits) > 0 {
			out = append(out, bound{less(limits, beside), byQuota})
		}
	}
	if !byPlaceholders {
		return out
	}
	for i := range s.SharedQuotas {
		if limits := s.shareOf(&s.SharedQuotas[i]); len(limits) > 0 {
			out = append(out, bound{less(limits, beside), byShare})
		}
	}
	return out
}

func count(n int) resource.Quantity { return *resource.NewQuantity(int64(n), resource.DecimalSI) }

// namespaceOf returns the namespace that a placeholder was made for.
func namespaceOf(p *corev1.Pod) string {
	of, _ := names.OwnerIn(p.Annotations)
	return of.Namespace
}

// holdingPools counts the WarmPools of the namespace that hold nodes, at least the pool itself. They
// share the cap evenly: who makes more WarmPools gets no more.
func (s *Snapshot) holdingPools() int {
	return s.poolsLike(func(p *v1alpha1.WarmPool) bool { return p.Spec.Nodes.Policy != v1alpha1.WarmNodesOff })
}

// poolsLike counts the WarmPools of the namespace that act and match, at least the pool itself.
func (s *Snapshot) poolsLike(matches func(*v1alpha1.WarmPool) bool) int {
	n := 0
	for i := range s.Pools {
		p := &s.Pools[i]
		if p.UID == s.Pool.UID || (acts(p) && p.DeletionTimestamp == nil && matches(p)) {
			n++
		}
	}
	return max(1, n)
}

// hardOf returns what a quota bounds, by resource as pods request it. Quotas with scopes are left
// out: whether they are about these pods cannot be said in general.
func hardOf(q *corev1.ResourceQuota, hard corev1.ResourceList) map[string]resource.Quantity {
	if len(q.Spec.Scopes) > 0 || q.Spec.ScopeSelector != nil {
		return nil
	}
	out := map[string]resource.Quantity{}
	for name, v := range hard {
		as := strings.TrimPrefix(strings.TrimPrefix(string(name), "requests."), "count/")
		if strings.HasPrefix(as, "limits.") {
			continue
		}
		if was, twice := out[as]; !twice || v.Cmp(was) < 0 {
			out[as] = v
		}
	}
	return out
}

// headroom returns what a quota of the pool's namespace leaves. Placeholders use none of it, but the
// replicas that they are for will. A place for a replica that may not come would be held for nothing.
func headroom(q *corev1.ResourceQuota) map[string]resource.Quantity {
	left := corev1.ResourceList{}
	for name, hard := range q.Status.Hard {
		v := hard.DeepCopy()
		v.Sub(q.Status.Used[name])
		left[name] = v
	}
	return hardOf(q, left)
}

// shareOf returns how much of a quota on all placeholders the pool's namespace may use: an equal part,
// or else half of what the other namespaces leave, whichever is more. This is the dynamic threshold
// of Choudhury and Hahne for shared buffers ("Dynamic queue length thresholds for shared-memory
// packet switches", 1998). One namespace alone gets half and not all, so others find room at once;
// the more they use, the less it may, down to its equal part.
func (s *Snapshot) shareOf(q *corev1.ResourceQuota) map[string]resource.Quantity {
	hard := q.Status.Hard
	if len(hard) == 0 {
		hard = q.Spec.Hard
	}
	out := hardOf(q, hard)
	others := corev1.ResourceList{}
	for i := range s.Pods {
		if p := &s.Pods[i]; s.isPlaceholder(p) && IsAlive(p) && namespaceOf(p) != s.Pool.Namespace {
			usePod(others, p, 1)
		}
	}
	for name, v := range out {
		all, used := v.AsApproximateFloat64(), others[corev1.ResourceName(name)]
		if s.Namespaces <= 1 && used.IsZero() {
			continue // nobody else can need any
		}
		share := max(all/float64(max(1, s.Namespaces)), (all-used.AsApproximateFloat64())/2)
		out[name] = *resource.NewMilliQuantity(int64(math.Floor(1000*share+1e-6)), v.Format)
	}
	return out
}

// less returns limits less what is used of them.
func less(limits map[string]resource.Quantity, used corev1.ResourceList) map[string]resource.Quantity {
	for name, v := range limits {
		v = v.DeepCopy()
		v.Sub(used[corev1.ResourceName(name)])
		limits[name] = v
	}
	return limits
}

// room returns for how many of want replicas nodes may be held beside what is used, and what bounds
// that; empty where nothing does.
func (l *ledger) room(w *Work, want int) (n int, by string) {
	if l.s.Unlimited() {
		return 0, byLimits
	}
	n = want
	for _, b := range l.s.boundsOf(l.cap, w.Hold.By == v1alpha1.WarmNodesPlaceholders) {
		if room := within(b.limits, l.used, w.Target.Shape, want); room < n {
			n, by = max(0, room), b.by
		}
	}
	if name, per := w.Target.Shape.ScarceResource(); name != corev1.ResourcePods && per > 0 {
		left := float64(l.cap.Accelerators/l.s.holdingPools()) - l.usedAccelerators()
		if room := max(0, int(math.Floor(left/per+1e-9))); room < n {
			n, by = room, byCap
		}
	}
	return n, by
}

// usedAccelerators returns how many accelerators of all kinds are used.
func (l *ledger) usedAccelerators() float64 {
	kinds := map[corev1.ResourceName]bool{}
	for i := range l.pods {
		name, _ := gpuwarm.ShapeOf(&l.pods[i].Spec).ScarceResource()
		kinds[name] = true
	}
	for _, w := range l.works {
		if t := w.SeenTarget(); t != nil {
			name, _ := t.Shape.ScarceResource()
			kinds[name] = true
		}
	}
	delete(kinds, corev1.ResourcePods)
	sum := 0.0
	for name := range kinds {
		q := l.used[name]
		sum += q.AsApproximateFloat64()
	}
	return sum
}
