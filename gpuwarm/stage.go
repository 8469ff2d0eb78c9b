package gpuwarm

import (
	"fmt"
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner/plan"
)

// Timeline is how many replicas a plan asks for, as a function of time: non-negative whole numbers, each for one step.
type Timeline struct {
	start  time.Time
	pieces []piece
	bounds bounds
	others []Timeline // of which the largest counts at each instant
}

// Largest is the timeline that asks at each instant for what that one of several does which asks for most then: a service that is scaled by several plans
// follows it. Of none it asks for nothing.
func Largest(of ...Timeline) Timeline {
	if len(of) == 0 {
		return Timeline{}
	}
	t := of[0]
	t.others = append(slices.Clone(t.others), of[1:]...)
	return t
}

type piece struct {
	from     time.Time
	step     time.Duration
	replicas []int // noValue where the plan says nothing
	// expected are the replicas for the expected demand, never more than replicas; nil where the
	// plan has no expected demand.
	expected []int
}

// bounds turn a plan in demand into one in replicas.
type bounds struct {
	capacity, level float64
	most            int
}

const (
	// maxReplicas of one service. A plan that needs more is a mistake in units.
	maxReplicas = 1_000_000
	// noValue stands for the replicas of a step about which the plan says nothing.
	noValue = -1
)

// TimelineOptions say how a plan in demand becomes one in replicas.
type TimelineOptions struct {
	// Capacity is the demand that one replica serves; above 0.
	Capacity float64
	// MaxReplicas of the HPA; 0 is no limit.
	MaxReplicas int
	// Level is the probability that the plan's values are enough, such as 0.99. Outside of
	// (0.5, 1) it is unknown, and 0.9 is used.
	Level float64
}

// NewTimeline turns a plan into replicas. It returns an error when the plan cannot be read, or
// the capacity is not above 0.
func NewTimeline(encoded v1alpha1.Plan, o TimelineOptions) (Timeline, error) {
	if !(o.Capacity > 0) || math.IsInf(o.Capacity, 0) {
		return Timeline{}, fmt.Errorf("capacity per replica is %v: set spec.capacityPerReplica above 0", o.Capacity)
	}
	decoded, err := plan.Decode(encoded)
	if err != nil {
		return Timeline{}, err
	}
	b := bounds{o.Capacity, o.Level, o.MaxReplicas}
	if b.most <= 0 || b.most > maxReplicas {
		b.most = maxReplicas
	}
	if !(b.level > 0.5 && b.level < 1) {
		b.level = 0.9
	}
	t := Timeline{start: decoded.Start, bounds: b}
	at := decoded.Start
	for _, s := range decoded.Segments {
		p := piece{from: at, step: s.Step, replicas: b.replicas(s.Values), expected: b.replicas(s.Expected)}
		for i, e := range p.expected {
			p.expected[i] = min(max(e, 0), p.replicas[i])
		}
		at = at.Add(s.Step * time.Duration(len(p.replicas)))
		t.pieces = append(t.pieces, p)
	}
	return t, nil
}

// replicas turns each demand into replicas, up to the maximum. The result of nil is nil.
func (b bounds) replicas(demand []float64) []int {
	if demand == nil {
		return nil
	}
	out := make([]int, len(demand))
	for i, v := range demand {
		if math.IsNaN(v) {
			out[i] = noValue
			continue
		}
		out[i] = min(plan.Replicas(v, b.capacity), b.most)
	}
	return out
}

// At quantile q instead of at the plan's own: what lies between the expected and the planned is stretched as the quantiles of a normal distribution
// are. Where the plan does not say what is expected it stays as it is.
func (t Timeline) At(q float64) Timeline {
	stretch := normalQuantile(q) / normalQuantile(t.bounds.level)
	out := Timeline{start: t.start, bounds: t.bounds, pieces: make([]piece, len(t.pieces))}
	for i, p := range t.pieces {
		out.pieces[i] = p
		if p.expected == nil {
			continue
		}
		replicas := make([]int, len(p.replicas))
		for j, r := range p.replicas {
			e := p.expected[j]
			replicas[j] = r
			if r > e {
				replicas[j] = min(e+int(math.Ceil(float64(r-e)*max(0, stretch)-1e-9)), t.bounds.most)
			}
		}
		out.pieces[i].replicas = replicas
	}
	for _, o := range t.others {
		out.others = append(out.others, o.At(q))
	}
	return out
}

// atLeast is the timeline at quantile q, or at the plan's own where that is higher.
func (t Timeline) atLeast(q float64) Timeline {
	others := t.others
	t.others = nil
	t = t.At(max(q, t.bounds.level))
	for _, o := range others {
		t.others = append(t.others, o.atLeast(q))
	}
	return t
}

