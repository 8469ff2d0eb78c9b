package spend

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// service is a made-up service: in each step it has a demand, an expected demand and a forecast.
type service struct {
	step   time.Duration
	demand func(i int) float64
	// expected and full are factors on the demand of a step.
	expected, full func(i int) float64
	lead           int
}

// run plans a service for some steps under a bound, in replicas of one unit, and calls check after
// each.
func (s service) run(l *Ledger, b Bound, steps int, check func(i int, done Step, keep Keep)) {
	demand := func(i int) float64 { return math.Ceil(s.demand(i)) }
	for i := 1; i <= steps; i++ {
		at := epoch.Add(time.Duration(i) * s.step)
		keep := l.Keep(at, b)
		now := demand(i - 1)
		expected := now * s.expected(i)
		full := max(expected, now*s.full(i))
		replicas := func(v float64) float64 { return math.Ceil(max(v, now)) }
		done := Step{
			At: at, Length: s.step, Demand: now,
			Replicas: Replicas{
				Asked: replicas(keep.Of(now, expected, full)), Reactive: now, Full: replicas(full), Expected: replicas(expected),
			},
			Window: Window{Steps: s.lead + 1, Observed: now, Expected: max(now, expected), Full: max(now, full)},
		}
		l.Count(done)
		check(i, done, keep)
	}
}

func daily(level, swing float64, step time.Duration) func(int) float64 {
	return func(i int) float64 {
		return level * (1 + swing*math.Sin(2*math.Pi*float64(i)*step.Hours()/24))
	}
}

func always(v float64) func(int) float64 { return func(int) float64 { return v } }

// trailing is the ratio of a week, counted step by step.
type trailing struct{ asked, reactive []float64 }

func (t *trailing) add(s Step, week int) float64 {
	t.asked, t.reactive = append(t.asked, s.Asked), append(t.reactive, s.Reactive)
	var a, b float64
	for i := max(0, len(t.asked)-week); i < len(t.asked); i++ {
		a, b = a+t.asked[i], b+t.reactive[i]
	}
	return a / b
}

// Whatever a service asks for, a whole week of it stays at the bound: up to the tolerance, one step
// and what the sums of six hours blur. Only a fall of demand can lift the ratio above that, because
// what was spent before then weighs more. Nothing beyond observed demand is planned with meanwhile.
func TestAWeekStaysAtTheBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		step := rapid.SampledFrom([]time.Duration{10 * time.Minute, time.Hour}).Draw(t, "step")
		week := int(7 * 24 * time.Hour / step)
		b := Bound{AtMost: rapid.SampledFrom([]float64{1, 1.1, 1.5, 2, 4}).Draw(t, "at most"), Level: 0.99}
		falls := rapid.Bool().Draw(t, "falls")
		noise := rapid.SampledFrom([]float64{0, 0.1, 0.5}).Draw(t, "noise")
		levels, factors, margins := make([]float64, 9), make([]float64, 9), make([]float64, 9)
		for k := range levels { // One for each half of a week.
			levels[k] = 40
			if falls {
				levels[k] = 40 * math.Exp(2*rng.Float64()-1)
			}
			factors[k], margins[k] = 0.8+rng.Float64(), 1+6*rng.Float64()*rng.Float64()
		}
		part := func(i int) int { return min(len(levels)-1, 2*i/week) }
		swing, random := daily(1, 0.6*rng.Float64(), step), make([]float64, 5*week)
		for i := range random {
			random[i] = math.Exp(noise * rng.NormFloat64())
		}
		s := service{
			step: step, lead: 2,
			demand:   func(i int) float64 { return levels[part(i)] * swing(i) * random[i] },
			expected: func(i int) float64 { return factors[part(i)] },
			full:     func(i int) float64 { return factors[part(i)] * margins[part(i)] },
		}
		var seen trailing
		var l Ledger
		s.run(&l, b, 4*week, func(i int, done Step, keep Keep) {
			ratio := seen.add(done, week)
			if i < week {
				return
			}
			most := b.AtMost*(1+Tolerance) + 0.02 + 20/float64(week)
			if ratio <= most {
				return
			}
			if !falls {
				t.Fatalf("step %d: a week asks for %.3f, at most %.3f is allowed", i, ratio, b.AtMost)
			}
			if keep > 0.5 {
				t.Fatalf("step %d: a week asks for %.3f, more than %.3f, and a forecast is planned with: %.3f",
					i, ratio, b.AtMost, keep)
			}
		})
	})
}

