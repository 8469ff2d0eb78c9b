package overflow

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestShare(t *testing.T) {
	claim := func(name string, priority int32, least, need int) Claim {
		return Claim{Name: name, Priority: priority, Units: 1, Min: least, Need: need}
	}
	cases := map[string]struct {
		reason string
		room   float64
		claims []Claim
		want   []int
	}{
		"Enough": {
			reason: "where all fits, everybody gets what they need",
			room:   10, claims: []Claim{claim("a", 0, 1, 4), claim("b", 5, 1, 6)}, want: []int{4, 6},
		},
		"Priority": {
			reason: "the higher priority has what it needs, the lower what is left",
			room:   6, claims: []Claim{claim("a", 0, 1, 4), claim("b", 5, 1, 4)}, want: []int{2, 4},
		},
		"MinimumFirst": {
			reason: "the minimum of the lower priority is kept, since an autoscaler does not go below it",
			room:   4, claims: []Claim{claim("a", 0, 2, 4), claim("b", 5, 1, 9)}, want: []int{2, 2},
		},
		"Equal": {
			reason: "equal priorities get equal parts",
			room:   6, claims: []Claim{claim("a", 0, 0, 9), claim("b", 0, 0, 9)}, want: []int{3, 3},
		},
		"UnusedPart": {
			reason: "the part that one does not need goes to the other",
			room:   6, claims: []Claim{claim("a", 0, 0, 1), claim("b", 0, 0, 9)}, want: []int{1, 5},
		},
		"OddRest": {
			reason: "the odd replica goes by name, so that every owner decides the same",
			room:   5, claims: []Claim{claim("b", 0, 0, 9), claim("a", 0, 0, 9)}, want: []int{3, 2},
		},
		"StrictOrder": {
			reason: "what is too small for a replica of the higher priority is not given to a lower one",
			room:   5,
			claims: []Claim{{Name: "a", Units: 1, Need: 3}, {Name: "b", Priority: 1, Units: 4, Need: 2}},
			want:   []int{0, 1},
		},
		"NoRoom": {reason: "room below 0 is none", room: -3, claims: []Claim{claim("a", 0, 1, 2)}, want: []int{0}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Share(tc.room, tc.claims)); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func drawClaims(t *rapid.T) []Claim {
	units, most := []float64{0.25, 1, 2, 8}, 30
	if rapid.Bool().Draw(t, "extreme") {
		units, most = []float64{1e-9, 1e-3, 1, 1e9}, 1<<30
	}
	var claims []Claim
	for i := range rapid.IntRange(1, 6).Draw(t, "services") {
		claims = append(claims, Claim{
			Name:     string(rune('a' + i)),
			Priority: rapid.Int32Range(-1, 2).Draw(t, "priority"),
			Units:    rapid.SampledFrom(units).Draw(t, "units"),
			Min:      rapid.IntRange(0, 3).Draw(t, "min"), Need: rapid.IntRange(0, most).Draw(t, "need"),
		})
	}
	return claims
}

// Nobody gets more than there is or than they want; the higher priority is never short while a lower
// one has more than its minimum; equal priorities are never a replica apart unless one has all.
func TestShareProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		claims, room := drawClaims(t), rapid.Float64Range(0, 120).Draw(t, "room")
		got := Share(room, claims)
		used, largest := 0.0, 0.0
		for i, c := range claims {
			used += float64(got[i]) * c.Units
			largest = max(largest, c.Units)
			if got[i] < 0 || got[i] > c.want() {
				t.Fatalf("%s gets %d of %d", c.Name, got[i], c.want())
			}
		}
		if used > room+1e-6+slack*largest {
			t.Fatalf("%v of %v are given", used, room)
		}
		for i, high := range claims {
			if got[i] >= high.want() {
				continue
			}
			for k, low := range claims {
				extra := got[k] - low.Min
				if low.Priority < high.Priority && extra > 0 {
					t.Fatalf("%s is short, and %s has %d more than its minimum", high.Name, low.Name, extra)
				}
			}
			if used+high.Units <= room-1e-6 && !hasHigherShort(claims, got, i) {
				t.Fatalf("%s is short, and there is room for one more", high.Name)
			}
		}
	})
}

// hasHigherShort reports whether a service of a higher priority is short, or one of the same.
func hasHigherShort(claims []Claim, got []int, of int) bool {
	for i, c := range claims {
		if i != of && c.Priority >= claims[of].Priority && got[i] < c.want() {
			return true
		}
	}
	return false
}

// Every owner of a Forecast computes the same parts, in whatever order it lists the services.
func TestShareIgnoresOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		claims, room := drawClaims(t), rapid.Float64Range(0, 120).Draw(t, "room")
		order := rapid.Permutation(claims).Draw(t, "order")
		got, other := Share(room, claims), Share(room, order)
		for i, c := range claims {
			k := slices.IndexFunc(order, func(o Claim) bool { return o.Name == c.Name })
			if got[i] != other[k] {
				t.Fatalf("%s gets %d, and %d in another order", c.Name, got[i], other[k])
			}
		}
	})
}

// One service takes a thousandth of a GPU for a replica, and one a million of them. What the second
// leaves goes to the first, at each of many steps, without a turn for each replica.
func TestShareOfDifferentUnits(t *testing.T) {
	claims := []Claim{{Name: "a", Units: 0.001, Need: 1 << 30}, {Name: "b", Units: 1e6, Need: 1 << 30}}
	for range 10_000 {
		if diff := cmp.Diff([]int{999_999_000, 0}, Share(999_999, claims)); diff != "" {
			t.Fatalf("-want, +got:\n%s", diff)
		}
	}
}

// Turns that are taken at once give the same as one after the other.
func TestTakeTurns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var parts []part
		for i := range rapid.IntRange(1, 6).Draw(t, "parts") {
			parts = append(parts, part{
				claim: i, more: rapid.IntRange(0, 200).Draw(t, "more"),
				units: rapid.SampledFrom([]float64{0.25, 1, 2, 8, 64}).Draw(t, "units"),
			})
		}
		left := rapid.Float64Range(0, 500).Draw(t, "left")
		want, used := make([]int, len(parts)), 0.0
		for more := true; more; {
			more = false
			for i, p := range parts {
				if want[i] < p.more && used+p.units <= left+slack {
					want[i]++
					used += p.units
					more = true
				}
			}
		}
		got := make([]int, len(parts))
		takeTurns(left, 0, parts, got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-want, +got:\n%s", diff)
		}
	})
}

// Needs beyond any cluster are a mistake in units, and are bounded for all alike.
func TestContestBoundsCounts(t *testing.T) {
	huge := planOf(1e15)
	c := newContest(&Common{
		Most: 10, By: Pool, Own: Claim{Name: "own", Units: 1, Min: 1 << 30},
		Others: []Member{{Claim: Claim{Name: "other", Units: 1, Min: 1 << 30}, Plan: &huge, Capacity: 1}},
	}, huge.Start, huge.Segments[0], 1, []int{1 << 30})
	for i, claim := range c.claims {
		if claim.Min > maxCount || c.needs[i][0] > maxCount {
			t.Errorf("%s keeps %d and needs %d", claim.Name, claim.Min, c.needs[i][0])
		}
	}
}
