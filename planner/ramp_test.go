package planner

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// hpa is the scale-up half of the HPA controller, written from the documented rules: rolling
// periods over past scale-ups, the selected policy, and the stabilization window over past
// recommendations.
type hpa struct {
	ramp            Ramp
	replicas        int
	scaleUps        []change
	recommendations []change
}

type change struct {
	at time.Duration
	n  int
}

func (h *hpa) sync(at time.Duration, desired int) {
	h.recommendations = append(h.recommendations, change{at, desired})
	for _, r := range h.recommendations {
		if at-r.at <= h.ramp.Stabilization && r.n < desired {
			desired = r.n
		}
	}
	var limit int
	switch {
	case h.ramp.Select == SelectDisabled:
		limit = h.replicas
	case len(h.ramp.Policies) == 0:
		limit = max(2*h.replicas, 4)
	default:
		limit = -1
		for _, p := range h.ramp.Policies {
			begin := h.replicas
			for _, e := range h.scaleUps {
				if at-e.at < p.Period {
					begin -= e.n
				}
			}
			allowed := begin + p.Value
			if p.Kind == PolicyPercent {
				allowed = int(math.Ceil(float64(begin) * (1 + float64(p.Value)/100)))
			}
			if limit < 0 || (h.ramp.Select == SelectMin) == (allowed < limit) {
				limit = allowed
			}
		}
	}
	if up := min(desired, limit); up > h.replicas {
		h.scaleUps = append(h.scaleUps, change{at, up - h.replicas})
		h.replicas = up
	}
}

// An HPA that follows the raised plan always has the replicas of the original plan, wherever its
// syncs lie within the steps. It starts with what the raised plan requests at its first sync.
func TestEarlyCoversEveryOffset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ramp := drawRamp(t)
		step := time.Duration(rapid.SampledFrom([]int{5, 10, 15, 20, 30, 60, 300}).Draw(t, "step")) * time.Second
		want := rapid.SliceOfN(rapid.IntRange(1, 80), 1, 30).Draw(t, "want")
		for i := range want { // Plans have long runs of equal values.
			if i > 0 && rapid.IntRange(0, 2).Draw(t, "flat") > 0 {
				want[i] = want[i-1]
			}
		}
		plan := ramp.early(want, step)
		offset := time.Duration(rapid.IntRange(0, int(ramp.sync()/time.Second)-1).Draw(t, "offset")) * time.Second
		// The replicas of the first sync exist already: nothing can be requested before step 0.
		first := int(offset / step)
		if first >= len(plan) {
			return
		}
		h := hpa{ramp: ramp, replicas: plan[first]}
		for i := -400; i < 0; i++ {
			h.recommendations = append(h.recommendations, change{offset + time.Duration(i)*ramp.sync(), plan[first]})
		}
		for at := offset; at < time.Duration(len(want))*step; at += ramp.sync() {
			i := int(at / step)
			if plan[i] < want[i] {
				t.Fatalf("step %d: the plan fell from %d to %d", i, want[i], plan[i])
			}
			h.sync(at, plan[i])
			if h.replicas < want[i] {
				t.Fatalf("at %s (step %d of %s): %d replicas, want %d; all steps: want %v, plan %v",
					at, i, step, h.replicas, want[i], want, plan)
			}
		}
	})
}

func drawRamp(t *rapid.T) Ramp {
	r := Ramp{
		Sync:          time.Duration(rapid.SampledFrom([]int{0, 1, 5, 15, 30}).Draw(t, "sync")) * time.Second,
		Select:        rapid.SampledFrom([]Select{"", SelectMax, SelectMin}).Draw(t, "select"),
		Stabilization: time.Duration(rapid.SampledFrom([]int{0, 0, 0, 40, 300}).Draw(t, "stabilization")) * time.Second,
	}
	for range rapid.IntRange(0, 3).Draw(t, "policies") {
		r.Policies = append(r.Policies, Policy{
			Kind:   rapid.SampledFrom([]PolicyKind{PolicyPods, PolicyPercent}).Draw(t, "kind"),
			Value:  rapid.SampledFrom([]int{1, 4, 10, 100, 900}).Draw(t, "value"),
			Period: time.Duration(rapid.SampledFrom([]int{15, 20, 60, 120}).Draw(t, "period")) * time.Second,
		})
	}
	return r
}

func TestEarly(t *testing.T) {
	cases := map[string]struct {
		reason string
		ramp   Ramp
		step   time.Duration
		want   []int
		early  []int
	}{
		"DefaultWithinAMinute": {
			reason: "20 are needed one sync before 40; the steps 20 ← 10 ← 5 ← 3 ← 0 fit into the minute before",
			step:   time.Minute, want: []int{2, 2, 2, 40}, early: []int{2, 2, 20, 40},
		},
		"DefaultAtEachSync": {
			reason: "with steps of 15 s each step has one sync: 40, 20, 10, 5, 3; up to 4 are always allowed",
			step:   15 * time.Second, want: []int{2, 2, 2, 2, 2, 2, 40}, early: []int{2, 2, 3, 5, 10, 20, 40},
		},
		"None": {
			reason: "replicas that follow at once need no early start",
			ramp:   Ramp{None: true}, step: time.Minute, want: []int{1, 40}, early: []int{1, 40},
		},
		"Disabled": {
			reason: "an HPA that never scales up gains nothing from an early start",
			ramp:   Ramp{Select: SelectDisabled}, step: time.Minute, want: []int{1, 40}, early: []int{1, 40},
		},
		"OnePodAMinute": {
			reason: "each additional pod takes a minute",
			ramp:   Ramp{Policies: []Policy{{Kind: PolicyPods, Value: 1, Period: time.Minute}}},
			step:   time.Minute, want: []int{1, 1, 1, 1, 4}, early: []int{1, 1, 2, 3, 4},
		},
		"Stabilization": {
			reason: "an HPA that follows the lowest recommendation of the last minute needs it a minute earlier",
			ramp:   Ramp{Stabilization: time.Minute},
			step:   30 * time.Second, want: []int{2, 2, 2, 2, 4}, early: []int{2, 2, 4, 4, 4},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.early, tc.ramp.early(tc.want, tc.step)); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// The smallest m with max(2m, 4) ≥ n, worked out by hand: 5 needs 3 (2·3 = 6, but 2·2 = 4 is too
// few), and 4 needs 0.
func TestPredecessorWithoutBehavior(t *testing.T) {
	for n, want := range map[int]int{0: 0, 4: 0, 5: 3, 8: 4, 40: 20, 41: 21} {
		if got, syncs := (Ramp{}).predecessor(n); got != want || syncs != 1 {
			t.Errorf("predecessor(%d) = %d, %d; want %d, 1", n, got, syncs, want)
		}
	}
}

func TestReach(t *testing.T) {
	pods := Ramp{Policies: []Policy{{Kind: PolicyPods, Value: 1, Period: time.Minute}}, Stabilization: 30 * time.Second}
	for name, tc := range map[string]struct {
		ramp Ramp
		n    int
		want time.Duration
	}{
		"Default":  {Ramp{}, 40, 75 * time.Second}, // 40 ← 20 ← 10 ← 5 ← 3 ← 0
		"Pods":     {pods, 3, 3*time.Minute + 30*time.Second},
		"None":     {Ramp{None: true}, 40, 0},
		"Disabled": {Ramp{Select: SelectDisabled}, 40, 0},
	} {
		if got := tc.ramp.Reach(tc.n); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}