// In a service that does not change, what is kept comes to rest where a week asks for just the
// bound. It does not swing: after the first days it moves by little within a day.
func TestItComesToRest(t *testing.T) {
	for name, tc := range map[string]struct {
		reason         string
		expected, full float64
		atMost         float64
		want           Keep
	}{
		"Affordable": {"a bound that is not reached changes nothing", 1.1, 1.8, 2, All},
		"Margin":     {"a part of the margin can be paid", 1.1, 3, 2, 1 + 0.9/1.9},
		"Expected":   {"not even expected demand can be paid", 1.5, 4, 1.2, 0.4},
		"Reactive":   {"a bound of 1 is a reactive policy", 1.5, 4, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			const step = 10 * time.Minute
			s := service{
				step: step, lead: 2, demand: daily(1000, 0.5, step), expected: always(tc.expected), full: always(tc.full),
			}
			var l Ledger
			week := int(7 * 24 * time.Hour / step)
			var ratio, lowest, highest float64
			var seen trailing
			lowest = 2
			s.run(&l, Bound{AtMost: tc.atMost, Level: 0.99}, 4*week, func(i int, done Step, keep Keep) {
				ratio = seen.add(done, week)
				if i > 3*week {
					lowest, highest = min(lowest, float64(keep)), max(highest, float64(keep))
				}
			})
			if highest-lowest > 0.02 && tc.atMost > 1 {
				t.Errorf("%s: it swings between %.3f and %.3f", tc.reason, lowest, highest)
			}
			if got := Keep(lowest); math.Abs(float64(got-tc.want)) > 0.05 {
				t.Errorf("%s: %.3f is kept, want %.3f", tc.reason, got, tc.want)
			}
			if ratio > tc.atMost*(1+Tolerance) {
				t.Errorf("%s: a week asks for %.3f, at most %.3f is allowed", tc.reason, ratio, tc.atMost)
			}
			if tc.want < All && ratio < 0.9*tc.atMost {
				t.Errorf("%s: a week asks for %.3f only of %.3f", tc.reason, ratio, tc.atMost)
			}
		})
	}
}

// A young service is held to the bound from the first hours on, and softly.
func TestAYoungService(t *testing.T) {
	const step = time.Minute
	s := service{step: step, lead: 5, demand: always(100), expected: always(1), full: always(6)}
	var l Ledger
	last := All
	var asked, reactive float64
	s.run(&l, Bound{AtMost: 2, Level: 0.99}, 2*1440, func(i int, done Step, keep Keep) {
		if math.Abs(float64(last-keep)) > 0.05 && i > 2 {
			t.Fatalf("minute %d: what is kept jumps from %.3f to %.3f", i, last, keep)
		}
		last = keep
		asked, reactive = asked+done.Asked, reactive+done.Reactive
		if over := asked - 2*reactive; over > Tolerance*2*100*7*1440 {
			t.Fatalf("minute %d: %.0f replica-minutes above the bound", i, over)
		}
	})
	if ratio := asked / reactive; ratio > 2.5 {
		t.Errorf("the first two days ask for %.3f, and the bound is 2", ratio)
	}
}

