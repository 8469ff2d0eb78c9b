package gpuwarm

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Member is one of the services that share a node pool.
type Member struct {
	Timeline Timeline
	// Replicas that exist, Ready or not yet.
	Replicas int
	// Units is how much of the pool's scarce resource a replica takes, such as GPUs. Above 0.
	Units float64
	// Stages are how long its stages of warming take.
	Stages Stages
}

// mostWork bounds the instants times the members. Steps of plans are whole minutes, so that a
// thousand services are below it. Somebody who writes other plans would hold up what is done for
// others.
const mostWork = 2_000_000

// horizon is until when nodes have to be requested at now.
func (m Member) horizon(now time.Time) time.Time { return now.Add(m.Stages.Node + m.Stages.Image) }

// Joint is what services that share a node pool need together.
type Joint struct {
	// Holds has for each member the number of replicas to hold nodes for.
	Holds []int
	// Units of all holds, and Alone the units if each member were held for on its own.
	Units, Alone float64
}

// JointHolds computes the nodes to hold for services that can use each other's held places.
//
// They need less than the sum of their own, for two reasons. First, their peaks within the time of
// the stages may not coincide, so the peak of the sum counts and not the sum of the peaks. Second,
// their forecasts do not err alike. The difference between planned and expected replicas adds up
// like the standard deviations of variables with the given correlation, from 0 to 1: linearly at 1,
// and as the root of the sum of squares at 0.
//
// A member with more replicas than it needs does not lend them: its pods keep their places until
// they are deleted.
func JointHolds(members []Member, now time.Time, correlation float64) Joint {
	correlation = min(max(correlation, 0), 1)
	alone := make([]int, len(members))
	var instants []time.Time
	out := Joint{Holds: make([]int, len(members))}
	for i, m := range members {
		alone[i] = Staging(m.Timeline, now, m.Stages, m.Replicas).Nodes
		out.Alone += float64(alone[i]) * m.Units
		m.Timeline.eachStep(now, m.horizon(now), func(begin time.Time, _, _ int) { instants = append(instants, begin) })
	}
	slices.SortFunc(instants, time.Time.Compare)
	peak := 0.0
	instants = slices.CompactFunc(instants, time.Time.Equal)
	if len(instants)*len(members) > mostWork {
		peak, instants = out.Alone, nil // nothing is saved
	}
	for _, at := range instants {
		peak = max(peak, unitsNeeded(members, now, at, correlation))
	}
	out.distribute(members, alone, min(peak, out.Alone))
	return out
}

// unitsNeeded is how many units the members need together at one instant beyond those of their
// existing replicas. Members for which that instant is beyond their horizon are left out.
func unitsNeeded(members []Member, now, at time.Time, correlation float64) float64 {
	expectedUnits, sum, squares := 0.0, 0.0, 0.0
	for _, m := range members {
		if at.After(m.horizon(now)) {
			continue
		}
		planned, expected := m.Timeline.valuesAt(at)
		planned, expected = max(planned, m.Replicas), max(expected, m.Replicas)
		spread := float64(planned-expected) * m.Units
		expectedUnits += float64(expected-m.Replicas) * m.Units
		sum += spread
		squares += spread * spread
	}
	return expectedUnits + math.Sqrt(squares+correlation*(sum*sum-squares))
}

// distribute gives each member its part of the units, in whole replicas: in proportion to its hold
// alone, and never more than that. The holds together have at least the given units.
func (j *Joint) distribute(members []Member, alone []int, units float64) {
	if j.Alone <= 0 {
		return
	}
	remainder := make([]float64, len(members))
	order := make([]int, len(members))
	for i, m := range members {
		part := float64(alone[i]) * units / j.Alone
		j.Holds[i] = int(part + 1e-9)
		remainder[i], order[i] = part-float64(j.Holds[i]), i
		j.Units += float64(j.Holds[i]) * m.Units
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(remainder[b], remainder[a]) })
	for _, i := range order {
		if j.Units < units-1e-9 && j.Holds[i] < alone[i] {
			j.Holds[i]++
			j.Units += members[i].Units
		}
	}
}

// Shortage is when, and by how much, services need more together than there can be.
type Shortage struct {
	// From is when they first need more, and PeakAt when they need most.
	From, PeakAt time.Time
	// Peak is how many units they need at PeakAt, and By how many more than there can be.
	Peak, By float64
}

// FindShortage returns when the plans of the members need more than the given units together. ok is
// false when they never do. Of plans with very many different instants, the first ones count.
func FindShortage(members []Member, from time.Time, units float64) (s Shortage, ok bool) {
	var instants []time.Time
	for _, m := range members {
		add := func(begin time.Time, _, _ int) { instants = append(instants, begin) }
		m.Timeline.eachStep(from, m.Timeline.End(), add)
	}
	slices.SortFunc(instants, time.Time.Compare)
	instants = slices.CompactFunc(instants, time.Time.Equal)
	for _, at := range instants[:min(len(instants), mostWork/max(1, len(members)))] {
		need := 0.0
		for _, m := range members {
			planned, _ := m.Timeline.valuesAt(at)
			need += float64(planned) * m.Units
		}
		if need <= units+1e-9 {
			continue
		}
		if !ok {
			s.From, ok = at, true
		}
		if need > s.Peak {
			s.PeakAt, s.Peak, s.By = at, need, need-units
		}
	}
	return s, ok
}
