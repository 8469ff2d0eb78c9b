package gpuwarm

import (
	"fmt"
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/survival"
	"headstart.dev/headstart/planner/plan"
)

// Timeline is a plan in replicas: for each step a whole number, 0 or above. Make one with
// [NewTimeline].
type Timeline struct {
	start      time.Time
	segments   []segment
	conversion conversion
	others     []Timeline // at each instant the largest of all counts
}

// segment is a run of steps of one length.
type segment struct {
	from     time.Time
	step     time.Duration
	replicas []int // noValue where the plan has no value
	// expected has the replicas for the expected demand, never more than replicas; nil when the
	// plan has no expected demand.
	expected []int
}

// conversion is how demand becomes replicas.
type conversion struct {
	capacity, level float64
	maxReplicas     int
}

const (
	// maxReplicas of one service. A plan that needs more has a wrong unit.
	maxReplicas = 1_000_000
	// noValue marks a step for which the plan has no value.
	noValue = -1
	// defaultLevel is the level of a plan that does not give one.
	defaultLevel = 0.9
)

// TimelineOptions say how demand becomes replicas.
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
	c := conversion{o.Capacity, o.Level, o.MaxReplicas}
	if c.maxReplicas <= 0 || c.maxReplicas > maxReplicas {
		c.maxReplicas = maxReplicas
	}
	if !(c.level > 0.5 && c.level < 1) {
		c.level = defaultLevel
	}
	t := Timeline{start: decoded.Start, conversion: c}
	from := decoded.Start
	for _, s := range decoded.Segments {
		seg := segment{from: from, step: s.Step, replicas: c.replicas(s.Values), expected: c.replicas(s.Expected)}
		for i, n := range c.replicas(s.Most) {
			if n != noValue { // more than that is not served
				seg.replicas[i] = min(seg.replicas[i], n)
			}
		}
		for i, e := range seg.expected {
			seg.expected[i] = min(max(e, 0), seg.replicas[i])
		}
		from = from.Add(s.Step * time.Duration(len(seg.replicas)))
		t.segments = append(t.segments, seg)
	}
	return t, nil
}

// replicas turns each demand into replicas, up to the maximum. The result of nil is nil.
func (c conversion) replicas(demand []float64) []int {
	if demand == nil {
		return nil
	}
	out := make([]int, len(demand))
	for i, v := range demand {
		if math.IsNaN(v) {
			out[i] = noValue
			continue
		}
		out[i] = min(plan.Replicas(v, c.capacity), c.maxReplicas)
	}
	return out
}

// Largest returns the timeline that is at each instant the largest of the given ones. A service
// that several plans scale follows it. Without any it has no values.
func Largest(of ...Timeline) Timeline {
	if len(of) == 0 {
		return Timeline{}
	}
	t := of[0]
	t.others = append(slices.Clone(t.others), of[1:]...)
	return t
}

// At returns the timeline at quantile q instead of that of the plan. The difference between planned
// and expected replicas is scaled as the quantiles of a normal distribution are. Steps without
// expected replicas stay as they are.
func (t Timeline) At(q float64) Timeline {
	scale := max(0, survival.NormalQuantile(q)/survival.NormalQuantile(t.conversion.level))
	out := Timeline{start: t.start, conversion: t.conversion, segments: make([]segment, len(t.segments))}
	for i, s := range t.segments {
		out.segments[i] = s
		if s.expected == nil {
			continue
		}
		replicas := make([]int, len(s.replicas))
		for j, r := range s.replicas {
			e := s.expected[j]
			replicas[j] = r
			if r > e {
				replicas[j] = min(e+int(math.Ceil(float64(r-e)*scale-1e-9)), t.conversion.maxReplicas)
			}
		}
		out.segments[i].replicas = replicas
	}
	for _, o := range t.others {
		out.others = append(out.others, o.At(q))
	}
	return out
}

// atLeast returns the timeline at quantile q, or at that of the plan when it is higher.
func (t Timeline) atLeast(q float64) Timeline {
	others := t.others
	t.others = nil
	t = t.At(max(q, t.conversion.level))
	for _, o := range others {
		t.others = append(t.others, o.atLeast(q))
	}
	return t
}

// End is when the plan ends.
func (t Timeline) End() time.Time {
	end := t.start
	if n := len(t.segments); n > 0 {
		s := t.segments[n-1]
		end = s.from.Add(s.step * time.Duration(len(s.replicas)))
	}
	for _, o := range t.others {
		end = later(end, o.End())
	}
	return end
}

// eachStep visits the steps with a value that are at least partly in [from, to], of one plan after
// the other. begin is not before from.
func (t Timeline) eachStep(from, to time.Time, visit func(begin time.Time, replicas, expected int)) {
	t.ownSteps(from, to, visit)
	for _, o := range t.others {
		o.eachStep(from, to, visit)
	}
}

// ownSteps is eachStep without the other plans.
func (t Timeline) ownSteps(from, to time.Time, visit func(begin time.Time, replicas, expected int)) {
	for _, s := range t.segments {
		first := max(0, int(from.Sub(s.from)/s.step))
		for i := first; i < len(s.replicas); i++ {
			begin := s.from.Add(s.step * time.Duration(i))
			if begin.After(to) {
				return
			}
			if r := s.replicas[i]; r != noValue && begin.Add(s.step).After(from) {
				e := r
				if s.expected != nil {
					e = s.expected[i]
				}
				visit(later(begin, from), r, e)
			}
		}
	}
}

// Max returns the largest number of replicas in [from, to], and when it is first reached there. ok
// is false when the plan has no value there.
func (t Timeline) Max(from, to time.Time) (replicas int, at time.Time, ok bool) {
	t.eachStep(from, to, func(begin time.Time, r, _ int) {
		if !ok || r > replicas || (r == replicas && begin.Before(at)) {
			replicas, at, ok = r, begin, true
		}
	})
	return replicas, at, ok
}

// FirstAbove returns when the plan first needs more than the given replicas, from a time on. ok
// reports whether it ever does.
func (t Timeline) FirstAbove(from time.Time, replicas int) (at time.Time, ok bool) {
	t.eachStep(from, t.End(), func(begin time.Time, r, _ int) {
		if r > replicas && (!ok || begin.Before(at)) {
			at, ok = begin, true
		}
	})
	return at, ok
}

// valuesAt returns the planned and the expected replicas at one instant; 0 when the plan has no
// value.
func (t Timeline) valuesAt(at time.Time) (replicas, expected int) {
	t.eachStep(at, at, func(_ time.Time, r, e int) { replicas, expected = max(replicas, r), max(expected, e) })
	return replicas, expected
}
