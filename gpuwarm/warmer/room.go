package warmer

import (
	"cmp"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"headstart.dev/headstart/api/v1alpha1"
)

// room is how many replicas fit into what is free on a node. Of those that have ports of the host one does.
func (t *target) room(free corev1.ResourceList) int {
	room := t.shape.Room(free)
	if hostPorts(&t.template.Spec) {
		room = min(room, 1)
	}
	return room
}

// portsOf are the nodes on which replicas have the ports of the host that a target wants; nil where it wants none.
func (l *look) portsOf(t *target) map[string]bool {
	if !hostPorts(&t.template.Spec) {
		return nil
	}
	out := map[string]bool{}
	for i := range l.pods {
		if p := &l.pods[i]; p.Spec.NodeName != "" && t.replica(p) {
			out[p.Spec.NodeName] = true
		}
	}
	return out
}

// roomFor is how many more replicas the nodes that there are have room for if nobody else wanted any.
func (l *look) roomFor(t *target) int {
	room, ports := 0, l.portsOf(t)
	for i := range l.nodes {
		if n := &l.nodes[i]; t.shape.Admits(n) && !ports[n.Name] {
			room += t.room(l.free[n.Name])
		}
	}
	return max(0, room-t.waiting) // what waits will take its place there
}

// claim has the replicas that wait for a node take their places before any are counted as held ahead.
func (l *look) claim(jobs []*job) {
	l.spare, l.ports = maps.Clone(l.free), map[v1alpha1.TargetReference]map[string]bool{}
	claimed := map[targetKey]bool{}
	for _, j := range jobs {
		if t := j.seen(); t != nil && !claimed[keyOf(j)] {
			claimed[keyOf(j)] = true
			l.take(t, t.waiting, t.known.On)
		}
	}
}

// take claims room for up to so many replicas on the nodes that there are, warm ones first, and returns the node of each. What is claimed counts for nobody else: two
// Forecasts cannot have the same free node.
func (l *look) take(t *target, replicas int, warm func(*corev1.Node) bool) []string {
	type candidate struct {
		node *corev1.Node
		room int
		warm bool
	}
	if l.ports[t.of] == nil {
		l.ports[t.of] = l.portsOf(t)
	}
	ports := l.ports[t.of]
	var open []candidate
	if replicas > 0 {
		for i := range l.nodes {
			if n := &l.nodes[i]; t.shape.Admits(n) && !ports[n.Name] {
				if room := t.room(l.spare[n.Name]); room > 0 {
					open = append(open, candidate{n, room, warm(n)})
				}
			}
		}
	}
	slices.SortFunc(open, func(a, b candidate) int {
		if a.warm != b.warm {
			if a.warm {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.room, a.room), cmp.Compare(a.node.Name, b.node.Name))
	})
	var places []string
	for _, c := range open {
		n := min(c.room, replicas-len(places))
		if n <= 0 {
			break
		}
		left := l.spare[c.node.Name].DeepCopy()
		for name, q := range t.shape.Requests {
			if have, ok := left[name]; ok {
				q = q.DeepCopy()
				q.Mul(int64(n))
				have.Sub(q)
				left[name] = have
			}
		}
		l.spare[c.node.Name] = left
		if ports != nil {
			ports[c.node.Name] = true
		}
		places = append(places, slices.Repeat([]string{c.node.Name}, n)...)
	}
	return places
}