// End is when the plan is over.
func (t Timeline) End() time.Time {
	end := t.start
	if n := len(t.pieces); n > 0 {
		p := t.pieces[n-1]
		end = p.from.Add(p.step * time.Duration(len(p.replicas)))
	}
	for _, o := range t.others {
		end = later(end, o.End())
	}
	return end
}

// eachStep visits the steps that are at least partly in [from, to] and about which the plan says something, of one plan after the other. begin is not before from.
func (t Timeline) eachStep(from, to time.Time, visit func(begin time.Time, replicas, expected int)) {
	t.ownSteps(from, to, visit)
	for _, o := range t.others {
		o.eachStep(from, to, visit)
	}
}

func (t Timeline) ownSteps(from, to time.Time, visit func(begin time.Time, replicas, expected int)) {
	for _, p := range t.pieces {
		first := max(0, int(from.Sub(p.from)/p.step))
		for i := first; i < len(p.replicas); i++ {
			begin := p.from.Add(p.step * time.Duration(i))
			if begin.After(to) {
				return
			}
			if r := p.replicas[i]; r != noValue && begin.Add(p.step).After(from) {
				e := r
				if p.expected != nil {
					e = p.expected[i]
				}
				visit(later(begin, from), r, e)
			}
		}
	}
}

// Most is the largest number of replicas in [from, to], and when it is first asked for within that. ok is false where the plan says nothing about
// any of it.
func (t Timeline) Most(from, to time.Time) (replicas int, at time.Time, ok bool) {
	t.eachStep(from, to, func(begin time.Time, r, _ int) {
		if !ok || r > replicas || (r == replicas && begin.Before(at)) {
			replicas, at, ok = r, begin, true
		}
	})
	return replicas, at, ok
}

// First is when more than replicas are asked for, from a time on.
func (t Timeline) First(from time.Time, replicas int) (at time.Time, ok bool) {
	t.eachStep(from, t.End(), func(begin time.Time, r, _ int) {
		if r > replicas && (!ok || begin.Before(at)) {
			at, ok = begin, true
		}
	})
	return at, ok
}

// on is what the plan asks for and what is expected at one instant; 0 where it says nothing.
func (t Timeline) on(at time.Time) (replicas, expected int) {
	t.eachStep(at, at, func(_ time.Time, r, e int) { replicas, expected = max(replicas, r), max(expected, e) })
	return replicas, expected
}

// Stages are how long each stage of warming takes, and so how far ahead of the plan it is begun.
type Stages struct {
	// Node is from asking for a node to its being Ready.
	Node time.Duration
	// Image is the pull.
	Image time.Duration
	// Weights is the load of the weights into a cache near the nodes; 0 where there is none to load.
	Weights time.Duration
}

// cheapQuantile is the one at which stages that cost next to nothing are warmed: an image on disk, weights in a cache. One that lacks costs a whole pull
// of a service that is short already, one too many some disk for a few hours: a thousand to one.
const cheapQuantile = 0.999

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
	// Weights is the most replicas that may be asked for until weights that begin to be loaded now are near: they are to be loaded where that is more than
	// there are. 0 where there is nothing to load, or the plan says nothing.
	Weights int
}

// Staging says what is to be warm at now. replicas are those that there are, Ready or on their way.
//
// A node is held as late as it can be: from the time that it, and the pull on it, take before the plan asks for it. What is on its way counts,
// so a held place that a replica takes is not asked for again. An image on disk costs next to nothing, so images are wanted twice their lead
// ahead, and weights by their lead earlier than nodes. All of it follows the plan down as it does up: when it recedes, so does what is held.
//
// The quantiles are those of the newsvendor. The plan stands at the one where a replica too many costs as much as one too few, and a held node costs what
// a replica does, so nodes are held for the plan itself. For images and weights the costs are so unequal that they follow the plan at 0.999.
func Staging(t Timeline, now time.Time, s Stages, replicas int) Hold {
	h := Hold{Images: replicas}
	if most, at, ok := t.Most(now, now.Add(s.Node+s.Image)); ok {
		h.Needed, h.At = most, at
		h.Nodes = max(0, most-replicas)
	}
	high := t.atLeast(cheapQuantile)
	if most, _, ok := high.Most(now, now.Add(s.Node+2*s.Image)); ok {
		h.Images = max(h.Images, most)
	}
	if most, _, ok := high.Most(now, now.Add(s.Node+s.Image+s.Weights)); ok && s.Weights > 0 {
		h.Weights = most
	}
	return h
}
