package convert

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/scheduler"
	"headstart.dev/headstart/scheduler/door"
)

// compiled returns the converted schedules of one Forecast, and its HPA's minReplicas.
func compiled(t *testing.T, result Result, forecast string) ([]*scheduler.Schedule, float64) {
	t.Helper()
	schedules := compiledSchedules(t, result, forecast)
	if len(schedules) == 0 {
		t.Fatalf("no PeakSchedule is for %s", forecast)
	}
	for _, object := range result.Objects {
		name, _ := object["metadata"].(map[string]any)["name"].(string)
		if object["kind"] == "HorizontalPodAutoscaler" && name == forecast {
			return schedules, float64(object["spec"].(map[string]any)["minReplicas"].(int32))
		}
	}
	return schedules, 0
}

// compiledSchedules returns the converted schedules of some Forecasts, or of all where none is named.
func compiledSchedules(t *testing.T, result Result, forecasts ...string) (schedules []*scheduler.Schedule) {
	t.Helper()
	calendars := scheduler.Calendars{}
	for _, object := range result.Objects {
		text, err := yaml.Marshal(object["spec"])
		if err != nil {
			t.Fatal(err)
		}
		name, _ := object["metadata"].(map[string]any)["name"].(string)
		switch object["kind"] {
		case "Calendar":
			var spec v1alpha1.CalendarSpec
			if err := yaml.UnmarshalStrict(text, &spec); err != nil {
				t.Fatal(err)
			}
			if calendars[name], err = scheduler.CompileCalendar(name, spec); err != nil {
				t.Fatal(err)
			}
		case "PeakSchedule":
			var spec v1alpha1.PeakScheduleSpec
			if err := yaml.UnmarshalStrict(text, &spec); err != nil {
				t.Fatal(err)
			}
			if len(forecasts) > 0 && !slices.Contains(forecasts, spec.ForecastRefs[0].Name) {
				continue
			}
			s, err := scheduler.Compile(name, spec, calendars)
			if err != nil {
				t.Fatal(err)
			}
			schedules = append(schedules, s)
		}
	}
	return schedules
}

// year has every minute of 2026, on the wall clock of a zone.
type year struct {
	at []time.Time
}

func yearIn(t *testing.T, zone string) year {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	var y year
	for at := time.Date(2026, 1, 1, 0, 0, 0, 0, location); at.Year() == 2026; at = at.Add(time.Minute) {
		y.at = append(y.at, at)
	}
	return y
}

// fires reports, for every minute, whether a cron expression with one minute and one hour matches
// on the days for which on is true.
func (y year) fires(minute, hour int, on func(t time.Time) bool) []bool {
	fires := make([]bool, len(y.at))
	for i, at := range y.at {
		fires[i] = at.Minute() == minute && at.Hour() == hour && on(at)
	}
	return fires
}

func daily(time.Time) bool { return true }

func workdays(t time.Time) bool { return t.Weekday() >= time.Monday && t.Weekday() <= time.Friday }

func onDay(day int) func(time.Time) bool {
	return func(t time.Time) bool { return t.Day() == day }
}

func on(days ...time.Weekday) func(time.Time) bool {
	return func(t time.Time) bool {
		for _, d := range days {
			if t.Weekday() == d {
				return true
			}
		}
		return false
	}
}

// betweenNext does what KEDA and Crane do: it is active while the next end is before the next
// start.
func betweenNext(starts, ends []bool) []bool {
	active := make([]bool, len(starts))
	nextStart, nextEnd := len(starts)+2, len(starts)+1
	for i := len(starts) - 1; i >= 0; i-- {
		active[i] = nextEnd <= nextStart
		if starts[i] {
			nextStart = i
		}
		if ends[i] {
			nextEnd = i
		}
	}
	return active
}

// states does what cronhpa and TKE do: every match sets a size, which stays until the next match.
func states(first float64, fires map[float64][]bool, n int) []float64 {
	out := make([]float64, n)
	size := first
	for i := range out {
		for value, f := range fires {
			if f[i] {
				size = value
			}
		}
		out[i] = size
	}
	return out
}

