package gpuwarm

import (
	corev1 "k8s.io/api/core/v1"
)

// Room is what a cluster's nodes have beside its pods at one time, for [Room.Path]. Making one goes through all pods; asking it goes through the nodes.
type Room struct {
	nodes []corev1.Node
	free  map[string]corev1.ResourceList
}

// NewRoom takes the nodes and all pods. Pods that ignore says, such as placeholders that give way, take no room.
func NewRoom(nodes []corev1.Node, pods []corev1.Pod, ignore func(*corev1.Pod) bool) *Room {
	return &Room{nodes: nodes, free: Free(nodes, pods, ignore)}
}

// Path is the one that the last of so many more pods of a shape would take: Warm where nodes that list the image have room for all of them, ColdImage where
// nodes have, ColdNode where a node would have to come up.
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
		if wanted.On(n) {
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
