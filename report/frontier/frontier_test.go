package frontier

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestNew(t *testing.T) {
	cases := map[string]struct {
		reason string
		points []Point
		want   Line
	}{
		"Empty": {"a policy that was not run has none", nil, nil},
		"Sorted": {
			"points may come in any order",
			[]Point{{Knob: 2, Unserved: 0.01, ReplicaHours: 20}, {Knob: 1, Unserved: 0.1, ReplicaHours: 10}},
			Line{{Knob: 1, Unserved: 0.1, ReplicaHours: 10}, {Knob: 2, Unserved: 0.01, ReplicaHours: 20}},
		},
		"Dominated": {
			"a setting that pays more and serves less is none to choose",
			[]Point{
				{Knob: 1, Unserved: 0.1, ReplicaHours: 10},
				{Knob: 2, Unserved: 0.2, ReplicaHours: 12},
				{Knob: 3, Unserved: 0.01, ReplicaHours: 20},
			},
			Line{{Knob: 1, Unserved: 0.1, ReplicaHours: 10}, {Knob: 3, Unserved: 0.01, ReplicaHours: 20}},
		},
		"Ties": {
			"of settings with the same service, the cheapest counts",
			[]Point{
				{Knob: 3, Unserved: 0.1, ReplicaHours: 10},
				{Knob: 2, Unserved: 0.1, ReplicaHours: 10},
				{Knob: 1, Unserved: 0.1, ReplicaHours: 11},
			},
			Line{{Knob: 2, Unserved: 0.1, ReplicaHours: 10}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, New(tc.points)); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestBetweenPoints(t *testing.T) {
	line := Line{
		{Knob: 1, Unserved: 0.1, ReplicaHours: 10},
		{Knob: 2, Unserved: 0.02, ReplicaHours: 20},
		{Knob: 3, Unserved: 0, ReplicaHours: 40},
	}
	for unserved, want := range map[float64]float64{0.5: 10, 0.1: 10, 0.06: 15, 0.02: 20, 0.01: 30, 0: 40} {
		if got, ok := line.HoursAt(unserved); !ok || math.Abs(got-want) > 1e-9 {
			t.Errorf("%v replica-hours at %v unserved, want %v", got, unserved, want)
		}
	}
	for hours, want := range map[float64]float64{10: 0.1, 15: 0.06, 30: 0.01, 40: 0, 90: 0} {
		if got, ok := line.UnservedAt(hours); !ok || math.Abs(got-want) > 1e-9 {
			t.Errorf("%v unserved at %v replica-hours, want %v", got, hours, want)
		}
	}
	if _, ok := line.UnservedAt(9); ok {
		t.Error("no setting pays as little as 9")
	}
	if _, ok := line[:2].HoursAt(0.01); ok {
		t.Error("no setting of the first two serves as much")
	}
}

// A frontier is monotone, its points are among those given, and the two questions are each other's
// inverse on it.
func TestFrontierProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		points := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Point {
			return Point{
				Knob:         rapid.Float64Range(1, 9).Draw(t, "knob"),
				Unserved:     float64(rapid.IntRange(0, 50).Draw(t, "unserved")) / 100,
				ReplicaHours: float64(rapid.IntRange(1, 50).Draw(t, "hours")),
			}
		}), 1, 20).Draw(t, "points")
		line := New(points)
		for i := 1; i < len(line); i++ {
			if line[i].ReplicaHours <= line[i-1].ReplicaHours || line[i].Unserved >= line[i-1].Unserved {
				t.Fatalf("not monotone: %v", line)
			}
		}
		for _, p := range points {
			hours, ok := line.HoursAt(p.Unserved)
			if !ok || hours > p.ReplicaHours {
				t.Fatalf("%v lies below the frontier %v", p, line)
			}
			if unserved, ok := line.UnservedAt(hours); !ok || unserved > p.Unserved+1e-12 {
				t.Fatalf("%v replica-hours leave %v unserved, not %v", hours, unserved, p.Unserved)
			}
		}
	})
}

func TestAround(t *testing.T) {
	line := Line{
		{Knob: 1, Unserved: 0.1, ReplicaHours: 10},
		{Knob: 2, Unserved: 0.01, ReplicaHours: 20},
		{Knob: 3, Unserved: 0, ReplicaHours: 40},
	}
	for name, tc := range map[string]struct {
		reason              string
		hours, below, above float64
	}{
		"Exact":   {"a point is one setting", 20, 2, 2},
		"Between": {"neither of the two pays as much", 30, 2, 3},
		"Cheaper": {"the first one is as near as one gets", 5, 1, 1},
		"Dearer":  {"likewise the last one", 50, 3, 3},
	} {
		if a, b := line.Around(tc.hours); a.Knob != tc.below || b.Knob != tc.above {
			t.Errorf("%s: %s: between %v and %v, want %v and %v", name, tc.reason, a.Knob, b.Knob, tc.below, tc.above)
		}
	}
	if a, b := (Line{}).Around(1); a != (Point{}) || b != (Point{}) {
		t.Errorf("an empty line has %v and %v", a, b)
	}
}
