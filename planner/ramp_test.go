package planner

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// hpa is the scale-up half of the HPA controller, written from its own rules: rolling periods over the events of the past, the
// selected policy, and the stabilisation window over past wishes.
type hpa struct {
	ramp     Ramp
	replicas int
	events   []change
	wishes   []change
}

type change struct {
	at time.Duration
	n  int
}

func (h *hpa) sync(at time.Duration, wish int) {
	h.wishes = append(h.wishes, change{at, wish})
	for _, w := range h.wishes {
		if at-w.at <= h.ramp.Stabilization && w.n < wish {
			wish = w.n
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
			for _, e := range h.events {
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
	if up := min(wish, limit); up > h.replicas {
		h.events = append(h.events, change{at, up - h.replicas})
		h.replicas = up
	}
}

// An HPA that follows the raised plan, from whatever it had, in whatever phase, is never short of the plan as it was, once
// its first free climb is over.
func TestEarlyCoversEveryPhase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ramp := drawRamp(t)
		step := time.Duration(rapid.SampledFrom([]int{5, 10, 15, 20, 30, 60, 300}).Draw(t, "step")) * time.Second
		want := rapid.SliceOfN(rapid.IntRange(1, 80), 1, 30).Draw(t, "want")
		for i := range want { // long flat stretches, as plans have them
			if i > 0 && rapid.IntRange(0, 2).Draw(t, "flat") > 0 {
				want[i] = want[i-1]
			}
		}
		plan := ramp.early(want, step)
		phase := time.Duration(rapid.IntRange(0, int(ramp.sync()/time.Second)-1).Draw(t, "phase")) * time.Second
		// What the plan asks for at its first sync is there already: nothing can be done about the past.
		first := int(phase / step)
		if first >= len(plan) {
			return
		}
		h := hpa{ramp: ramp, replicas: plan[first]}
		for i := -400; i < 0; i++ {
			h.wishes = append(h.wishes, change{phase + time.Duration(i)*ramp.sync(), plan[first]})
		}
		for at := phase; at < time.Duration(len(want))*step; at += ramp.sync() {
			i := int(at / step)
			if plan[i] < want[i] {
				t.Fatalf("step %d: the plan fell from %d to %d", i, want[i], plan[i])
			}
			h.sync(at, plan[i])
			if h.replicas < want[i] {
				t.Fatalf("at %s (step %d of %s): %d replicas, %d wanted; want %v, plan %v", at, i, step, h.replicas, want[i], want, plan)
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
			reason: "40 ← 20 one sync before; 20 ← 10 ← 5 ← 3 ← 0 are syncs of the same minute or need nothing",
			step:   time.Minute, want: []int{2, 2, 2, 40}, early: []int{2, 2, 20, 40},
		},
		"DefaultAtEachSync": {
			reason: "with steps of 15 s each step has one sync: 40, 20, 10, 5, 3, and up to 4 are free",
			step:   15 * time.Second, want: []int{2, 2, 2, 2, 2, 2, 40}, early: []int{2, 2, 3, 5, 10, 20, 40},
		},
		"None": {
			reason: "replicas that follow at once need no early start",
			ramp:   Ramp{None: true}, step: time.Minute, want: []int{1, 40}, early: []int{1, 40},
		},
		"Disabled": {
			reason: "an HPA that may not scale up cannot be helped",
			ramp:   Ramp{Select: SelectDisabled}, step: time.Minute, want: []int{1, 40}, early: []int{1, 40},
		},
		"OnePodAMinute": {
			reason: "each pod more takes a minute more",
			ramp:   Ramp{Policies: []Policy{{Kind: PolicyPods, Value: 1, Period: time.Minute}}},
			step:   time.Minute, want: []int{1, 1, 1, 1, 4}, early: []int{1, 1, 2, 3, 4},
		},
		"Stabilization": {
			reason: "an HPA that follows the lowest wish of the last minute must hear the wish a minute earlier",
			ramp:   Ramp{Stabilization: time.Minute}, step: 30 * time.Second, want: []int{2, 2, 2, 2, 4}, early: []int{2, 2, 4, 4, 4},
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

// The fewest n with max(2n, 4) at least the wanted number, by hand: 5 needs 3 (2·3 = 6; 2·2 = 4 is short), 4 needs none.
func TestDefaultLink(t *testing.T) {
	for n, want := range map[int]int{0: 0, 4: 0, 5: 3, 8: 4, 40: 20, 41: 21} {
		if got, syncs := (Ramp{}).link(n); got != want || syncs != 1 {
			t.Errorf("link(%d) = %d, %d; want %d, 1", n, got, syncs, want)
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
