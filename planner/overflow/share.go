package overflow

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Claim is what one service asks of a resource that it shares with others, at one instant.
type Claim struct {
	// Name orders claims that are equal in everything else.
	Name string
	// Priority says who is served first: the larger one.
	Priority int32
	// Units is how much of the resource one replica takes; above 0.
	Units float64
	// Min is how many replicas the service keeps whatever happens, and Need how many it needs.
	Min, Need int
}

// want is how many replicas the service would have if there were room.
func (c Claim) want() int { return max(c.Min, c.Need) }

// slack absorbs the rounding error of sums of units.
const slack = 1e-9

// Share divides room units of a resource. It returns the replicas of each claim, in their order.
//
// First all services get their minimum, those of a higher priority first. What is left goes to the
// highest priority until it has what it needs, then to the next one. So no service has a replica
// more than its minimum while one of a higher priority is short. Services of one priority that are
// short together get equal parts of the resource: the part that one does not need goes to the
// others. The result depends on the claims alone, and not on their order.
func Share(room float64, claims []Claim) []int {
	order := make([]int, len(claims))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(claims[b].Priority, claims[a].Priority), strings.Compare(claims[a].Name, claims[b].Name))
	})
	got, left := make([]int, len(claims)), max(0, room)
	for from := 0; from < len(order); {
		to := classEnd(claims, order, from)
		left -= fill(left, claims, order[from:to], got, func(c Claim) int { return c.Min })
		from = to
	}
	for from := 0; from < len(order); {
		to := classEnd(claims, order, from)
		class := order[from:to]
		left -= fill(left, claims, class, got, Claim.want)
		if slices.ContainsFunc(class, func(i int) bool { return got[i] < claims[i].want() }) {
			break // What is too small for one of these is not for a lower priority either.
		}
		from = to
	}
	return got
}

// classEnd returns the end of the run of equal priorities that begins at from.
func classEnd(claims []Claim, order []int, from int) int {
	to := from + 1
	for to < len(order) && claims[order[to]].Priority == claims[order[from]].Priority {
		to++
	}
	return to
}

// part is what a claim still wants: so many more replicas, of so many units each.
type part struct {
	claim, more int
	units       float64
}

// fill raises got of one class towards goal, within left units, and returns how much that took. The
// parts are max-min fair in units.
func fill(left float64, claims []Claim, class []int, got []int, goal func(Claim) int) float64 {
	var parts []part
	for _, i := range class {
		if more := goal(claims[i]) - got[i]; more > 0 {
			parts = append(parts, part{i, more, claims[i].Units})
		}
	}
	bySize := slices.Clone(parts)
	slices.SortStableFunc(bySize, func(a, b part) int {
		return cmp.Compare(float64(a.more)*a.units, float64(b.more)*b.units)
	})
	used := 0.0
	for k, p := range bySize {
		fair := (left - used) / float64(len(bySize)-k)
		n := min(p.more, wholes(fair, p.units))
		got[p.claim] += n
		used += float64(n) * p.units
	}
	for i := range parts {
		parts[i].more = goal(claims[parts[i].claim]) - got[parts[i].claim]
	}
	return takeTurns(left, used, parts, got)
}

// takeTurns gives what is left over in turns: in each, a replica to each part that it still fits. It
// returns how much is used then. Units may differ so much that there are millions of turns. So all
// but the last of those that reach every part are taken at once.
func takeTurns(left, used float64, parts []part, got []int) float64 {
	for {
		parts = slices.DeleteFunc(parts, func(p part) bool { return p.more <= 0 || used+p.units > left+slack })
		if len(parts) == 0 {
			return used
		}
		least, all := math.MaxInt32, 0.0
		for _, p := range parts {
			least, all = min(least, p.more), all+p.units
		}
		n := min(least, wholes(left-used, all)-1)
		for i := range parts {
			p := &parts[i]
			if n < 1 && used+p.units > left+slack {
				continue
			}
			got[p.claim] += max(n, 1)
			p.more -= max(n, 1)
			used += float64(max(n, 1)) * p.units
		}
	}
}

// wholes returns how many replicas of so many units fit into room.
func wholes(room, units float64) int {
	n := math.Floor(room/units + slack)
	switch {
	case !(n > 0):
		return 0
	case n > math.MaxInt32:
		return math.MaxInt32
	}
	return int(n)
}
