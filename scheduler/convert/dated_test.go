package convert

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"headstart.dev/headstart/scheduler"
	"headstart.dev/headstart/scheduler/manifest"
)

// cronMatcher returns whether a cron expression of numbers matches a minute. It is written apart
// from the one in package scheduler, to check that.
func cronMatcher(t *testing.T, cron string) func(time.Time) bool {
	t.Helper()
	fields := strings.Fields(cron)
	var has [5][60]bool
	for k, field := range fields {
		for item := range strings.SplitSeq(field, ",") {
			low, high, isRange := strings.Cut(strings.ReplaceAll(item, "*", "0-59"), "-")
			if !isRange {
				high = low
			}
			a, errA := strconv.Atoi(low)
			b, errB := strconv.Atoi(high)
			if errA != nil || errB != nil {
				t.Fatalf("cron %q", cron)
			}
			for n := a; n <= b; n++ {
				has[k][n] = true
			}
		}
	}
	either := fields[2] != "*" && fields[4] != "*"
	return func(at time.Time) bool {
		byDay, byWeekday := has[2][at.Day()], has[4][at.Weekday()]
		days := byDay && byWeekday || either && (byDay || byWeekday)
		return has[0][at.Minute()] && has[1][at.Hour()] && has[3][at.Month()] && days
	}
}

// kedaDay is the simulator of KEDA's cron trigger. It walks over half hours.
type kedaDay struct {
	begin          time.Time
	starts, ends   []bool
	sinceStart     []bool // whether the last event is a start: KEDA's documentation
	untilEnd       []bool // whether the next event is an end: KEDA's code
	firstHalfHours int    // before the first event
}

const slot = 30 * time.Minute

func simulate(t *testing.T, start, end string, from time.Time, years int) kedaDay {
	t.Helper()
	k := kedaDay{begin: from}
	last, until := 0, from.AddDate(years, 0, 0)
	startsAt, endsAt := cronMatcher(t, start), cronMatcher(t, end)
	for at := from; at.Before(until); at = at.Add(slot) {
		starts, ends := startsAt(at), endsAt(at)
		switch {
		case starts:
			last = 1
		case ends:
			last = -1
		}
		if last == 0 {
			k.firstHalfHours++
		}
		k.starts, k.ends = append(k.starts, starts), append(k.ends, ends)
		k.sinceStart = append(k.sinceStart, last == 1)
	}
	k.untilEnd = betweenNext(k.starts, k.ends)
	return k
}

// alternates reports whether no two starts, and no two ends, follow each other. KEDA's code and its
// documentation then mean the same.
func (k kedaDay) alternates() bool {
	last := 0
	for i := range k.starts {
		if k.starts[i] && k.ends[i] || k.starts[i] && last == 1 || k.ends[i] && last == -1 {
			return false
		}
		if k.starts[i] {
			last = 1
		} else if k.ends[i] {
			last = -1
		}
	}
	return true
}

