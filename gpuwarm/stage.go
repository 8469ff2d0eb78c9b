package gpuwarm

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

// Timeline is how many replicas a plan asks for, as a function of time: non-negative whole numbers, each for one step.
type Timeline struct {
	start  time.Time
	pieces []piece
}

type piece struct {
	from     time.Time
	step     time.Duration
	replicas []int
}

// maxReplicas of one service. A plan that asks for more is a mistake in units.
const maxReplicas = 1_000_000

// NewTimeline reads a plan in replicas of the given capacity, which must be above 0. An HPA's limits are its own: most bounds the replicas, 0 does not.
func NewTimeline(plan v1alpha1.Plan, capacity float64, most int) (Timeline, error) {
	if !(capacity > 0) || math.IsInf(capacity, 0) {
		return Timeline{}, fmt.Errorf("capacity per replica is %v: set spec.capacityPerReplica above 0", capacity)
	}
	if most <= 0 || most > maxReplicas {
		most = maxReplicas
	}
	t := Timeline{start: plan.Start.Time}
	at := plan.Start.Time
	for i, s := range plan.Segments {
		step, err := s.Step.Parse()
		if err != nil || step <= 0 {
			return Timeline{}, fmt.Errorf("plan segment %d: step %q is not above 0", i, s.Step)
		}
		p := piece{from: at, step: step}
		for word := range strings.FieldsSeq(s.Values) {
			v, err := strconv.ParseFloat(word, 64)
			if err != nil || math.IsNaN(v) || v < 0 {
				return Timeline{}, fmt.Errorf("plan segment %d: %q is not a demand", i, word)
			}
			p.replicas = append(p.replicas, replicasFor(v, capacity, most))
		}
		at = at.Add(step * time.Duration(len(p.replicas)))
		t.pieces = append(t.pieces, p)
	}
	return t, nil
}

// replicasFor is ceil(demand/capacity) as the HPA takes it: in thousandths, so that what floating point leaves behind is no replica.
func replicasFor(demand, capacity float64, most int) int {
	return int(min(math.Ceil(demand/capacity-1e-6), float64(most)))
}

// End is when the plan is over.
func (t Timeline) End() time.Time {
	if len(t.pieces) == 0 {
		return t.start
	}
	p := t.pieces[len(t.pieces)-1]
	return p.from.Add(p.step * time.Duration(len(p.replicas)))
}

// Most is the largest number of replicas in [from, to], and when it is first asked for within that. ok is false where the plan says nothing about
// any of it.
func (t Timeline) Most(from, to time.Time) (replicas int, at time.Time, ok bool) {
	for _, p := range t.pieces {
		for i, r := range p.replicas {
			begin := p.from.Add(p.step * time.Duration(i))
			if !begin.Add(p.step).After(from) || begin.After(to) {
				continue
			}
			if !ok || r > replicas {
				replicas, at, ok = r, later(begin, from), true
			}
		}
	}
	return replicas, at, ok
}

// First is when more than replicas are asked for, from a time on.
func (t Timeline) First(from time.Time, replicas int) (time.Time, bool) {
	for _, p := range t.pieces {
		for i, r := range p.replicas {
			begin := p.from.Add(p.step * time.Duration(i))
			if begin.Add(p.step).After(from) && r > replicas {
				return later(begin, from), true
			}
		}
	}
	return time.Time{}, false
}

// Stages are how long each stage of warming takes, and so how far ahead of the plan it is begun.
type Stages struct {
	// Node is from asking for a node to its being Ready.
	Node time.Duration
	// Image is the pull.
	Image time.Duration
}

// Hold is what is to be warm at one instant for one service.
type Hold struct {
	// Needed is the most replicas that the plan asks for until a node that is asked for now could be Ready with the image.
	Needed int
	// At is when it asks for them.
	At time.Time
	// Nodes is how many replicas' worth of nodes to hold beside those of the replicas: Needed less the replicas, never below 0.
	Nodes int
	// Images is for how many replicas the image is to be on nodes, those that run included.
	Images int
}

// Staging says what is to be warm at now. replicas are those that there are, Ready or on their way.
//
// A node is held as late as it can be: from the time that it, and the pull on it, take before the plan asks for it. What is on its way counts,
// so a held place that a replica takes is not asked for again. An image on disk costs next to nothing, so images are wanted twice their lead
// ahead and for whatever is most in that time. Both follow the plan down as they do up: when it recedes, so does what is held.
//
// The quantiles are those of the newsvendor: the plan itself stands at the one where holding a replica more costs as much as lacking it, which
// is right for a held node; for an image the costs are so unequal that the most the plan ever asks for in the window is.
func Staging(t Timeline, now time.Time, s Stages, replicas int) Hold {
	h := Hold{Images: replicas}
	if most, at, ok := t.Most(now, now.Add(s.Node+s.Image)); ok {
		h.Needed, h.At = most, at
		h.Nodes = max(0, most-replicas)
	}
	if most, _, ok := t.Most(now, now.Add(s.Node+2*s.Image)); ok {
		h.Images = max(h.Images, most)
	}
	return h
}
