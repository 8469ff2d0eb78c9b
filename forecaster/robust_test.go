package forecaster

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster/internal/stats"
	"headstart.dev/headstart/forecaster/internal/synthetic"
)

// contracts are the two kinds of contract: everything below must hold for both.
func contracts() map[string]Contract {
	return map[string]Contract{"service level": {ServiceLevel: 0.95}, "shortage cost": {ShortageCost: 20}}
}

// What a fault did to the history must hardly show in what is served afterwards.
func TestFaultsOfThePastAreNotExpected(t *testing.T) {
	const day, step, lead = 144, 10 * time.Minute, 2
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	n := 20*day + 10*day/24 // day 20, ten o'clock
	cases := map[string]struct {
		reason  string
		spoil   func(v []float64)
		up, low float64 // what is served, relative to what is without the fault
	}{
		"zeros yesterday": {
			reason: "three hours of reported zeros were an outage, not demand",
			spoil:  func(v []float64) { clear(v[n-day-6 : n-day+12]) }, low: 0.93, up: 1.1,
		},
		"zeros last week": {
			reason: "the same a week ago",
			spoil:  func(v []float64) { clear(v[n-7*day-6 : n-7*day+12]) }, low: 0.93, up: 1.1,
		},
		"gaps yesterday": {
			reason: "an outage that reported nothing",
			spoil: func(v []float64) {
				for i := n - day - 6; i < n-day+12; i++ {
					v[i] = math.NaN()
				}
			}, low: 0.93, up: 1.1,
		},
		"an outage until now": {
			reason: "after two hours of zeros the service is still there",
			spoil:  func(v []float64) { clear(v[n-12:]) }, low: 0.85, up: 1.2,
		},
		"a spike last week": {
			reason: "what happened once is not expected again, unless a Calendar names it",
			spoil: func(v []float64) {
				for i := n - 7*day; i < n-7*day+3; i++ {
					v[i] *= 6
				}
			}, low: 0.95, up: 1.15,
		},
	}
	v := synthetic.Office(21, day, 1)[:n]
	for kind, contract := range contracts() {
		o := Options{Step: step, Lead: lead, Horizon: 6, Contract: contract}
		plain := outlookOf(t, Series{Start: start, Step: step, Values: v}, o)
		for name, c := range cases {
			t.Run(name+", "+kind, func(t *testing.T) {
				spoilt := append([]float64(nil), v...)
				c.spoil(spoilt)
				out := outlookOf(t, Series{Start: start, Step: step, Values: spoilt}, o)
				if r := out.Cover[0] / plain.Cover[0]; r < c.low || r > c.up {
					t.Errorf("\nReason: %s\nserved is %.3f times what it is without the fault, want %g to %g",
						c.reason, r, c.low, c.up)
				}
			})
		}
	}
}

func TestLevelShiftIsFollowedWithinTheHour(t *testing.T) {
	const day, step, lead = 144, 10 * time.Minute, 2
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	shift := 20*day + 11*day/24
	for name, factor := range map[string]float64{"doubled": 2, "halved": 0.5} {
		for kind, contract := range contracts() {
			t.Run(name+", "+kind, func(t *testing.T) {
				v := synthetic.Office(21, day, 1)
				for i := shift; i < len(v); i++ {
					v[i] *= factor
				}
				f := mustNew(t, Options{Step: step, Lead: lead, Horizon: 12, Contract: contract})
				if err := f.Start(Series{Start: start, Step: step, Values: v[:shift]}); err != nil {
					t.Fatal(err)
				}
				before := f.Outlook().Cover[0]
				if err := f.Update(v[shift : shift+day/24]...); err != nil {
					t.Fatal(err)
				}
				out := f.Outlook()
				for i, cover := range out.Cover[:6] { // noon to one o'clock: demand is flat
					if r := cover / (factor * before); r < 0.9 || r > 1.35 {
						t.Errorf("an hour after demand %s, step %d: served is %.2f times the new demand", name, i, r)
					}
				}
			})
		}
	}
}

// A compressed fortnight is what a demonstration has: a first fit must leave enough to learn from,
// and the skill must show.
func TestSkillOnACompressedFortnight(t *testing.T) {
	const step, day, lead = 2 * time.Second, 120, 8
	cases := map[string][]time.Duration{"periods detected": nil, "periods given": {4 * time.Minute, 28 * time.Minute}}
	for name, periods := range cases {
		t.Run(name, func(t *testing.T) {
			v := synthetic.Weekdays(16)
			f := mustNew(t, Options{
				Step: step, Lead: lead, Horizon: day, Contract: Contract{ServiceLevel: 0.9}, Periods: periods,
			})
			if err := f.Start(Series{Start: epoch, Step: step, Values: v[:14*day]}); err != nil {
				t.Fatal(err)
			}
			if d := f.Describe(); d.Skill < 0.2 {
				t.Errorf("skill %.2f on two weeks, want at least 0.2", d.Skill)
			}
			var all proportion
			excess := 0.0
			for i := 14 * day; i+lead < len(v); i++ {
				o := f.Outlook()
				if !o.Skilled {
					t.Fatalf("step %d: unskilled, by %.2f", i-14*day, f.Describe().Skill)
				}
				top := stats.Max(v[i : i+lead+1])
				all.add(top <= o.Cover[0])
				excess += o.Cover[0] / top
				if err := f.Update(v[i]); err != nil {
					t.Fatal(err)
				}
			}
			if s := all.share(); s < 0.86 || s > 0.97 {
				t.Errorf("covered %.3f of the lead windows of the next two days, want about 0.9", s)
			}
			if r := excess / all.n; r > 1.12 {
				t.Errorf("served %.2f times what was needed, want at most 1.12", r)
			}
		})
	}
}