// compare counts the minutes at which the schedules differ from the original, for each reason. A
// difference without a reason is an error.
func (y year) compare(
	t *testing.T, schedules []*scheduler.Schedule, least float64, original func(i int) float64, reasons []reason,
) map[string]int {
	t.Helper()
	counts := map[string]int{}
	unexplained := 0
	for i, at := range y.at {
		if i < 7*24*60 || i >= len(y.at)-7*24*60 {
			continue // the models do not know the states before and after the year
		}
		demand := scheduler.Neutral()
		for _, s := range schedules {
			demand = demand.And(s.At(at))
		}
		got, want := math.Max(least, math.Max(demand.Replicas, demand.AtLeast)), original(i)
		if math.Abs(got-want) < 1e-9 {
			continue
		}
		explained := false
		for _, r := range reasons {
			if r.explains(at, got, want) {
				counts[r.name]++
				explained = true
				break
			}
		}
		if unexplained++; !explained && unexplained < 5 {
			t.Errorf("at %s: %v, the original %v", at, got, want)
		}
	}
	return counts
}

type reason struct {
	name     string
	explains func(at time.Time, got, want float64) bool
}

// clockChange explains differences within a day after a clock change.
var clockChange = reason{"clock change: durations are elapsed time", func(at time.Time, _, _ float64) bool {
	_, now := at.Zone()
	_, before := at.Add(-24 * time.Hour).Zone()
	return now != before
}}

// inBoth runs a comparison in a zone without clock changes, and in one with clock changes.
func inBoth(t *testing.T, run func(
	t *testing.T, y year, result func(name string) Result, reasons []reason, minutes map[string]int,
),
) {
	for zone, minutes := range map[string]map[string]int{"Asia/Shanghai": {}, "Europe/Berlin": {clockChange.name: 60}} {
		t.Run(zone, func(t *testing.T) {
			result := func(name string) Result { return convertFile(t, name, Options{TimeZone: zone}) }
			var reasons []reason
			if len(minutes) > 0 {
				reasons = append(reasons, clockChange)
			}
			run(t, yearIn(t, zone), result, reasons, minutes)
		})
	}
}

func wantMinutes(t *testing.T, want, got map[string]int) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("minutes of 2026 that differ, by reason: -want, +got\n%s", diff)
	}
}

func TestYearOfCronHPA(t *testing.T) {
	inBoth(t, func(t *testing.T, y year, result func(string) Result, reasons []reason, _ map[string]int) {
		schedules, least := compiled(t, result("cronhpa"), "checkout")
		excluded := func(on func(time.Time) bool) func(time.Time) bool {
			return func(t time.Time) bool {
				return on(t) && t.Weekday() != time.Friday && !(t.Month() == time.November && t.Day() == 15)
			}
		}
		want := states(3, map[float64][]bool{
			10: y.fires(0, 8, excluded(workdays)), 20: y.fires(30, 11, excluded(daily)), 3: y.fires(0, 22, excluded(daily)),
			40: y.fires(0, 0, func(t time.Time) bool { return t.Month() == time.November && t.Day() == 11 }),
		}, len(y.at))
		// Its windows end at 22:00, and no clock change is before that hour.
		wantMinutes(t, map[string]int{}, y.compare(t, schedules, least, func(i int) float64 { return want[i] }, reasons))
	})
}

func TestYearOfTKE(t *testing.T) {
	inBoth(t, func(t *testing.T, y year, result func(string) Result, reasons []reason, minutes map[string]int) {
		schedules, least := compiled(t, result("tke"), "hpc-render")
		labourDay := func(t time.Time) bool { return !(t.Month() == time.May && t.Day() == 1) }
		want := states(2, map[float64][]bool{8: y.fires(0, 9, labourDay), 2: y.fires(0, 21, labourDay)}, len(y.at))
		wantMinutes(t, map[string]int{}, y.compare(t, schedules, least, func(i int) float64 { return want[i] }, reasons))

		// From Friday 23:00 to Sunday 23:00, over both clock changes: an hour more in spring, one
		// less in autumn.
		schedules, least = compiled(t, result("tke"), "game")
		want = states(30,
			map[float64][]bool{60: y.fires(0, 23, on(time.Friday)), 30: y.fires(0, 23, on(time.Sunday))},
			len(y.at))
		double := map[string]int{}
		for name, n := range minutes {
			double[name] = 2 * n
		}
		wantMinutes(t, double, y.compare(t, schedules, least, func(i int) float64 { return want[i] }, reasons))
	})
}

