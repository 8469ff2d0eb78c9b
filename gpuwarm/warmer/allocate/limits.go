package allocate

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// ledger accounts for what is held: which Forecast has which pod, and how much of the limits is
// used.
type ledger struct {
	s      *Snapshot
	works  []*Work
	nodes  Nodes
	pods   []corev1.Pod         // of the pool, by name
	taken  map[types.UID]string // pods that a Forecast took over from another one, by the key of the former
	used   corev1.ResourceList
	bounds *bounds
	cap    Cap
}

func newLedger(s *Snapshot, works []*Work, most Cap) *ledger {
	l := &ledger{
		s: s, works: works, nodes: NodesOf(s.Nodes), taken: map[types.UID]string{}, used: corev1.ResourceList{},
		bounds: s.newBounds(most), cap: most,
	}
	for i := range s.Pods {
		if p := &s.Pods[i]; s.IsOwnPlaceholder(p) || s.isOwnPull(p) {
			l.pods = append(l.pods, *p)
		}
	}
	sortPods(l.pods)
	return l
}

// ownerOf returns the key of the Forecast that a pod is for: the one that took it over, or the one
// it was made for.
func (l *ledger) ownerOf(p *corev1.Pod) string {
	if key, ok := l.taken[p.UID]; ok {
		return key
	}
	return madeFor(p)
}

// podsOf returns the pods of a role that a Forecast has, by name.
func (l *ledger) podsOf(key, role string) []corev1.Pod {
	var out []corev1.Pod
	for _, p := range l.pods {
		if p.Labels[names.LabelRole] == role && l.ownerOf(&p) == key {
			out = append(out, p)
		}
	}
	return out
}

// kept returns for how many replicas nodes stay held for a Forecast whose target cannot be read.
func (l *ledger) kept(w *Work) int {
	if !l.s.Acts() {
		return int(w.Before.Hold)
	}
	if n, ok := l.s.askedFor(w); ok {
		return n
	}
	return Alive(l.podsOf(w.Key, names.RolePlaceholder))
}

// within returns how many of want replicas the limits leave room for beside what is used.
func within(limits map[string]resource.Quantity, used corev1.ResourceList, s gpuwarm.Shape, want int) int {
	free := corev1.ResourceList{}
	bounded := gpuwarm.Shape{Requests: corev1.ResourceList{}}
	for name, limit := range limits {
		left := limit.DeepCopy()
		left.Sub(used[corev1.ResourceName(name)])
		free[corev1.ResourceName(name)] = left
		if q, ok := s.Requests[corev1.ResourceName(name)]; ok {
			bounded.Requests[corev1.ResourceName(name)] = q
		}
	}
	if len(bounded.Requests) == 0 {
		return want
	}
	return min(want, bounded.Room(free))
}

// use adds n times the requests to what is used. n may be negative.
func use(used, requests corev1.ResourceList, n int) {
	for name, q := range requests {
		taken := q.DeepCopy()
		taken.Mul(int64(n))
		taken.Add(used[name])
		used[name] = taken
	}
}

// usePod adds n times what a placeholder takes, with what admission added to it.
func usePod(used corev1.ResourceList, p *corev1.Pod, n int) {
	use(used, corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")}, n)
	for _, c := range p.Spec.Containers {
		use(used, c.Resources.Requests, n)
	}
	use(used, p.Spec.Overhead, n)
}

// countUnwanted counts towards the limits what is held and not wanted now: for Forecasts whose
// targets cannot be read, for which it stays, and what is not deleted yet.
func (l *ledger) countUnwanted() {
	wanted := map[string]bool{}
	for _, w := range l.works {
		wanted[w.Key] = w.Holds()
	}
	for i := range l.pods {
		p := &l.pods[i]
		if p.Labels[names.LabelRole] == names.RolePlaceholder && !wanted[madeFor(p)] && IsAlive(p) {
			usePod(l.used, p, 1)
		}
	}
	for _, w := range l.works {
		if n, counts := l.unread(w); counts {
			use(l.used, w.Last.Shape.Requests, n)
		}
	}
	if l.s.Acts() {
		l.countUnwantedRequests(wanted)
	}
}

// countUnwantedRequests counts what the cluster's autoscaler is asked to hold and is not wanted
// now, unless another Forecast begins to hold it.
func (l *ledger) countUnwantedRequests(wanted map[string]bool) {
	known := map[string]*Work{}
	for _, w := range l.works {
		known[w.Key] = w
	}
	for key, r := range l.s.Requests {
		w := known[key]
		if wanted[key] || (w != nil && w.Err != nil) || r.Template == nil || l.isHandedOver(w) {
			continue
		}
		shape := gpuwarm.ShapeOf(&r.Template.Spec)
		if w != nil && w.Last != nil {
			shape = w.Last.Shape
		}
		use(l.used, shape.Requests, r.Replicas)
	}
}

// unread returns for how many replicas the cluster's autoscaler holds nodes for a Forecast whose
// target cannot be read, or would in mode DryRun. counts is false where that is not known, or
// placeholders hold them.
func (l *ledger) unread(w *Work) (n int, counts bool) {
	switch {
	case w.Err == nil || w.Last == nil:
		return 0, false
	case !l.s.Acts():
		return int(w.Before.Hold), true
	}
	return l.s.askedFor(w)
}

// askedFor returns for how many replicas the cluster's autoscaler is asked to hold nodes for a
// Forecast: as it is asked now, or by status where that cannot be read. ok is false where it is not
// asked.
func (s *Snapshot) askedFor(w *Work) (n int, ok bool) {
	if r, asked := s.Requests[w.Key]; asked {
		return r.Replicas, true
	}
	return int(w.Before.Hold), w.heldByAutoscaler() && s.RequestsErr != nil
}

// isHandedOver reports whether another Forecast begins to hold what the cluster's autoscaler holds
// for one that is not warmed for any more. w is nil for one that is not selected: which target it
// had is not known.
func (l *ledger) isHandedOver(w *Work) bool {
	if w != nil {
		return w.Successor != nil && l.begins(w.Successor)
	}
	for _, w := range l.works {
		if w.Holds() && l.begins(w) {
			return true
		}
	}
	return false
}

// begins reports whether nothing is held for a Forecast yet.
func (l *ledger) begins(w *Work) bool {
	_, asked := l.s.Requests[w.Key]
	return !asked && Alive(l.podsOf(w.Key, names.RolePlaceholder)) == 0
}