// Whatever there is of a history, the forecast is as good as it allows, and a warning says what it
// lacks.
func TestShortAndOddHistories(t *testing.T) {
	const day, step, lead = 144, 10 * time.Minute, 1
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	office, constant, sparse := synthetic.Office(30, day, 3), make([]float64, 30*day), make([]float64, 30*day)
	rng := rand.New(rand.NewPCG(5, 6))
	for i := range constant {
		constant[i] = 7
		if rng.IntN(20) == 0 {
			sparse[i] = float64(1 + rng.IntN(4))
		}
	}
	cases := map[string]struct {
		reason   string
		v        []float64
		n        int // steps that are known at first
		skilled  bool
		warned   bool
		low, top float64 // of the share of windows covered over the next two days, before the floor
	}{
		"nothing":    {reason: "no history: no forecast", v: office, n: 0, warned: true},
		"half a day": {reason: "no season is known", v: office, n: day / 2, warned: true},
		"two days":   {reason: "a day repeats", v: office, n: 2 * day, low: 0.85, top: 1},
		"one week":   {reason: "days are learned from", v: office, n: 7 * day, skilled: true, low: 0.9, top: 1},
		"two weeks":  {reason: "weeks come in", v: office, n: 14 * day, skilled: true, low: 0.9, top: 1},
		"constant": {
			reason: "constant demand is covered exactly",
			v:      constant, n: 14 * day, warned: true, low: 1, top: 1,
		},
		"intermittent": {
			reason: "bursts that nothing announces: one in ten windows holds one",
			v:      sparse, n: 14 * day, low: 0.9, top: 1,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := mustNew(t, Options{Step: step, Lead: lead, Horizon: 6, Contract: Contract{ServiceLevel: 0.95}})
			if err := f.Start(Series{Start: start, Step: step, Values: c.v[:c.n]}); err != nil {
				t.Fatal(err)
			}
			if got := f.Outlook().Skilled; c.skilled && !got || got && c.n < day {
				t.Errorf("\nReason: %s\nskilled is %t", c.reason, got)
			}
			if w := f.Describe().Warnings; (len(w) > 0) != c.warned {
				t.Errorf("\nReason: %s\nwarnings %q", c.reason, w)
			}
			if c.top == 0 {
				return
			}
			share, largest := coverSteps(t, f, c.v, c.n, c.n+2*day, lead)
			if share < c.low || share > c.top {
				t.Errorf("\nReason: %s\ncovered %.3f of the lead windows, want %g to %g", c.reason, share, c.low, c.top)
			}
			if most := maxOverLargest * stats.Max(c.v); largest > most*(1+1e-9) {
				t.Errorf("\nReason: %s\nserved up to %g, more than %g", c.reason, largest, most)
			}
		})
	}
}

// coverSteps serves the steps from … to. It returns the share of their lead windows that was
// covered, and the largest demand that was provisioned for.
func coverSteps(t *testing.T, f *Forecaster, v []float64, from, to, lead int) (share, largest float64) {
	t.Helper()
	var covered proportion
	for i := from; i < to; i++ {
		cover := f.Outlook().Cover[0]
		largest = math.Max(largest, cover)
		covered.add(stats.Max(v[i:i+lead+1]) <= cover*(1+1e-9))
		if err := f.Update(v[i]); err != nil {
			t.Fatal(err)
		}
	}
	return covered.share(), largest
}

// Demand follows the wall clock, also on the morning after the clocks went forward or back.
func TestDayFollowsTheWallClock(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	const step, lead = 10 * time.Minute, 1
	for name, monday := range map[string]time.Time{
		"forward": time.Date(2026, 3, 30, 0, 0, 0, 0, berlin),
		"back":    time.Date(2026, 10, 26, 0, 0, 0, 0, berlin),
	} {
		for kind, contract := range contracts() {
			t.Run(name+", "+kind, func(t *testing.T) {
				start := monday.AddDate(0, 0, -22)
				// Sunday, hours after the change.
				until := time.Date(monday.Year(), monday.Month(), monday.Day()-1, 8, 30, 0, 0, berlin)
				rng := rand.New(rand.NewPCG(7, 8))
				demand := func(at time.Time) float64 {
					hour := float64(at.In(berlin).Hour()) + float64(at.In(berlin).Minute())/60
					if hour >= 9 && hour < 18 {
						return 100
					}
					return 20
				}
				s := Series{Start: start.UTC(), Step: step}
				for at := start; at.Before(until); at = at.Add(step) {
					s.Values = append(s.Values, demand(at)*(1+0.02*rng.NormFloat64()))
				}
				o := Options{Step: step, Lead: lead, Horizon: 144, Contract: contract, Location: berlin}
				out := outlookOf(t, s, o)
				for i, m := range out.Median[:120] {
					at := until.Add(time.Duration(i) * step)
					if want := demand(at); math.Abs(m-want) > 0.25*want {
						t.Errorf("at %s %.0f are expected, want about %.0f", at.In(berlin).Format("Mon 15:04"), m, want)
					}
				}
				// At 8:30 the window ends before nine: nothing is provisioned early. Twenty minutes
				// later the jump lies within it.
				if out.Cover[0] > 40 {
					t.Errorf("half an hour before nine %.0f are served, want about 20", out.Cover[0])
				}
				f := mustNew(t, o)
				if err := f.Start(s); err != nil {
					t.Fatal(err)
				}
				if err := f.Update(20, 20); err != nil {
					t.Fatal(err)
				}
				if got := f.Outlook().Cover[0]; got < 80 {
					t.Errorf("ten minutes before nine %.0f are served, want about 100", got)
				}
			})
		}
	}
}