// What can be reached is what comes to pass: the share of windows that are covered.
func TestReachable(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, keep := range []Keep{0, 0.5, 1, 1.25, 1.6, 2} {
		var r reach
		covered, n := 0.0, 0.0
		for i := range 40_000 {
			w := Window{Steps: 1, Observed: 90, Expected: 100, Full: 150}
			demand := 100 * math.Exp(0.2*rng.NormFloat64())
			at := epoch.Add(time.Duration(i) * time.Minute)
			r.observe(Step{At: at, Length: time.Minute, Demand: demand, Window: w}, at.Add(-time.Minute))
			if i > 0 {
				n++
				if demand <= max(w.Observed, keep.Of(w.Observed, w.Expected, w.Full)) {
					covered++
				}
			}
		}
		if got, want := r.level(keep), covered/n; math.Abs(got-want) > 0.03 {
			t.Errorf("with %.2f, %.3f of the windows are said to be covered, and %.3f are", keep, got, want)
		}
	}
}

// A step that is planned twice is planned in the same way, and counts once.
func TestAStepCountsOnce(t *testing.T) {
	s := service{step: time.Hour, lead: 1, demand: always(10), expected: always(1.2), full: always(5)}
	var once, twice Ledger
	b := Bound{AtMost: 1.5, Level: 0.99}
	s.run(&once, b, 300, func(_ int, done Step, keep Keep) {
		if got := twice.Keep(done.At, b); got != keep {
			t.Fatalf("%s: %v is kept, and %v without a repetition", done.At, got, keep)
		}
		twice.Count(done)
		if got := twice.Keep(done.At, b); got != keep {
			t.Fatalf("%s: the second time %v is kept, after %v", done.At, got, keep)
		}
		twice.Count(done)
	})
	if a, b := fmt.Sprint(once.Record()), fmt.Sprint(twice.Record()); a != b {
		t.Errorf("a repeated step counts:\n%s\n%s", a, b)
	}
}

// Under another level the counts begin again: they are of forecasts that are not made any more.
func TestAnotherLevelBeginsAgain(t *testing.T) {
	s := service{step: time.Hour, lead: 1, demand: always(10), expected: always(1), full: always(5)}
	var l Ledger
	s.run(&l, Bound{AtMost: 1.5, Level: 0.99}, 200, func(int, Step, Keep) {})
	at := epoch.Add(201 * time.Hour)
	if got := l.Keep(at, Bound{AtMost: 1.5, Level: 0.99}); got == All {
		t.Error("all is kept, although it is too much")
	}
	if got := l.Keep(at, Bound{AtMost: 8, Level: 0.99}); got != All {
		t.Errorf("a higher bound counts at once, and %v is kept", got)
	}
	if got := l.Keep(at, Bound{AtMost: 1.5, Level: 0.9}); got != All {
		t.Errorf("another level begins with all, and %v is kept", got)
	}
}

// No step breaks a Ledger, and what is kept is a part of the forecast.
func TestAnyStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.Float64(), rapid.Float64Range(0, 100), rapid.Just(math.NaN()), rapid.Just(math.Inf(1)))
		var l Ledger
		at := epoch
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			at = at.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(9*24*time.Hour)).Draw(t, "after")))
			keep := l.Keep(at, Bound{AtMost: rapid.Float64Range(1, 1000).Draw(t, "at most"), Level: 0.9})
			if !(keep >= Nothing && keep <= All) {
				t.Fatalf("%v is kept", keep)
			}
			l.Count(Step{
				At: at, Length: time.Minute, Demand: number.Draw(t, "demand"),
				Replicas: Replicas{
					Asked: number.Draw(t, "asked"), Reactive: number.Draw(t, "reactive"),
					Full: number.Draw(t, "full"), Expected: number.Draw(t, "expected"),
				},
				Window: Window{
					Steps: rapid.IntRange(-1, 3).Draw(t, "window"), Observed: number.Draw(t, "observed"),
					Full: number.Draw(t, "whole"), Expected: number.Draw(t, "half"),
				},
			})
			if len(l.periods) > maxPeriods {
				t.Fatalf("%d periods are kept", len(l.periods))
			}
			if f := l.Figures(); f.Reachable < 0 || f.Reachable > 1 {
				t.Fatalf("%+v", f)
			}
		}
	})
}
