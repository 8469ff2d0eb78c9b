package allocate

import (
	"fmt"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

// Shortage says that a plan needs more replicas than there can be.
type Shortage struct {
	Forecast string
	By       int
	From     time.Time
	// Since is From for a message.
	Since string
}

// remedies say what to do about what bounds the replicas.
var remedies = map[string]string{
	"nodes": "add nodes, or let spec.nodes bring them up",
	"pool":  "let the node pool grow further, or correct spec.nodes.capacity",
	"quota": "raise the namespace's ResourceQuota",
}

// Room is how much of a resource services can have together that share nodes.
type Room struct {
	Resource corev1.ResourceName
	Most     float64
	By       string
	Members  []RoomMember
}

// RoomMember is a Forecast, and how much of the resource a replica of it takes.
type RoomMember struct {
	Forecast string
	Units    float64
}

// shortages compares what plans need with what there can be, one by one and together. It returns
// also what there can be together, where that is known.
func shortages(s *Snapshot, works []*Work) (out []Shortage, rooms []Room) {
	free := gpuwarm.FreeResources(s.Nodes, s.Pods, s.givesWay)
	nodes := NodesOf(s.Nodes)
	for _, g := range groupsOf(works) {
		var together []Shortage
		if len(g.works) > 1 {
			if most, bound, ok := g.most(s, nodes, free); ok {
				rooms = append(rooms, g.room(most, bound))
				together = g.short(s, most, bound)
			}
		}
		out = append(out, together...)
		for _, w := range g.works {
			short, ok := w.short(s, nodes, free)
			if ok && together == nil {
				w.ShortMessage = short.message
				out = append(out, short.Shortage)
			}
		}
	}
	return out, rooms
}

// room returns how much the members can have together.
func (g *group) room(most float64, bound string) Room {
	r := Room{Resource: g.resource, Most: most, By: bound}
	for i, w := range g.works {
		r.Members = append(r.Members, RoomMember{w.Forecast.Name, g.members[i].Units})
	}
	return r
}

// short compares what the members of a group need together with what there can be of their
// resource; nil where that is enough.
func (g *group) short(s *Snapshot, most float64, bound string) []Shortage {
	short, ok := gpuwarm.FindShortage(g.members, s.Now, most)
	if !ok {
		return nil
	}
	per := 0.0
	for _, m := range g.members {
		per = max(per, m.Units)
	}
	by := int(math.Ceil(short.By / per))
	var out []Shortage
	for _, w := range g.works {
		w.ShortMessage = fmt.Sprintf("together with %d others that share its nodes the plan needs %g %s %s "+
			"and more than %g %s, but the %s can give %g: %s",
			len(g.works)-1, short.Peak, g.resource, s.at(short.PeakAt), most, s.since(short.From), bound, most, remedies[bound])
		out = append(out, Shortage{w.Forecast.Name, by, short.From, s.since(short.From)})
		by = 0 // it counts once
	}
	return out
}

// most returns how much of a group's resource its members can have together, and what bounds that.
// ok is false where nothing that is known does.
func (g *group) most(
	s *Snapshot, nodes Nodes, free map[string]corev1.ResourceList,
) (most float64, bound string, ok bool) {
	used, unused := 0.0, 0.0
	for _, m := range g.members {
		used += float64(m.Replicas) * m.Units
	}
	for _, n := range nodes {
		if g.works[0].Target.Shape.Admits(n) {
			q := free[n.Name][g.resource]
			unused += max(0, q.AsApproximateFloat64())
		}
	}
	for i, w := range g.works {
		unused -= float64(w.Target.Waiting) * g.members[i].Units
	}
	there := used + max(0, unused)
	capacity, given := s.Pool.Spec.Nodes.Capacity[string(g.resource)]
	switch {
	case s.Pool.Spec.Nodes.Policy == v1alpha1.WarmNodesOff:
		most, bound = there, "nodes"
	case given:
		most, bound = max(capacity.AsApproximateFloat64(), there), "pool"
	}
	for i := range s.Quotas {
		q := &s.Quotas[i]
		if !quotaCovers(q, &g.works[0].Target.Template.Spec) {
			continue
		}
		for _, name := range []corev1.ResourceName{g.resource, "requests." + g.resource} {
			hard, has := q.Status.Hard[name]
			left := hard.DeepCopy()
			left.Sub(q.Status.Used[name])
			if room := used + max(0, left.AsApproximateFloat64()); has && (bound == "" || room < most) {
				most, bound = room, "quota"
			}
		}
	}
	return most, bound, bound != ""
}

// aloneShort is a shortage of one service, and the message about it.
type aloneShort struct {
	Shortage
	message string
}

// short compares what one plan needs with what its service could have if nobody else needed any. It
// sets Most.
func (w *Work) short(s *Snapshot, nodes Nodes, free map[string]corev1.ResourceList) (aloneShort, bool) {
	t := w.Target
	c := gpuwarm.Capacity{
		Fits:  t.fits(nodes, free, s.Pods),
		Grows: s.Pool.Spec.Nodes.Policy != v1alpha1.WarmNodesOff,
		Quota: quotaRoom(s.Quotas, t),
	}
	if capacity := s.Pool.Spec.Nodes.Capacity; len(capacity) > 0 {
		c.Pool = within(capacity, corev1.ResourceList{}, t.Shape, 1<<20)
	}
	most, bound, ok := c.MaxReplicas(t.Replicas)
	if !ok {
		return aloneShort{}, false
	}
	w.Most, w.MostBy = most, bound
	peak, at, planned := w.Plan.Max(s.Now, w.Plan.End())
	if !planned || peak <= most {
		return aloneShort{}, false
	}
	from, _ := w.Plan.FirstAbove(s.Now, most)
	message := fmt.Sprintf("the plan needs %d replicas %s and more than %d %s, but the %s can give %d: %s",
		peak, s.at(at), most, s.since(from), bound, most, remedies[bound])
	return aloneShort{Shortage{w.Forecast.Name, peak - most, from, s.since(from)}, message}, true
}

// fits returns how many more replicas the nodes that there are have room for, if nobody else needed
// any.
func (t *Target) fits(nodes Nodes, free map[string]corev1.ResourceList, pods []corev1.Pod) int {
	room, ports := 0, t.portNodes(pods)
	for _, n := range nodes {
		if t.Shape.Admits(n) && !ports[n.Name] {
			room += t.room(free[n.Name])
		}
	}
	return max(0, room-t.Waiting) // those that wait take their places
}

// at formats a time of the plan for a message. What is so now does not get the time of the look, or
// status would change at each.
func (s *Snapshot) at(t time.Time) string {
	if !t.After(s.Now) {
		return "now"
	}
	return "at " + t.UTC().Format(time.RFC3339)
}

// since is the same for what begins then.
func (s *Snapshot) since(t time.Time) string {
	if !t.After(s.Now) {
		return "already"
	}
	return "from " + t.UTC().Format(time.RFC3339) + " on"
}
