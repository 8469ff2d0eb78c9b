package allocate

import (
	"math"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// Cap is the most that an administrator lets all WarmPools of one namespace hold and pull.
type Cap struct {
	// Placeholders bounds the replicas that nodes are held for, whatever holds them.
	Placeholders int
	// Accelerators bounds each extended resource of these replicas, such as GPUs.
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

// Why fewer replicas are held for than are needed, for messages.
const (
	byLimits = "spec.limits"
	byCap    = "the administrator's cap for a namespace (the flags --warm-max-placeholders and " +
		"--warm-max-accelerators of serve)"
	byQuota = "what the ResourceQuota of this namespace leaves, which replicas would need,"
	byShare = "this namespace's share of the ResourceQuota of the placeholders' namespace"
)

// bounds are what bounds a pool, less what others use of it. They are the same for all its
// Forecasts.
type bounds struct {
	limits map[string]resource.Quantity
	// replicas and each extended resource are what the administrator's cap leaves.
	replicas int
	extended func(corev1.ResourceName) int
	// quotas are what those of the namespace leave, in the order of quotasOf. shares are its parts of
	// those of the placeholders' namespace.
	quotas   []map[string]resource.Quantity
	quotasOf []corev1.ResourceQuota
	shares   []map[string]resource.Quantity
}

// newBounds returns what bounds the pool. Of the administrator's cap that is an even part, and no
// more than the other WarmPools of the namespace leave: what they hold beyond their part counts
// too, for they may be unable to release it, or not have looked yet.
func (s *Snapshot) newBounds(most Cap) *bounds {
	beside, pools := s.heldBeside(), s.holdingPools()
	left := func(most int, name corev1.ResourceName) int {
		used := beside[name]
		return max(0, min(most/pools, most-int(min(used.Value(), int64(most)))))
	}
	out := &bounds{
		limits: s.Pool.Spec.Limits, replicas: left(most.Placeholders, corev1.ResourcePods),
		extended: func(name corev1.ResourceName) int { return left(most.Accelerators, name) }, quotasOf: s.Quotas,
	}
	for i := range s.Quotas {
		out.quotas = append(out.quotas, less(headroom(&s.Quotas[i]), beside))
	}
	others := s.heldByOthers()
	for i := range s.SharedQuotas {
		if q := &s.SharedQuotas[i]; len(q.Spec.Scopes) == 0 && q.Spec.ScopeSelector == nil {
			out.shares = append(out.shares, less(s.shareOf(q, others), beside))
		}
	}
	return out
}

// room returns for how many of want replicas of a target nodes may be held beside what is used, and
// what bounds that; empty where nothing does.
func (b *bounds) room(t *Target, byPlaceholders bool, used corev1.ResourceList, want int) (n int, by string) {
	n = want
	bound := func(limits map[string]resource.Quantity, what string) {
		if room := within(limits, used, t.Shape, want); room < n {
			n, by = max(0, room), what
		}
	}
	bound(b.limits, byLimits)
	most := map[string]resource.Quantity{"pods": count(b.replicas)}
	for _, name := range t.Shape.Extended() {
		most[string(name)] = count(b.extended(name))
	}
	bound(most, byCap)
	for i := range b.quotas {
		if quotaCovers(&b.quotasOf[i], &t.Template.Spec) {
			bound(b.quotas[i], byQuota)
		}
	}
	if byPlaceholders {
		for _, share := range b.shares {
			bound(share, byShare)
		}
	}
	return n, by
}

// heldBeside returns what the other WarmPools of the namespace hold. What the cluster's autoscaler
// holds for them is known by their status, and by replicas alone.
func (s *Snapshot) heldBeside() corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := range s.Pods {
		p := &s.Pods[i]
		if s.isPlaceholder(p) && IsAlive(p) && namespaceOf(p) == s.Pool.Namespace && !s.IsPlaceholder(p) {
			usePod(out, p, 1)
		}
	}
	for i := range s.Pools {
		p := &s.Pools[i]
		if p.UID == s.Pool.UID || !acts(p) {
			continue
		}
		for _, f := range p.Status.Forecasts {
			if ByAutoscaler(v1alpha1.WarmNodesPolicy(f.NodesBy)) {
				use(out, corev1.ResourceList{corev1.ResourcePods: count(1)}, max(0, int(f.Hold)))
			}
		}
	}
	return out
}

// heldByOthers returns what placeholders of other namespaces hold.
func (s *Snapshot) heldByOthers() corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := range s.Pods {
		if p := &s.Pods[i]; s.isPlaceholder(p) && IsAlive(p) && namespaceOf(p) != s.Pool.Namespace {
			usePod(out, p, 1)
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

// holdingPools counts the WarmPools of the namespace that hold nodes, at least the pool itself.
// They share the cap evenly: who makes more WarmPools gets no more.
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

// hardOf returns what a quota bounds, by resource as pods request it.
func hardOf(hard corev1.ResourceList) map[string]resource.Quantity {
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

// headroom returns what a quota of the pool's namespace leaves. Placeholders use none of it, but
// the replicas that they are for will. A place for a replica that may not come would be held for
// nothing.
func headroom(q *corev1.ResourceQuota) map[string]resource.Quantity {
	left := corev1.ResourceList{}
	for name, hard := range q.Status.Hard {
		v := hard.DeepCopy()
		v.Sub(q.Status.Used[name])
		left[name] = v
	}
	return hardOf(left)
}

// shareOf returns how much of a quota on all placeholders the pool's namespace may use: an equal
// part, or else half of what the other namespaces leave, whichever is more. This is the dynamic
// threshold of Choudhury and Hahne for shared buffers ("Dynamic queue length thresholds for
// shared-memory packet switches", 1998). One namespace alone gets half and not all, so others find
// room at once; the more they use, the less it may, down to its equal part.
func (s *Snapshot) shareOf(q *corev1.ResourceQuota, others corev1.ResourceList) map[string]resource.Quantity {
	hard := q.Status.Hard
	if len(hard) == 0 {
		hard = q.Spec.Hard
	}
	out := hardOf(hard)
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
	return l.bounds.room(w.Target, w.Hold.By == v1alpha1.WarmNodesPlaceholders, l.used, want)
}
