package report

import (
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
)

// The series has steps of ten minutes: three weeks of equal days with noise, and two days that are
// replayed.
const (
	learningStep = 10 * time.Minute
	learningFrom = 21 * 144
	learningEnd  = 23 * 144
)

var learningStart = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) // a Monday

// ordinary returns the demand without any peak.
func ordinary(at time.Time) float64 {
	hour := float64(at.Hour()) + float64(at.Minute())/60
	return 100 - 60*math.Cos(2*math.Pi*(hour-3)/24)
}

// lifted returns the series, with each value changed by peak.
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

// lesson is the result of a replay. expects and serves are what the models expect and what the
// plan serves, from 12:00 to 14:00 of each replayed day, as multiples of the ordinary demand.
// skilled is the share of the steps at which the forecast was served.
type lesson struct {
	expects, serves [2]float64
	skilled         float64
}

func learn(t *testing.T, s history.Series, peaks string) lesson {
	t.Helper()
	var declared Peaks
	if peaks != "" {
		const head = "apiVersion: headstart.dev/v1alpha1\nkind: PeakSchedule\nmetadata: {name: p}\n" +
			"spec:\n  forecastSelector: {}\n  timeZone: UTC\n"
		var err error
		if declared, err = ReadPeaks(strings.NewReader(head + peaks)); err != nil {
			t.Fatal(err)
		}
	}
	replay := served(t, s, learningFrom, func(o *Options) {
		o.Contract, o.Capacity, o.Peaks = forecaster.Contract{ServiceLevel: 0.9}, 5, declared.Schedules
	})
	out := lesson{skilled: float64(replay.Skilled) / float64(len(replay.Served))}
	var n [2]float64
	for i := range replay.Served {
		at := learningStart.Add(time.Duration(learningFrom+i) * learningStep)
		if day := i / 144; noon(at) && noon(at.Add(learningStep)) { // the lead window is within the peak
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

// learningCase is a series with a declared peak.
type learningCase struct {
	reason   string
	series   history.Series
	declared string
	// What the models should expect, and what the plan should serve, as multiples of the ordinary
	// demand.
	expects, serves float64
	// undeclared reports whether the result without the declaration is different. If it never is,
	// the test cannot fail.
	undeclared func(lesson) bool
}

// times returns the series with the demand multiplied at some times.
func times(factor float64, when func(at time.Time) bool) history.Series {
	return lifted(func(at time.Time, demand float64) float64 {
		if when(at) {
			return factor * demand
		}
		return demand
	})
}

func window(text string) string { return "  windows: [" + text + "]\n" }

func daily(demand string) string {
	return window(`{name: noon, schedule: "0 12 * * *", duration: 2h, demand: ` + demand + `}`)
}

// recurringCases are peaks that the history shows every day.
func recurringCases() map[string]learningCase {
	return map[string]learningCase{
		"RecurringFactor": {
			"the history already shows the ×3: it is applied once, and not to itself",
			times(3, noon), daily(`{multiply: "3"}`), 1, 3,
			func(l lesson) bool { return l.expects[0] > 2.5 },
		},
		"RecurringAddition": {
			"the history already shows the addition",
			lifted(func(at time.Time, d float64) float64 {
				if noon(at) {
					return d + 300
				}
				return d
			}),
			daily(`{add: "300"}`), 1, 3.1,
			func(l lesson) bool { return l.expects[0] > 2.5 },
		},
		"RecurringMinimum": {
			"the forecast knows the peak, and the larger of the two counts",
			times(3, noon), daily(`{atLeast: "400"}`), 3, 3.1,
			func(l lesson) bool { return l.serves[0] > 2.9 },
		},
	}
}

// singleCases are peaks that the history does not show every day.
func singleCases() map[string]learningCase {
	mondays := func(at time.Time) bool { return noon(at) && (at.Day() == 8 || at.Day() == 15) }
	yesterday := func(at time.Time) bool { return noon(at) && at.Day() == 21 }
	fromNow := func(at time.Time) bool { return noon(at) && at.Day() >= 22 }
	sale := func(at time.Time) bool { return at.Day() >= 22 }
	return map[string]learningCase{
		"OnceOnEachOfTwoMondays": {
			"two sales on Mondays are not a weekly pattern",
			times(10, mondays),
			window(`{name: a, start: "2026-06-08T12:00", duration: 2h, demand: {multiply: "10"}}, ` +
				`{name: b, start: "2026-06-15T12:00", duration: 2h, demand: {multiply: "10"}}`), 1, 1.1,
			func(l lesson) bool { return l.skilled < 1 || l.expects[0] > 1.1 },
		},
		"OnceYesterday": {
			"a sale yesterday does not mean a sale today",
			times(4, yesterday),
			window(`{name: a, start: "2026-06-21T12:00", duration: 2h, demand: {multiply: "4"}}`), 1, 1.1,
			func(l lesson) bool { return l.skilled < 1 || l.expects[0] > 1.2 },
		},
		"FromNowOn": {
			"a recurring peak that begins today is not removed from a history without it",
			times(3, fromNow),
			daily(`{multiply: "3"}`) + "  only: {dates: [\"2026-06-22/2199-12-31\"]}\n", 1, 3.1,
			func(l lesson) bool { return l.skilled < 1 || l.serves[0] < 2.9 },
		},
		"SaleUnderWay": {
			"a ×3 sale that is under way stays ×3",
			times(3, sale),
			window(`{name: sale, start: "2026-06-22T00:00", duration: 2d, demand: {multiply: "3"}}`), 1, 3.1,
			func(l lesson) bool { return l.expects[0] > 2.5 }, // the sale looks like a new level
		},
	}
}

// TestPeaksDoNotTeachFalsePatterns replays the real forecaster over demand with declared peaks.
func TestPeaksDoNotTeachFalsePatterns(t *testing.T) {
	cases := recurringCases()
	if !testing.Short() {
		maps.Copy(cases, singleCases())
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := learn(t, tc.series, tc.declared)
			if got.skilled < 1 {
				t.Errorf("%s: the forecast was served at only %.0f %% of the steps", tc.reason, 100*got.skilled)
			}
			for day := range got.serves {
				if math.Abs(got.expects[day]/tc.expects-1) > 0.1 {
					t.Errorf("%s: on day %d the models expect %.2f times the ordinary demand, want %.1f",
						tc.reason, day, got.expects[day], tc.expects)
				}
				if got.serves[day] < tc.serves*0.95 || got.serves[day] > tc.serves*1.2 {
					t.Errorf("%s: on day %d %.2f times the ordinary demand is served, want %.1f and some headroom",
						tc.reason, day, got.serves[day], tc.serves)
				}
			}
			if without := learn(t, tc.series, ""); !tc.undeclared(without) {
				t.Errorf("the result without the declaration is the same, so this test shows nothing: %+v", without)
			}
		})
	}
}
