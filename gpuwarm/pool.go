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
	// Replicas that there are, Ready or on their way.
	Replicas int
	// Units of the pool's scarce resource that a replica takes: GPUs, say. Above 0.
	Units float64
	// Stages are how far ahead it is warmed for.
	Stages Stages
}

func (m Member) until(now time.Time) time.Time { return now.Add(m.Stages.Node + m.Stages.Image) }

// Joint is what services that share a node pool need together.
type Joint struct {
	// Holds are how many replicas' worth of nodes to hold for each member.
	Holds []int
	// Units that the holds come to, and Alone what they would come to if each member were held for on its own.
	Units, Alone float64
}

// Together sizes what is to be held for services whose held places any of them can take.
//
// Two things make that less than the sum of their own. Their peaks within the stages' time need not coincide, so it is the most of the sum that counts and
// not the sum of what is most of each. And their forecasts are not wrong alike: what lies between the expected and the planned adds up like the standard
// deviations of variables with the given correlation, which is straight at 1 and like the sides of a right angle at 0. A member that has more
// replicas than it needs lends them to nobody: its pods are its own until they are gone.
func Together(members []Member, now time.Time, correlation float64) Joint {
	correlation = min(max(correlation, 0), 1)
	own := make([]int, len(members))
	var instants []time.Time
	out := Joint{Holds: make([]int, len(members))}
	for i, m := range members {
		own[i] = Staging(m.Timeline, now, m.Stages, m.Replicas).Nodes
		out.Alone += float64(own[i]) * m.Units
		m.Timeline.eachStep(now, m.until(now), func(begin time.Time, _, _ int) { instants = append(instants, begin) })
	}
	slices.SortFunc(instants, time.Time.Compare)
	most := 0.0
	for _, at := range slices.CompactFunc(instants, time.Time.Equal) {
		most = max(most, jointly(members, now, at, correlation))
	}
	out.share(members, own, min(most, out.Alone))
	return out
}

// jointly is how many units beyond those of the replicas that there are the members need together at one instant, as far as that is soon enough for each.
func jointly(members []Member, now, at time.Time, correlation float64) float64 {
	beyond, sum, squares := 0.0, 0.0, 0.0
	for _, m := range members {
		if at.After(m.until(now)) {
			continue
		}
		planned, expected := m.Timeline.on(at)
		planned, expected = max(planned, m.Replicas), max(expected, m.Replicas)
		spread := float64(planned-expected) * m.Units
		beyond += float64(expected-m.Replicas) * m.Units
		sum += spread
		squares += spread * spread
	}
	return beyond + math.Sqrt(squares+correlation*(sum*sum-squares))
}

// share gives each member its part of the units, in whole replicas, in proportion to what it would hold on its own and never more than that. Together they
// are no less than the units.
func (j *Joint) share(members []Member, own []int, units float64) {
	if j.Alone <= 0 {
		return
	}
	left := make([]float64, len(members))
	order := make([]int, len(members))
	for i, m := range members {
		part := float64(own[i]) * units / j.Alone
		j.Holds[i] = int(part + 1e-9)
		left[i], order[i] = part-float64(j.Holds[i]), i
		j.Units += float64(j.Holds[i]) * m.Units
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(left[b], left[a]) })
	for _, i := range order {
		if j.Units < units-1e-9 && j.Holds[i] < own[i] {
			j.Holds[i]++
			j.Units += members[i].Units
		}
	}
}

// Shortage is when and by how much services need more together than there can be.
type Shortage struct {
	// From is when they first need more, PeakAt when they need most.
	From, PeakAt time.Time
	// Peak is how much they need then, and By how much more than there can be; in units.
	Peak, By float64
}

// ShortOf looks for when the plans of the members ask for more units together than there can be; ok is false where they never do.
func ShortOf(members []Member, from time.Time, units float64) (s Shortage, ok bool) {
	var instants []time.Time
	for _, m := range members {
		m.Timeline.eachStep(from, m.Timeline.End(), func(begin time.Time, _, _ int) { instants = append(instants, begin) })
	}
	slices.SortFunc(instants, time.Time.Compare)
	for _, at := range slices.CompactFunc(instants, time.Time.Equal) {
		need := 0.0
		for _, m := range members {
			planned, _ := m.Timeline.on(at)
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
