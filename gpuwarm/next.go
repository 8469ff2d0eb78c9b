package gpuwarm

import (
	corev1 "k8s.io/api/core/v1"
)

// Room is the free capacity of a cluster's nodes at one time. [NewRoom] goes through all pods, and
// [Room.Path] only through the nodes.
type Room struct {
	nodes []corev1.Node
	free  map[string]corev1.ResourceList
}

// NewRoom returns what the pods leave free on the nodes. Pods for which ignore is true take
// nothing, such as placeholders, which are preempted. ignore may be nil.
func NewRoom(nodes []corev1.Node, pods []corev1.Pod, ignore func(*corev1.Pod) bool) *Room {
	return &Room{nodes: nodes, free: FreeResources(nodes, pods, ignore)}
}

// Path is the path of the last of so many more pods of a shape: Warm when nodes with the image have
// room for all of them, ColdImage when the nodes have room, and ColdNode when a new node is needed.
func (r *Room) Path(s Shape, image string, more int) Path {
	warm, all := 0, 0
	wanted := ImageOf(image)
	for i := range r.nodes {
		n := &r.nodes[i]
		if !s.Admits(n) {
			continue
		}
		room := s.Room(r.free[n.Name])
		all += room
		if wanted.ListedOn(n) {
			warm += room
		}
		if warm >= more {
			return PathWarm
		}
	}
	if all >= more {
		return PathColdImage
	}
	return PathColdNode
}
