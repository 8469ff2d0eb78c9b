package allocate

import (
	"cmp"

	"headstart.dev/headstart/api/v1alpha1"
)

// defaultMaxNodes is spec.images.maxNodes of a WarmPool that was read without the API's default.
const defaultMaxNodes = 500

// boundPulls bounds the number of nodes that the pool pulls on, in total and at the same time.
// Other tenants use these nodes too: images fill their disks, and pulls load their network.
func (l *ledger) boundPulls() {
	pools := l.s.countPools(func(p *v1alpha1.WarmPool) bool { return p.Spec.Images.Policy != v1alpha1.WarmImagesOff })
	left := min(cmp.Or(int(l.s.Pool.Spec.Images.MaxNodes), defaultMaxNodes), l.cap.ImageNodes/pools)
	var pulling []*Work
	for _, w := range l.works {
		if !w.Holds() || len(w.Pull.Nodes) == 0 {
			continue
		}
		if left = l.boundNodes(w, left); l.isMissing(w) {
			pulling = append(pulling, w)
		}
	}
	atATime := min(l.cap.Pulls/pools, l.cap.Pulls-l.s.pullsOfOtherPools())
	for i, w := range pulling {
		if i < atATime { // the others wait until one of these is done
			w.Pull.Parallel = min(max(1, int(l.s.Pool.Spec.Images.Parallelism)), max(1, atATime/len(pulling)))
		}
	}
}

// pullsOfOtherPools counts the pods that pull for other WarmPools of the namespace. There may be
// more of them than these WarmPools may have now.
func (s *Snapshot) pullsOfOtherPools() int {
	n := 0
	for i := range s.Pods {
		if p := &s.Pods[i]; IsAlive(p) && s.isAnyPull(p) && !s.isOwnPull(p) {
			n++
		}
	}
	return n
}

// boundNodes keeps at most so many nodes without a replica, and leaves the others out. It returns
// how many more nodes the next Forecasts may have. A node with a replica of the target does not
// count, since it has the image in any case.
func (l *ledger) boundNodes(w *Work, most int) (left int) {
	replicas := map[string]bool{}
	for i := range l.s.Pods {
		if p := &l.s.Pods[i]; p.Spec.NodeName != "" && w.Target.IsReplica(p) {
			replicas[p.Spec.NodeName] = true
		}
	}
	all := w.Pull.Nodes
	w.Pull.Nodes = nil
	for _, n := range all {
		switch {
		case replicas[n.Name]:
		case most > 0:
			most--
		default:
			w.Pull.LeftOut++
			continue
		}
		w.Pull.Nodes = append(w.Pull.Nodes, n)
	}
	return most
}

// isMissing reports whether a node that is to have the image does not list it.
func (l *ledger) isMissing(w *Work) bool {
	for _, n := range w.Pull.Nodes {
		if !w.Target.Known.ListedOn(n) {
			return true
		}
	}
	return false
}
