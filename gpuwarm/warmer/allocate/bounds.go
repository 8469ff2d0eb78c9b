package allocate

import (
	"math"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// Cap is the administrator's bound on what all WarmPools of one namespace hold and pull together.
type Cap struct {
	// Placeholders bounds the replicas that nodes are held for, by placeholders or by the cluster's
	// autoscaler.
	Placeholders int
	// Accelerators bounds each extended resource of these replicas, such as GPUs.
	Accelerators int
	// Pulls bounds the nodes that pull at the same time.
	Pulls int
	// ImageNodes bounds the nodes that get an image before a replica is there. A node counts once for
	// each image.
	ImageNodes int
}

// unlimited reports whether a WarmPool is to hold nodes but has no limits. The API server refuses
// such a WarmPool now. One from an earlier release may exist; nothing is held for it.
func unlimited(p *v1alpha1.WarmPool) bool {
	return acts(p) && len(p.Spec.Limits) == 0 && p.Spec.Nodes.Policy != v1alpha1.WarmNodesOff
}

// Unlimited reports whether the pool lacks the limits that it must have. Then nothing is held.
func (s *Snapshot) Unlimited() bool { return unlimited(s.Pool) }

// What bounds the replicas that nodes are held for, as messages name it.
const (
	byLimits = "spec.limits"
	byCap    = "the administrator's cap for a namespace (the flags --warm-max-placeholders and " +
		"--warm-max-accelerators of serve)"
	byQuota = "what the ResourceQuota of this namespace leaves, which replicas would need,"
	byShare = "this namespace's share of the ResourceQuota of the placeholders' namespace"
)

// bounds has the bounds of one pool. What others use is already subtracted. All Forecasts of the
// pool share them.
type bounds struct {
	limits map[string]resource.Quantity // spec.limits
	// replicas and extended are the pool's part of the administrator's cap: of replicas, and of an
	// extended resource.
	replicas int
	extended func(corev1.ResourceName) int
	// quotas are those of the pool's namespace. quotaHeadroom[i] is the unused part of quotas[i].
	quotas        []corev1.ResourceQuota
	quotaHeadroom []map[string]resource.Quantity
	// shares are the namespace's parts of the quotas of the placeholders' namespace.
	shares []map[string]resource.Quantity
}

// newBounds returns the bounds of the pool. Each WarmPool of the namespace gets an even part of the
// administrator's cap. If the other WarmPools hold more than their parts, this one gets less. They
// may be unable to release it, or were not reconciled since.
func (s *Snapshot) newBounds(most Cap) *bounds {
	beside, pools := s.heldByOtherPools(), s.countHoldingPools()
	left := func(most int, name corev1.ResourceName) int {
		used := beside[name]
		return max(0, min(most/pools, most-int(min(used.Value(), int64(most)))))
	}
	out := &bounds{
		limits: s.Pool.Spec.Limits, replicas: left(most.Placeholders, corev1.ResourcePods),
		extended: func(name corev1.ResourceName) int { return left(most.Accelerators, name) }, quotas: s.Quotas,
	}
	for i := range s.Quotas {
		out.quotaHeadroom = append(out.quotaHeadroom, subtract(headroom(&s.Quotas[i]), beside))
	}
	others := s.heldByOtherNamespaces()
	for i := range s.SharedQuotas {
		if q := &s.SharedQuotas[i]; len(q.Spec.Scopes) == 0 && q.Spec.ScopeSelector == nil {
			out.shares = append(out.shares, subtract(s.shareOf(q, others), beside))
		}
	}
	return out
}

// room returns for how many replicas of a target nodes may be held, at most want, in addition to
// what is used. by names the bound if that is less than want; else it is empty.
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
	for i := range b.quotaHeadroom {
		if quotaCovers(&b.quotas[i], &t.Template.Spec) {
			bound(b.quotaHeadroom[i], byQuota)
		}
	}
	if byPlaceholders {
		for _, share := range b.shares {
			bound(share, byShare)
		}
	}
	return n, by
}

