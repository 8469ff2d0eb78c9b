package warmer

import (
	"cmp"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// roomFor is how many more replicas the nodes that there are have room for if nobody else wanted any.
func (l *look) roomFor(t *target) int {
	room := 0
	for i := range l.nodes {
		if n := &l.nodes[i]; t.shape.Admits(n) {
			room += t.shape.Room(l.free[n.Name])
		}
	}
	return max(0, room-t.waiting) // what waits will take its place there
}

// claim has the replicas that wait for a node take their places before any are counted as held ahead.
func (l *look) claim(jobs []*job) {
	l.spare = maps.Clone(l.free)
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
	var open []candidate
	if replicas > 0 {
		for i := range l.nodes {
			if n := &l.nodes[i]; t.shape.Admits(n) {
				if room := t.shape.Room(l.spare[n.Name]); room > 0 {
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
		places = append(places, slices.Repeat([]string{c.node.Name}, n)...)
	}
	return places
}
