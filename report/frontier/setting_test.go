package frontier

import (
	"fmt"
	"testing"
)

// A figure between two points of a frontier belongs to neither of their settings alone. Both are
// named, so that a reader knows from where to where to look.
func TestSettingNamesBothThatDiffer(t *testing.T) {
	cost := func(knob, headroom, hours float64) Point {
		name := fmt.Sprintf("shortage cost %v", knob)
		return Point{Knob: knob, Contract: name, ShortageCost: knob, Headroom: headroom, ReplicaHours: hours}
	}
	level := func(knob, hours float64) Point {
		return Point{Knob: knob, Contract: fmt.Sprintf("service level %v", knob), ReplicaHours: hours}
	}
	costs := Line{cost(2, 0.5, 10), cost(2, 0, 20), cost(20, 0, 30), cost(1000, 0, 40), cost(1000, 1.04, 50)}
	cases := map[string]struct {
		reason string
		line   Line
		hours  float64
		want   string
	}{
		"Point":  {"a point is one setting", costs, 30, "shortage cost 20"},
		"Costs":  {"between two costs", costs, 35, "a shortage cost between 20 and 1000"},
		"Levels": {"between two levels", Line{level(0.98, 1), level(0.99, 3)}, 2, "a service level between 0.98 and 0.99"},
		"Headroom": {
			"beyond the last contract the headroom differs", costs, 45,
			"shortage cost 1000 and a headroom between 1.00 and 1.04",
		},
		"FirstHeadroom": {
			"before the first one too", costs, 15, "shortage cost 2 and a headroom between 0.50 and 1.00",
		},
		"Both": {
			"both differ",
			Line{cost(2, 0.9, 10), cost(3, 0, 20)},
			15,
			"a setting between shortage cost 2 with headroom 0.90 and shortage cost 3",
		},
		"Rival": {
			"a policy of today",
			Line{{Knob: 1, ReplicaHours: 1}, {Knob: 1.25, ReplicaHours: 2}},
			1.5,
			"a headroom between 1.00 and 1.25",
		},
		"Dearest": {"beyond the last point", costs, 99, "shortage cost 1000 with headroom 1.04"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.line.Setting(tc.hours); got != tc.want {
				t.Errorf("%s: %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}