// heldByOtherPools returns what the other WarmPools of the namespace hold. For what the cluster's
// autoscaler holds, their status tells only the number of replicas.
func (s *Snapshot) heldByOtherPools() corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := range s.Pods {
		p := &s.Pods[i]
		if s.isAnyPlaceholder(p) && IsAlive(p) && ownerNamespace(p) == s.Pool.Namespace && !s.IsOwnPlaceholder(p) {
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

// heldByOtherNamespaces returns what placeholders of other namespaces hold.
func (s *Snapshot) heldByOtherNamespaces() corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := range s.Pods {
		if p := &s.Pods[i]; s.isAnyPlaceholder(p) && IsAlive(p) && ownerNamespace(p) != s.Pool.Namespace {
			usePod(out, p, 1)
		}
	}
	return out
}

func count(n int) resource.Quantity { return *resource.NewQuantity(int64(n), resource.DecimalSI) }

// ownerNamespace returns the namespace that a placeholder was made for.
func ownerNamespace(p *corev1.Pod) string {
	of, _ := names.OwnerIn(p.Annotations)
	return of.Namespace
}

// countHoldingPools counts the WarmPools of the namespace that hold nodes, at least the pool
// itself. They share the cap evenly, so a tenant with more WarmPools gets no more.
func (s *Snapshot) countHoldingPools() int {
	return s.countPools(func(p *v1alpha1.WarmPool) bool { return p.Spec.Nodes.Policy != v1alpha1.WarmNodesOff })
}

// countPools counts the WarmPools of the namespace that match and are not in mode DryRun. The pool
// itself always counts.
func (s *Snapshot) countPools(matches func(*v1alpha1.WarmPool) bool) int {
	n := 0
	for i := range s.Pools {
		p := &s.Pools[i]
		if p.UID == s.Pool.UID || (acts(p) && p.DeletionTimestamp == nil && matches(p)) {
			n++
		}
	}
	return max(1, n)
}

// byPodResource returns the bounds of a quota by the names that pods use for resources. For
// example, requests.cpu becomes cpu. If two names of a quota become one, the smaller bound counts.
func byPodResource(hard corev1.ResourceList) map[string]resource.Quantity {
	out := map[string]resource.Quantity{}
	for name, v := range hard {
		podName := strings.TrimPrefix(strings.TrimPrefix(string(name), "requests."), "count/")
		if strings.HasPrefix(podName, "limits.") {
			continue
		}
		if other, found := out[podName]; !found || v.Cmp(other) < 0 {
			out[podName] = v
		}
	}
	return out
}

// headroom returns the unused part of a quota of the pool's namespace. Placeholders do not use this
// quota, but the replicas will. If the quota does not admit a replica, it is useless to hold a
// place for it.
func headroom(q *corev1.ResourceQuota) map[string]resource.Quantity {
	left := corev1.ResourceList{}
	for name, hard := range q.Status.Hard {
		v := hard.DeepCopy()
		v.Sub(q.Status.Used[name])
		left[name] = v
	}
	return byPodResource(left)
}

// shareOf returns how much of a quota on all placeholders the pool's namespace may use. It is an
// equal part, or half of what the other namespaces do not use, whichever is more. This is the
// dynamic threshold of Choudhury and Hahne for shared buffers ("Dynamic queue length thresholds for
// shared-memory packet switches", 1998).
//
// While the others use nothing, a namespace gets half and not all. So the others find room at once.
// The more they use, the less this namespace may use, down to its equal part.
func (s *Snapshot) shareOf(q *corev1.ResourceQuota, others corev1.ResourceList) map[string]resource.Quantity {
	hard := q.Status.Hard
	if len(hard) == 0 {
		hard = q.Spec.Hard
	}
	out := byPodResource(hard)
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

// subtract subtracts what is used from limits, and returns limits.
func subtract(limits map[string]resource.Quantity, used corev1.ResourceList) map[string]resource.Quantity {
	for name, v := range limits {
		v = v.DeepCopy()
		v.Sub(used[corev1.ResourceName(name)])
		limits[name] = v
	}
	return limits
}

// room returns for how many replicas nodes may be held for a Forecast, at most want. by names the
// bound if that is less than want; else it is empty.
func (l *ledger) room(w *Work, want int) (n int, by string) {
	if l.s.Unlimited() {
		return 0, byLimits
	}
	return l.bounds.room(w.Target, w.Hold.By == v1alpha1.WarmNodesPlaceholders, l.used, want)
}