// scheduleOf converts one trigger. It returns nil where that is refused because of too many
// windows, and until when the windows are complete.
func scheduleOf(t *testing.T, start, end string, now time.Time) (*scheduler.Schedule, time.Time) {
	t.Helper()
	objects, err := manifest.Read(strings.NewReader(scaledObject("", cronTrigger(start, end, "7"))))
	if err != nil {
		t.Fatal(err)
	}
	result, err := Convert(objects, Options{Now: now})
	if err != nil {
		if strings.Contains(err.Error(), "windows") {
			return nil, now
		}
		t.Fatalf("%s … %s: %v", start, end, err)
	}
	schedules, _ := compiled(t, result, "a")
	until := now.AddDate(100, 0, 0)
	for _, object := range result.Objects {
		if object["kind"] != "PeakSchedule" {
			continue
		}
		windows, _ := object["spec"].(map[string]any)["windows"].([]any)
		for _, w := range windows {
			if text, ok := w.(map[string]any)["start"].(string); ok && len(windows) == maxWindows {
				if until, err = time.Parse("2006-01-02T15:04", text); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return schedules[0], until
}

// checkYears compares a conversion with the simulator in the years after now.
func checkYears(t *testing.T, start, end string, now time.Time, years int) {
	t.Helper()
	schedule, until := scheduleOf(t, start, end, now)
	if schedule == nil {
		return
	}
	k := simulate(t, start, end, now.AddDate(-2, 0, 0), years+2)
	alternates := k.alternates()
	for i, want := range k.sinceStart {
		at := k.begin.Add(time.Duration(i) * slot)
		if at.Before(now) || i < k.firstHalfHours || !at.Before(until) {
			continue
		}
		// The last year is left out, because untilEnd does not know what comes after it.
		event := k.starts[i] || k.ends[i]
		if alternates && !event && at.Before(now.AddDate(years-1, 0, 0)) && k.untilEnd[i] != want {
			t.Fatalf("%q … %q at %s: the models of KEDA differ", start, end, at.Format(time.RFC1123))
		}
		if got := schedule.At(at).Replicas > 0; got != want {
			t.Fatalf("%q … %q at %s: active %v, the original %v", start, end, at.Format(time.RFC1123), got, want)
		}
	}
}

var jan2026 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// TestDatedTriggers compares triggers that name months and days of the month with KEDA's, for four
// years.
func TestDatedTriggers(t *testing.T) {
	for name, tc := range map[string]struct{ start, end string }{
		"WeeknightsOfAMonth": {"0 19 * 11 1-5", "0 7 * 11 1-5"},
		"NightsOfAMonth":     {"0 19 * 12 *", "0 7 * 12 *"},
		"MonthEnd":           {"0 0 28 * *", "0 0 3 * *"},
		"DayOfTheMonth":      {"0 9 15 * *", "0 18 15 * *"},
		"Season":             {"0 0 1 6 *", "0 0 1 9 *"},
		"OverTheYear":        {"0 18 20 12 *", "0 9 7 1 *"},
		"LeapDay":            {"0 0 29 2 *", "0 0 1 3 *"},
		"EitherDay":          {"0 8 1 * 1", "0 20 * * *"},
		"WeekdayToDate":      {"0 8 * * 1", "0 20 15 * *"},
		"DateToWeekday":      {"30 6 1,15 * *", "0 0 * * 6"},
	} {
		t.Run(name, func(t *testing.T) { checkYears(t, tc.start, tc.end, jan2026, 4) })
	}
}

// TestNoRoomForDates: where windows of every year take all the room that there is, those of single
// years would be left out without a word.
func TestNoRoomForDates(t *testing.T) {
	_, _, err := converted(t, scaledObject("", cronTrigger("0 9-11 3-9 1-3,11 *", "30 9-11 3-9 2 1,3", "7")))
	if err == nil || !strings.Contains(err.Error(), "at most 64") {
		t.Errorf("error %v, want one about the number of windows", err)
	}
}

// TestWeeknightsOfAMonthInWords says what the first of these cases looks like.
func TestWeeknightsOfAMonthInWords(t *testing.T) {
	objects, notes, err := converted(t, scaledObject("", cronTrigger("0 19 * 11 1-5", "0 7 * 11 1-5", "7")))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"duration: 12h\n    name: cron-0\n    schedule: 0 19 * 11 1-4",
		"duration: 2d12h\n    name: cron-0-2\n    schedule: 0 19 * 11 5",
	} {
		if !strings.Contains(objects, want) {
			t.Errorf("the objects do not have %q:\n%s", want, objects)
		}
	}
	if !strings.Contains(notes, "check that this is meant") {
		t.Errorf("no note says that the last window lasts until the next November:\n%s", notes)
	}
}

// TestTriggersProperty compares random triggers with KEDA's.
func TestTriggersProperty(t *testing.T) {
	cron := rapid.Custom(func(r *rapid.T) string {
		field := func(name string, texts ...string) string { return rapid.SampledFrom(texts).Draw(r, name) }
		return fmt.Sprintf("%s %s %s %s %s",
			field("minute", "0", "30", "0,30"), field("hour", "0", "6", "9-11", "20", "23"),
			field("day", "*", "*", "1", "15,28", "31", "3-9"), field("month", "*", "*", "12", "2", "1-3,11"),
			field("weekday", "*", "*", "1-5", "0", "6", "1,3"))
	})
	rapid.Check(t, func(r *rapid.T) {
		start, end := cron.Draw(r, "start"), cron.Draw(r, "end")
		if !sameTimes(start, end) && !neverEnds(t, start, end) {
			checkYears(t, start, end, jan2026, 2)
		}
	})
}

// neverEnds reports whether one of two crons never matches, which is refused.
func neverEnds(t *testing.T, crons ...string) bool {
	t.Helper()
	return slices.ContainsFunc(crons, func(cron string) bool {
		_, err := matchSchedule(cron)
		return err != nil
	})
}
