// Package frontier compares policies at equal service and at equal cost.
//
// Every policy has one knob. A larger setting pays more replica-hours and leaves less demand
// unserved. A frontier is what the settings lead to. Between two neighbouring points it is a
// straight line: a team that uses one setting on some days and the other on the rest gets there.
package frontier

import (
	"cmp"
	"slices"
)

// Point is what one setting of a policy's knob leads to.
type Point struct {
	// Knob is the setting. That of Headstart is the shortage cost or the service level. That of
	// another policy is the headroom, a factor on the demand that it provisions for.
	Knob float64 `json:"knob"`
	// Contract is the contract of Headstart's plan, in words. Other policies have none.
	Contract string `json:"contract,omitempty"`
	// ShortageCost is the shortage cost of that contract. It is 0 for a service level.
	ShortageCost float64 `json:"shortageCost,omitempty"`
	// Headroom is the headroom on Headstart's plan, beyond the first and the last knob. It is 0
	// otherwise.
	Headroom float64 `json:"headroom,omitempty"`
	// Unserved is the share of the demand that was not served.
	Unserved float64 `json:"unserved"`
	// ReplicaHours are the paid replicas times hours.
	ReplicaHours float64 `json:"replicaHours"`
	// PeakReplicas is the largest number of paid replicas.
	PeakReplicas float64 `json:"peakReplicas"`
}

// Line is a frontier. Along it, replica-hours rise and unserved demand falls, both strictly.
type Line []Point

// New returns the frontier of some points. A point is left out if another one pays no more and
// serves no less.
func New(points []Point) Line {
	sorted := slices.Clone(points)
	slices.SortStableFunc(sorted, func(a, b Point) int {
		return cmp.Or(cmp.Compare(a.ReplicaHours, b.ReplicaHours), cmp.Compare(a.Unserved, b.Unserved),
			cmp.Compare(a.Knob, b.Knob))
	})
	var out Line
	for _, p := range sorted {
		if len(out) == 0 || p.Unserved < out[len(out)-1].Unserved {
			out = append(out, p)
		}
	}
	return out
}

// PeakAt returns the largest number of paid replicas with so many replica-hours.
func (l Line) PeakAt(hours float64) float64 {
	for i, p := range l {
		if p.ReplicaHours < hours {
			continue
		}
		if i == 0 {
			return p.PeakReplicas
		}
		before := l[i-1]
		share := (hours - before.ReplicaHours) / (p.ReplicaHours - before.ReplicaHours)
		return before.PeakReplicas + share*(p.PeakReplicas-before.PeakReplicas)
	}
	if len(l) == 0 {
		return 0
	}
	return l[len(l)-1].PeakReplicas
}

// Around returns the neighbouring points that so many replica-hours lie between. Both are the same
// one at a point, and beyond the first or the last one.
func (l Line) Around(hours float64) (below, above Point) {
	for i, p := range l {
		if p.ReplicaHours >= hours {
			if above = p; i == 0 || p.ReplicaHours == hours {
				below = p
			}
			return below, above
		}
		below = p
	}
	return below, below
}

// HoursAt returns the fewest replica-hours that leave at most a share of the demand unserved. It
// returns false if no point does.
func (l Line) HoursAt(unserved float64) (float64, bool) {
	for i, p := range l {
		if p.Unserved > unserved {
			continue
		}
		if i == 0 {
			return p.ReplicaHours, true
		}
		before := l[i-1]
		share := (before.Unserved - unserved) / (before.Unserved - p.Unserved)
		return before.ReplicaHours + share*(p.ReplicaHours-before.ReplicaHours), true
	}
	return 0, false
}

// UnservedAt returns the smallest share of the demand that is unserved with at most so many
// replica-hours. It returns false if every point pays more.
func (l Line) UnservedAt(hours float64) (float64, bool) {
	for i, p := range slices.Backward(l) {
		if p.ReplicaHours > hours {
			continue
		}
		if i == len(l)-1 {
			return p.Unserved, true
		}
		after := l[i+1]
		share := (hours - p.ReplicaHours) / (after.ReplicaHours - p.ReplicaHours)
		return p.Unserved + share*(after.Unserved-p.Unserved), true
	}
	return 0, false
}
