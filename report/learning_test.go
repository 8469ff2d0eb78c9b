package report

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
)

// Three weeks of days that are alike but for noise, every ten minutes; then two more days, which are replayed.
const (
	learningStep = 10 * time.Minute
	learningFrom = 21 * 144
	learningEnd  = 23 * 144
)

var learningStart = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) // a Monday

// ordinary is the demand of a day without any peak.
func ordinary(at time.Time) float64 {
	hour := float64(at.Hour()) + float64(at.Minute())/60
	return 100 - 60*math.Cos(2*math.Pi*(hour-3)/24)
}

// lifted is three weeks and two days of demand; peak changes it where it says so.
func lifted(peak func(at time.Time, demand float64) float64) history.Series {
	r := rand.New(rand.NewPCG(4, 2))
	s := history.Series{Start: learningStart, Step: learningStep, Values: make([]float64, learningEnd)}
	for i := range s.Values {
		at := learningStart.Add(time.Duration(i) * learningStep)
		s.Values[i] = peak(at, ordinary(at)*(1+0.05*r.NormFloat64()))
	}
	return s
}

func noon(at time.Time) bool { return at.Hour() == 12 || at.Hour() == 13 }

// learned is what the models expect and the plan serves from noon to two o'clock of the two replayed days, as multiples of the
// ordinary demand, and the share of steps at which the forecast was served at all.
type learned struct {
	expects, serves [2]float64
	skilled         float64
}

func learn(t *testing.T, s history.Series, peaks string) learned {
	t.Helper()
	var declared Peaks
	if peaks != "" {
		var err error
		if declared, err = ReadPeaks(strings.NewReader("apiVersion: headstart.dev/v1alpha1\nkind: PeakSchedule\nmetadata: {name: p}\nspec:\n  forecastSelector: {}\n  timeZone: UTC\n" + peaks)); err != nil {
			t.Fatal(err)
		}
	}
	replay := served(t, s, learningFrom, func(o *Options) {
		o.Contract, o.Capacity, o.Peaks = forecaster.Contract{ServiceLevel: 0.9}, 5, declared.Schedules
	})
	out := learned{skilled: float64(replay.Skilled) / float64(len(replay.Served))}
	var n [2]float64
	for i := range replay.Served {
		at := learningStart.Add(time.Duration(learningFrom+i) * learningStep)
		if day := i / 144; noon(at) && noon(at.Add(learningStep)) { // the last step's lead window reaches out of the peak
			out.expects[day] += replay.Expected[i] / ordinary(at)
			out.serves[day] += replay.Served[i] / ordinary(at)
			n[day]++
		}
	}
	for day := range n {
		out.expects[day] /= n[day]
		out.serves[day] /= n[day]
	}
	return out
}

// TestPeaksDoNotTeachWhatTheyAreNot replays the real forecaster over demand with declared peaks.
func TestPeaksDoNotTeachWhatTheyAreNot(t *testing.T) {
	times := func(factor float64, when func(at time.Time) bool) history.Series {
		return lifted(func(at time.Time, demand float64) float64 {
			if when(at) {
				return factor * demand
			}
			return demand
		})
	}
	window := func(text string) string { return "  windows: [" + text + "]\n" }
	daily := func(demand string) string {
		return window(`{name: noon, schedule: "0 12 * * *", duration: 2h, demand: ` + demand + `}`)
	}
	mondays := func(at time.Time) bool { return noon(at) && (at.Day() == 8 || at.Day() == 15) }
	yesterday := func(at time.Time) bool { return noon(at) && at.Day() == 21 }
	fromNow := func(at time.Time) bool { return noon(at) && at.Day() >= 22 }
	sale := func(at time.Time) bool { return at.Day() >= 22 }
	cases := map[string]struct {
		reason   string
		series   history.Series
		declared string
		// What the models are to expect, and the plan to serve, as multiples of the ordinary demand.
		expects, serves float64
		// undeclared says what the same demand does without the declaration: the test must be able to fail.
		undeclared func(learned) bool
	}{
		"RecurringFactor": {
			"the history shows the ×3 already: it is applied once, not to itself", times(3, noon), daily(`{multiply: "3"}`), 1, 3,
			func(l learned) bool { return l.expects[0] > 2.5 },
		},
		"RecurringAddition": {
			"the history shows the addition already", lifted(func(at time.Time, d float64) float64 {
				if noon(at) {
					return d + 300
				}
				return d
			}), daily(`{add: "300"}`), 1, 3.1,
			func(l learned) bool { return l.expects[0] > 2.5 },
		},
		"RecurringMinimum": {
			"the forecast knows the peak, and the larger of both counts", times(3, noon), daily(`{atLeast: "400"}`), 3, 3.1,
			func(l learned) bool { return l.serves[0] > 2.9 },
		},
		"OnceOnEachOfTwoMondays": {
			"two sales on Mondays are no weekly pattern", times(10, mondays),
			window(`{name: a, start: "2026-06-08T12:00", duration: 2h, demand: {multiply: "10"}}, {name: b, start: "2026-06-15T12:00", duration: 2h, demand: {multiply: "10"}}`), 1, 1.1,
			func(l learned) bool { return l.skilled < 1 || l.expects[0] > 1.1 },
		},
		"OnceYesterday": {
			"a sale yesterday is none today", times(4, yesterday), window(`{name: a, start: "2026-06-21T12:00", duration: 2h, demand: {multiply: "4"}}`), 1, 1.1,
			func(l learned) bool { return l.skilled < 1 || l.expects[0] > 1.2 },
		},
		"FromNowOn": {
			"a recurrence that begins today is not taken off a past that had none", times(3, fromNow),
			daily(`{multiply: "3"}`) + "  only: {dates: [\"2026-06-22/2199-12-31\"]}\n", 1, 3.1,
			func(l learned) bool { return l.skilled < 1 || l.serves[0] < 2.9 },
		},
		"SaleUnderWay": {
			"a ×3 sale that is under way stays ×3", times(3, sale), window(`{name: sale, start: "2026-06-22T00:00", duration: 2d, demand: {multiply: "3"}}`), 1, 3.1,
			func(l learned) bool { return l.expects[0] > 2.5 }, // the sale passes for the new level
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := learn(t, tc.series, tc.declared)
			if got.skilled < 1 {
				t.Errorf("%s: the forecast was served at %.0f %% of the steps only", tc.reason, 100*got.skilled)
			}
			for day := range got.serves {
				if math.Abs(got.expects[day]/tc.expects-1) > 0.1 {
					t.Errorf("%s: on day %d the models expect %.2f times the ordinary demand, want %.1f", tc.reason, day, got.expects[day], tc.expects)
				}
				if got.serves[day] < tc.serves*0.95 || got.serves[day] > tc.serves*1.2 {
					t.Errorf("%s: on day %d %.2f times the ordinary demand is served, want %.1f and some room", tc.reason, day, got.serves[day], tc.serves)
				}
			}
			if without := learn(t, tc.series, ""); !tc.undeclared(without) {
				t.Errorf("without the declaration the same comes out, so this shows nothing: %+v", without)
			}
		})
	}
}
