package allocate

import (
	"cmp"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"headstart.dev/headstart/gpuwarm"
)

// Applied is what came of the work for one Forecast, as far as [Measure] needs it.
type Applied struct {
	// ByAutoscaler reports whether the cluster's autoscaler holds the nodes.
	ByAutoscaler bool
	// Placeholders is how many there are.
	Placeholders int
	// HasImage reports whether a node has the target's image; nil where that does not matter.
	HasImage func(*corev1.Node) bool
}

// Held is how many replicas nodes are held for.
type Held struct {
	ByAutoscaler bool
	// Nodes counts those with the image and those without. Warm counts those with it. Without the
	// image a replica would wait as on a node that comes up.
	Nodes, Warm int
}

// Measure counts for how many replicas nodes are held, by the key of the Forecast. What the
// cluster's autoscaler says of itself does not count, but room on nodes that are Ready: each free
// place once, and first for the replicas that wait for a node.
func Measure(s *Snapshot, works []*Work, applied map[string]Applied) map[string]Held {
	c := newClaims(s)
	claimed := map[TargetKey]bool{}
	for _, w := range works {
		if t := w.SeenTarget(); t != nil && !claimed[KeyOf(w.Forecast)] {
			claimed[KeyOf(w.Forecast)] = true
			c.take(KeyOf(w.Forecast), t, t.Waiting, t.Known.ListedOn)
		}
	}
	out := map[string]Held{}
	for _, w := range works {
		switch {
		case w.Err != nil:
			out[w.Key] = c.keptFor(w)
		case w.Holds():
			out[w.Key] = c.heldFor(w, applied[w.Key])
		}
	}
	return out
}

// heldFor counts what is held for a Forecast.
func (c *claims) heldFor(w *Work, a Applied) Held {
	hasImage := func(n *corev1.Node) bool { return a.HasImage == nil || (n != nil && a.HasImage(n)) }
	var places []string
	h := Held{ByAutoscaler: a.ByAutoscaler}
	if a.ByAutoscaler {
		places = c.take(KeyOf(w.Forecast), w.Target, w.Hold.Replicas, hasImage)
		h.Nodes = len(places)
	} else {
		for i := range w.Hold.Placeholders {
			p := &w.Hold.Placeholders[i]
			n := c.nodes.Get(p.Spec.NodeName)
			if c.nodes.Rank(p, w.Target.ShapeKey) == Holding && (n == nil || w.Target.Shape.Admits(n)) {
				places = append(places, p.Spec.NodeName)
			}
		}
		h.Nodes = min(len(places), a.Placeholders)
	}
	for _, name := range places {
		if hasImage(c.nodes.Get(name)) {
			h.Warm++
		}
	}
	h.Warm = min(h.Warm, h.Nodes)
	return h
}

// keptFor counts what stays held for a Forecast whose target cannot be read. Whether its nodes have
// the image is not counted again.
func (c *claims) keptFor(w *Work) Held {
	h := Held{}
	for i := range w.Hold.Placeholders {
		if p := &w.Hold.Placeholders[i]; IsAlive(p) && p.Spec.NodeName != "" {
			h.Nodes++
		}
	}
	if n, asked := c.s.askedFor(w); asked && w.Last != nil && c.s.Acts() {
		h.ByAutoscaler = true
		h.Nodes = len(c.take(KeyOf(w.Forecast), w.Last, n, w.Last.Known.ListedOn))
	}
	return h
}

// claims are the places on nodes that are taken.
type claims struct {
	s     *Snapshot
	nodes Nodes
	spare map[string]corev1.ResourceList // what nodes have free beside pods and claims
	ports map[TargetKey]map[string]bool  // nodes whose ports of the host are taken
}

func newClaims(s *Snapshot) *claims {
	free := gpuwarm.FreeResources(s.Nodes, s.Pods, s.yields)
	return &claims{s: s, nodes: NodesOf(s.Nodes), spare: maps.Clone(free), ports: map[TargetKey]map[string]bool{}}
}

// take claims room for up to so many replicas on the nodes that there are, those with the image
// first, and returns the node of each. A claimed place counts for nobody else.
func (c *claims) take(key TargetKey, t *Target, replicas int, hasImage func(*corev1.Node) bool) []string {
	if replicas <= 0 {
		return nil
	}
	if c.ports[key] == nil {
		c.ports[key] = t.portNodes(c.s.Pods)
	}
	ports := c.ports[key]
	var places []string
	for _, place := range c.open(t, ports, hasImage) {
		n := min(place.room, replicas-len(places))
		if n <= 0 {
			break
		}
		left := c.spare[place.node.Name].DeepCopy()
		for name, q := range t.Shape.Requests {
			if have, ok := left[name]; ok {
				q = q.DeepCopy()
				q.Mul(int64(n))
				have.Sub(q)
				left[name] = have
			}
		}
		c.spare[place.node.Name] = left
		if ports != nil {
			ports[place.node.Name] = true
		}
		places = append(places, slices.Repeat([]string{place.node.Name}, n)...)
	}
	return places
}

// place is a node with room for replicas.
type place struct {
	node     *corev1.Node
	room     int
	hasImage bool
}

// open returns the nodes with room for a target: those with the image, then those with the most
// room, first.
func (c *claims) open(t *Target, ports map[string]bool, hasImage func(*corev1.Node) bool) []place {
	var out []place
	for _, n := range c.nodes {
		if !t.Shape.Admits(n) || ports[n.Name] {
			continue
		}
		if room := t.room(c.spare[n.Name]); room > 0 {
			out = append(out, place{n, room, hasImage(n)})
		}
	}
	slices.SortFunc(out, func(a, b place) int {
		if a.hasImage != b.hasImage {
			if a.hasImage {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.room, a.room), cmp.Compare(a.node.Name, b.node.Name))
	})
	return out
}