func TestYearOfKEDA(t *testing.T) {
	y := yearIn(t, "Europe/Berlin")
	schedules, least := compiled(t, convertFile(t, "keda", Options{Door: door.External}), "api")
	all := betweenNext(y.fires(0, 8, daily), y.fires(0, 20, daily))
	office := betweenNext(y.fires(30, 6, workdays), y.fires(10, 22, daily))
	batch := betweenNext(y.fires(0, 23, daily), y.fires(0, 5, daily))
	const longWeekend = "kedacore/keda#4677: an end on more days than the start keeps it active over the weekend"
	weekend := reason{longWeekend, func(at time.Time, got, want float64) bool {
		return want == 12 && got < want && (at.Weekday() == time.Saturday || at.Weekday() == time.Sunday ||
			at.Weekday() == time.Friday && at.Hour() >= 22 || at.Weekday() == time.Monday && at.Hour() < 7)
	}}
	got := y.compare(t, schedules, least, func(i int) float64 {
		switch {
		case office[i]:
			return 12
		case batch[i]:
			return 9
		case all[i]:
			return 6
		default:
			return 2
		}
	}, []reason{weekend, clockChange})
	// 50 weekends, from Friday 22:10 to Sunday 22:10. Spring has an hour less and autumn one more.
	// Both clock changes are in weekends, so there is no other difference.
	wantMinutes(t, map[string]int{weekend.name: 50 * 48 * 60}, got)
}

func TestYearOfCrane(t *testing.T) {
	y := yearIn(t, "America/New_York")
	schedules, least := compiled(t, convertFile(t, "crane", Options{}), "php")
	night := betweenNext(y.fires(0, 22, daily), y.fires(0, 6, daily))
	monthEnd := betweenNext(y.fires(0, 9, onDay(28)), y.fires(0, 18, onDay(28)))
	utc := func(at time.Time) bool {
		at = at.UTC()
		return (at.Weekday() == time.Saturday || at.Weekday() == time.Sunday) && at.Hour() == 3
	}
	got := y.compare(t, schedules, least, func(i int) float64 {
		switch {
		case monthEnd[i]:
			return 15
		case utc(y.at[i]):
			return 7
		case night[i]:
			return 5
		default:
			return 2
		}
	}, []reason{clockChange})
	// 22:00 to 06:00 lasts eight hours: to 07:00 after the spring change, to 05:00 after the autumn
	// one.
	if diff := cmp.Diff(map[string]int{clockChange.name: 120}, got); diff != "" {
		t.Errorf("minutes of 2026 that differ, by reason: -want, +got\n%s", diff)
	}
}

// TestYearOfZalando compares with the adapter's formula: ten steps up to the start, the value, ten
// steps down, and only the date of today.
func TestYearOfZalando(t *testing.T) {
	y := yearIn(t, "Europe/Berlin")
	schedules, least := compiled(t, convertFile(t, "zalando", Options{}), "flash")
	least = math.Min(least, 0) // the metric, not the replicas, is compared
	value := func(at, start time.Time, minutes, full float64) float64 {
		const ramp, steps = 10.0, 10.0
		after := at.Sub(start).Minutes()
		switch {
		case after >= 0 && after < minutes:
			return full
		case after < 0 && after >= -ramp:
			return math.Floor((after+ramp)/ramp*steps) * full / steps
		case after >= minutes && after < minutes+ramp:
			return math.Floor((minutes+ramp-after)/ramp*steps) * full / steps
		default:
			return 0
		}
	}
	const onlyToday = "the adapter evaluates the date of today alone: a window has no effect after midnight"
	sale := time.Date(2026, 11, 27, 0, 0, 0, 0, y.at[0].Location())
	midnight := on(time.Friday, time.Saturday)
	got := y.compare(t, schedules, least, func(i int) float64 {
		at := y.at[i]
		best := value(at, sale, 26*60, 5000)
		if workdays(at) {
			best = math.Max(best, value(at, time.Date(2026, at.Month(), at.Day(), 12, 0, 0, 0, at.Location()), 150, 400))
		}
		if midnight(at) {
			best = math.Max(best, value(at, time.Date(2026, at.Month(), at.Day(), 23, 0, 0, 0, at.Location()), 180, 1000))
		}
		return best
	}, []reason{
		{onlyToday, func(at time.Time, got, want float64) bool {
			return midnight(at.Add(-24*time.Hour)) && at.Hour() < 3 && got > want
		}},
		{"the adapter's ramp is complete after the start, ours before", func(_ time.Time, got, want float64) bool {
			return got > want && (got == 400 || got == 1000 || got == 5000) && want >= 0.8*got
		}},
	})
	for name, n := range got {
		t.Logf("%6d minutes: %s", n, name)
	}
	// 180 − 60 minutes and the ramp of 10, on the 100 nights of these 50 weeks that the sale does
	// not cover.
	if n := got[onlyToday]; n < 100*125 || n > 100*130 {
		t.Errorf("%d minutes after midnight differ", n)
	}
}
