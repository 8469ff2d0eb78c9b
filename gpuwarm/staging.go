package gpuwarm

import "time"

// Stages are how long each stage of warming takes, and so how far ahead of the plan it begins.
type Stages struct {
	// Node is the time from the request for a node until it is Ready.
	Node time.Duration
	// Image is the time of the pull.
	Image time.Duration
	// Weights is the time to load the weights into a cache near the nodes; 0 when there are none.
	Weights time.Duration
}

// cheapQuantile is the quantile for stages that cost next to nothing: an image on disk, weights in
// a cache. A missing one costs a whole pull while the service is short already, and a spare one
// some disk for a few hours: a ratio of a thousand to one.
const cheapQuantile = 0.999

// Hold is what should be warm at one instant for one service.
type Hold struct {
	// Needed is the largest number of replicas that the plan needs before a node that is requested
	// now could be Ready with the image.
	Needed int
	// At is when the plan needs them.
	At time.Time
	// Nodes is for how many replicas nodes should be held, beside the existing replicas: Needed
	// minus those, never below 0.
	Nodes int
	// Images is for how many replicas the image should be on nodes, the existing ones included.
	Images int
	// Weights is the largest number of replicas that may be needed before weights that begin to
	// load now are in the cache. They should be loaded when that is more than the existing ones.
	// 0 when there are no weights, or the plan has no value.
	Weights int
}

// Staging returns what should be warm at now. replicas are the existing ones, Ready or not yet.
//
// A node is held as late as possible: it is requested when the plan needs it within the time of the
// node and the pull. Replicas that are not Ready yet count as existing, so a held place that a
// replica takes is not requested again. An image on disk costs next to nothing, so images are
// pulled twice their time ahead. Weights are loaded their time earlier than nodes. When the plan
// falls, so does what is held.
//
// The quantiles are those of the newsvendor problem. The plan is at the quantile where one replica
// too many costs as much as one too few. A held node costs what a replica does, so nodes are held
// for the plan itself. For images and weights the costs are so unequal that they follow the plan at
// 0.999.
func Staging(t Timeline, now time.Time, s Stages, replicas int) Hold {
	h := Hold{Images: replicas}
	if needed, at, ok := t.Max(now, now.Add(s.Node+s.Image)); ok {
		h.Needed, h.At = needed, at
		h.Nodes = max(0, needed-replicas)
	}
	high := t.atLeast(cheapQuantile)
	if needed, _, ok := high.Max(now, now.Add(s.Node+2*s.Image)); ok {
		h.Images = max(h.Images, needed)
	}
	if needed, _, ok := high.Max(now, now.Add(s.Node+s.Image+s.Weights)); ok && s.Weights > 0 {
		h.Weights = needed
	}
	return h
}
