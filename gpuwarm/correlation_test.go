package gpuwarm

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func sqrt(x float64) float64 { return math.Sqrt(x) }

// errorsWith returns the errors of two services over n slots: correlated normal draws.
func errorsWith(t *testing.T, correlation float64, n int) *ForecastErrors {
	t.Helper()
	e, r := &ForecastErrors{}, newRand(3)
	tl := func() Timeline {
		return unsure(t, 0.9, "120|120"+strings.Repeat(" 120", 23), "100")
	}
	now := epoch
	for range n {
		now = now.Add(slot)
		common := r.NormFloat64()
		for _, s := range []string{"a", "b"} {
			plan := tl()
			plan.segments[1].from = now.Add(-time.Hour)
			plan.segments[1].expected = make([]int, len(plan.segments[1].replicas))
			for i := range plan.segments[1].expected {
				plan.segments[1].expected[i] = 100
			}
			plan.segments = plan.segments[1:]
			e.RecordDemand(s, now, 100+15*(sqrt(correlation)*common+sqrt(1-correlation)*r.NormFloat64()))
			e.RecordPlan(s, now, plan)
		}
	}
	return e
}

func TestCorrelation(t *testing.T) {
	pair := []string{"a", "b"}
	cases := map[string]struct {
		reason    string
		truth     float64
		slots     int
		low, high float64
	}{
		"Unknown": {"A few slots say nothing.", 0, 10, 1, 1},
		"Independent": {
			"After two days, independent errors are known as such, within two standard errors.", 0, 280, 0,
			0.3,
		},
		"Alike": {"Errors that are alike are never taken for independent ones.", 1, 280, 0.95, 1},
		"Half":  {"Half is measured as about half, or more.", 0.5, 280, 0.5, 0.8},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, n := errorsWith(t, tc.truth, tc.slots).Correlation(pair)
			if got < tc.low || got > tc.high {
				t.Errorf("\nReason: %s\ngot %.2f from %d slots, want from %v to %v", tc.reason, got, n, tc.low, tc.high)
			}
		})
	}
	e := errorsWith(t, 0, 280)
	if got, _ := e.Correlation([]string{"a", "b", "c"}); got < 0.6 {
		t.Errorf("of three, one of which is not known, two pairs are taken to be alike: %.2f", got)
	}
	e.Forget("b")
	if got, _ := e.Correlation(pair); got != 1 {
		t.Errorf("a removed service still counts: %v", got)
	}
	if got := len(e.plans); got > 8 {
		t.Errorf("%d plans are remembered", got)
	}
	long := errorsWith(t, 0, 600)
	if got := len(long.observed["a"]); got > maxSlots+1 {
		t.Errorf("%d errors are remembered", got)
	}
}

// What was measured before a restart still counts, less and less, and for the same services only.
func TestCorrelationIsRecalled(t *testing.T) {
	pair := []string{"b", "a"}
	end := epoch.Add(281 * slot)
	before, n := errorsWith(t, 0.2, 144).Correlation(pair)
	measured := Measured{before, n, end}
	cases := map[string]struct {
		reason   string
		services []string
		now      time.Time
		fresh    int // slots measured since, in which the services err alike
		low      float64
		high     float64
		samples  int
		recalled bool // that is all there is
	}{
		"AtOnce": {"A restart of a few minutes loses nothing.", []string{"a", "b"}, end, 0, before, before, n, true},
		"Few":    {"A few slots since say nothing yet.", pair, end, 8, before, before, n, true},
		"Both": {
			"As much again that differs moves it half way.", pair, end, 142, (before + 1) / 2, 1, n + 142, false,
		},
		"Replaced": {"After two days what was recalled counts no more.", pair, end, 289, 0.95, 1, 289, false},
		"Old":      {"A restart of two days forgets.", pair, end.Add(maxSlots * slot), 0, 1, 1, 0, false},
		"Other":    {"It is about two services and not about three.", []string{"a", "b", "c"}, end, 0, 1, 1, 0, false},
		"One":      {"And not about one of them and another.", []string{"a", "c"}, end, 0, 1, 1, 0, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := &ForecastErrors{}
			if tc.fresh > 0 {
				e = errorsWith(t, 1, tc.fresh)
			}
			e.Restore([]string{"a", "b"}, measured, tc.now)
			now := tc.now.Add(time.Hour)
			at := now
			if tc.recalled {
				at = end
			}
			if got := e.MeasuredAt(tc.services, now); !got.Equal(at) {
				t.Errorf("\nReason: %s\nmeasured at %v, want %v", tc.reason, got, at)
			}
			got, n := e.Correlation(tc.services)
			if got < tc.low-1e-9 || got > tc.high || (tc.samples != n && tc.samples+1 != n && tc.samples-1 != n) {
				t.Errorf("\nReason: %s\ngot %.3f from %d slots, want from %.3f to %v from %d",
					tc.reason, got, n, tc.low, tc.high, tc.samples)
			}
		})
	}
	e := &ForecastErrors{}
	for _, bad := range []Measured{{2, 100, end}, {-1, 100, end}, {math.NaN(), 100, end}, {0.5, 3, end}} {
		if e.Restore(pair, bad, end); len(e.recalled) > 0 {
			t.Errorf("%v was recalled", bad)
		}
	}
	e.Restore(pair, measured, end)
	e.Forget("a")
	if got, _ := e.Correlation(pair); got != 1 {
		t.Errorf("a removed service still counts: %v", got)
	}
}

// Retain removes everything about other services.
func TestErrorsRetain(t *testing.T) {
	e := errorsWith(t, 0.2, 24)
	e.Restore([]string{"a", "c"}, Measured{0.5, 144, epoch}, epoch)
	e.RecordPlan("c", epoch, Timeline{})
	e.Retain([]string{"a"})
	for _, f := range e.plans {
		if f.service != "a" {
			t.Errorf("the plan of %s is kept", f.service)
		}
	}
	if len(e.observed) != 1 || len(e.observed["a"]) == 0 || len(e.recalled) != 0 {
		t.Errorf("of one service %d are observed and %d recalled", len(e.observed), len(e.recalled))
	}
}
