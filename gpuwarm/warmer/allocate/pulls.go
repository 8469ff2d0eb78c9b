package allocate

import (
	"cmp"

	"headstart.dev/headstart/api/v1alpha1"
)

// defaultMaxNodes is spec.images.maxNodes of a WarmPool that was read without the API's default.
const defaultMaxNodes = 500

// boundPulls bounds onto how many nodes the pool pulls in all, and at a time. Images fill the disks
// of nodes that other tenants use, and pulls their network.
func (l *ledger) boundPulls() {
	pools := l.s.poolsLike(func(p *v1alpha1.WarmPool) bool { return p.Spec.Images.Policy != v1alpha1.WarmImagesOff })
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
	atATime := min(l.cap.Pulls/pools, l.cap.Pulls-l.s.pullsBeside())
	for i, w := range pulling {
		if i < atATime { // the others wait until one of these is done
			w.Pull.Parallel = min(max(1, int(l.s.Pool.Spec.Images.Parallelism)), max(1, atATime/len(pulling)))
		}
	}
}

// pullsBeside returns how many pods pull for other WarmPools of the namespace. They may be more
// than the part of these.
func (s *Snapshot) pullsBeside() int {
	n := 0
	for i := range s.Pods {
		if p := &s.Pods[i]; IsAlive(p) && s.isAnyPull(p) && !s.isPull(p) {
			n++
		}
	}
	return n
}

// boundNodes leaves out nodes beyond so many, and returns how many are left for others. A node with
// a replica of the target does not count: it has the image for that.
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

// isMissing reports whether any node is to get the image that does not list it.
func (l *ledger) isMissing(w *Work) bool {
	for _, n := range w.Pull.Nodes {
		if !w.Target.Known.ListedOn(n) {
			return true
		}
	}
	return false
}
