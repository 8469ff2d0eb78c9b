package scheduler

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"headstart.dev/headstart/api/v1alpha1"
)

// testZones have gaps at midnight, shifts of half an hour, negative and no daylight saving time,
// changes that depend on Ramadan, odd offsets, and a day that was skipped.
var testZones = []string{
	"UTC", "America/New_York", "Europe/Berlin", "Europe/Dublin", "Africa/Cairo", "Africa/Casablanca",
	"Asia/Beirut", "Asia/Gaza", "America/Sao_Paulo", "America/Asuncion", "America/Santiago", "America/Havana",
	"America/Nuuk", "America/St_Johns",
	"Australia/Lord_Howe", "Australia/Adelaide", "Pacific/Apia", "Pacific/Chatham", "Pacific/Kiritimati", "Asia/Shanghai",
	"Asia/Kolkata", "Asia/Kathmandu", "Asia/Tehran", "Asia/Pyongyang", "Antarctica/Troll", "America/Caracas",
	"Africa/Monrovia",
}

// TestEvaluationEqualsOracle compares a Schedule with the oracle, which goes through every minute.
func TestEvaluationEqualsOracle(t *testing.T) {
	const perTable, instants = 200, 2
	tables := 500 // 100,000 schedules at 200,000 instants
	const shards = 4
	if testing.Short() {
		t.Log("short: a hundredth of the cases")
		tables = shards
	}
	for shard := range shards {
		t.Run(fmt.Sprint(shard), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(20261111, uint64(shard)))
			zones := map[string]*zone{}
			for range tables / shards {
				name := testZones[r.IntN(len(testZones))]
				location, err := time.LoadLocation(name)
				if err != nil {
					t.Fatal(err)
				}
				if zones[name] == nil {
					zones[name] = newZone(location)
				}
				m := watch(location, randomFirst(r, location), 9*24*60)
				for range perTable {
					compareWithOracle(t, r, zones[name], m, instants)
					if t.Failed() {
						return
					}
				}
			}
		})
	}
}

// randomFirst returns a random first instant from 1971 on. It is most often a few days before a
// clock change.
func randomFirst(r *rand.Rand, location *time.Location) time.Time {
	first := time.Date(1971+r.IntN(228), 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.IntN(365*24*60)) * time.Minute)
	if r.IntN(3) > 0 {
		first = time.Date(1971+r.IntN(80), 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.IntN(365*24*60)) * time.Minute)
		if _, end := first.In(location).ZoneBounds(); !end.IsZero() && end.Year() < 2199 {
			first = end.Add(-time.Duration(3*24*60+r.IntN(5*24*60)) * time.Minute)
		}
	}
	// A wall clock with an odd offset does not change its minute together with UTC.
	_, offset := first.In(location).Zone()
	return first.Truncate(time.Minute).Add(-time.Duration(offset%60) * time.Second)
}

func compareWithOracle(t *testing.T, r *rand.Rand, z *zone, m minutes, instants int) {
	t.Helper()
	spec, calendarSpecs := randomSpec(r, z.location.String(), m)
	calendars := Calendars{}
	for name, c := range calendarSpecs {
		compiled, err := CompileCalendar(name, c)
		if err != nil {
			t.Fatalf("CompileCalendar: %v\n%s", err, show(c))
		}
		calendars[name] = compiled
	}
	c := compiler{calendars: calendars, zone: z}
	s := c.schedule("s", spec)
	if err := c.err(); err != nil {
		t.Fatalf("Compile: %v\n%s", err, show(spec))
	}
	var starts [][]int64
	for _, w := range spec.Windows {
		starts = append(starts, m.starts(w, spec, calendarSpecs))
	}
	for range instants {
		// The oracle knows the starts from the third day on. Windows and ramps last up to four
		// days.
		at := m.first.Add(6*24*time.Hour + time.Duration(r.Int64N(int64(2*24*time.Hour))))
		if r.IntN(2) == 0 {
			at = at.Truncate(time.Minute).Add(time.Duration(m.first.Second()) * time.Second)
		}
		want, wantActive := naiveDemand(spec.Windows, starts, at)
		got := s.At(at)
		var active []string
		for _, o := range s.Active(at) {
			active = append(active, o.Window)
		}
		if !near(want, got) || !cmp.Equal(wantActive, active) {
			t.Errorf("at %s (%s):\noracle %v %v\ngot    %v %v\n%s\n%s", at.UTC().Format(time.RFC3339Nano),
				at.In(z.location), want, wantActive, got, active, show(spec), show(calendarSpecs))
			return
		}
		checkNext(t, s, spec, starts, m, at)
	}
}

// checkNext compares those next occurrences that the oracle can see.
func checkNext(t *testing.T, s *Schedule, spec v1alpha1.PeakScheduleSpec, starts [][]int64, m minutes, at time.Time) {
	t.Helper()
	var want []int64
	for _, list := range starts {
		for _, start := range list {
			if time.Unix(start, 0).After(at) {
				want = append(want, start)
			}
		}
	}
	slices.Sort(want)
	want = want[:min(len(want), 3)]
	last := m.first.Add(time.Duration(len(m.wall)) * time.Minute)
	var got []int64
	for _, o := range s.Next(at, 3) {
		if o.Start.Before(last) {
			got = append(got, o.Start.Unix())
		}
	}
	if !cmp.Equal(want, got) {
		t.Errorf("after %s: next starts of the oracle %v, got %v\n%s", at.UTC(), want, got, show(spec))
	}
}

func near(a, b Demand) bool {
	equal := func(a, b float64) bool { return a == b || math.Abs(a-b) <= 1e-9*math.Max(1, math.Abs(a)) }
	return equal(a.Multiply, b.Multiply) && equal(a.Add, b.Add) && equal(a.AtLeast, b.AtLeast) &&
		equal(a.Replicas, b.Replicas) && equal(a.AtMost, b.AtMost)
}

func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// randomSpec makes one to four windows that are likely to count during the minutes.
func randomSpec(r *rand.Rand, zone string, m minutes) (v1alpha1.PeakScheduleSpec, map[string]v1alpha1.CalendarSpec) {
	spec := v1alpha1.PeakScheduleSpec{TimeZone: v1alpha1.TimeZone(zone)}
	for i := range 1 + r.IntN(4) {
		w := v1alpha1.PeakWindow{Name: fmt.Sprintf("w%d", i), Duration: randomDuration(r, 3), Demand: randomDemand(r)}
		if r.IntN(4) == 0 {
			wall := time.Unix(m.wall[2*24*60+1+r.IntN(len(m.wall)-2*24*60-1)]*60, 0).UTC()
			w.Start = wall.Add(time.Duration(r.IntN(3)-1) * time.Hour).Format("2006-01-02T15:04")
		} else {
			w.Schedule = randomCron(r)
		}
		if w.Demand.AtMost == nil && r.IntN(2) == 0 {
			w.RampUp = new(randomDuration(r, 1))
		}
		if w.Demand.AtMost == nil && r.IntN(2) == 0 {
			w.RampDown = new(randomDuration(r, 1))
		}
		spec.Windows = append(spec.Windows, w)
	}
	calendars := map[string]v1alpha1.CalendarSpec{"c": randomCalendar(r, m)}
	days := func() *v1alpha1.Days {
		d := &v1alpha1.Days{}
		if r.IntN(2) == 0 {
			d.Calendars = []string{"c"}
		}
		if r.IntN(2) == 0 || d.Calendars == nil {
			d.Dates = randomDates(r, m)
		}
		return d
	}
	switch r.IntN(6) {
	case 0:
		spec.Except = days()
	case 1:
		spec.Only = days()
	case 2:
		spec.Except, spec.Only = days(), days()
	}
	return spec, calendars
}

func randomDates(r *rand.Rand, m minutes) []string {
	var dates []string
	for range 1 + r.IntN(3) {
		day := time.Unix(m.wall[r.IntN(len(m.wall))]*60, 0).UTC()
		text := day.Format("2006-01-02")
		if r.IntN(2) == 0 {
			text += "/" + day.AddDate(0, 0, r.IntN(8)).Format("2006-01-02")
		}
		dates = append(dates, text)
	}
	return dates
}

func randomCalendar(r *rand.Rand, m minutes) v1alpha1.CalendarSpec {
	c := v1alpha1.CalendarSpec{Days: []v1alpha1.CalendarDay{{Name: "dates", Dates: randomDates(r, m)}}}
	for range r.IntN(3) {
		day := time.Unix(m.wall[r.IntN(len(m.wall))]*60, 0).UTC()
		rule := &v1alpha1.YearlyRule{Month: int32(day.Month())}
		if r.IntN(2) == 0 {
			rule.Day = new(int32(day.Day()))
		} else {
			rule.Weekday = new(day.Weekday().String())
			rule.Nth = new([]int32{1, 2, 3, 4, 5, -1, int32(day.Day()-1)/7 + 1}[r.IntN(7)])
		}
		c.Days = append(c.Days, v1alpha1.CalendarDay{Name: "yearly", Yearly: rule})
	}
	return c
}

func randomDuration(r *rand.Rand, days int) v1alpha1.Duration {
	switch r.IntN(4) {
	case 0:
		return v1alpha1.FormatDuration(time.Duration(1+r.IntN(59)) * time.Second)
	case 1:
		return v1alpha1.FormatDuration(time.Duration(1+r.IntN(180)) * time.Minute)
	case 2:
		return v1alpha1.FormatDuration(time.Duration(1+r.IntN(24*days)) * time.Hour)
	default:
		return v1alpha1.FormatDuration(time.Duration(1+r.IntN(24*60*60*days*1000)) * time.Millisecond)
	}
}

func randomDemand(r *rand.Rand) v1alpha1.PeakDemand {
	n := 1 + r.IntN(2000)
	switch r.IntN(6) {
	case 0:
		return v1alpha1.PeakDemand{AtLeast: quantity(fmt.Sprint(n))}
	case 1:
		return v1alpha1.PeakDemand{Add: quantity(fmt.Sprint(n))}
	case 2:
		return v1alpha1.PeakDemand{Replicas: new(int32(n))}
	case 3:
		return v1alpha1.PeakDemand{AtMost: quantity(fmt.Sprint(n))}
	case 4:
		return multiply(fmt.Sprintf("0.%02d", 1+r.IntN(99)))
	default:
		return multiply(fmt.Sprintf("%d.%d", 1+r.IntN(9), r.IntN(10)))
	}
}

func randomCron(r *rand.Rand) string {
	field := func(low, high, stars int, names []string) string {
		number := func() string {
			n := low + r.IntN(high-low+1)
			if names != nil && n-low < len(names) && r.IntN(3) == 0 {
				return names[n-low]
			}
			return fmt.Sprint(n)
		}
		if r.IntN(10) < stars {
			return "*"
		}
		switch r.IntN(5) {
		case 0:
			return fmt.Sprintf("*/%d", 1+r.IntN(high-low))
		case 1:
			a := low + r.IntN(high-low)
			b := a + r.IntN(high-a+1)
			return fmt.Sprintf("%d-%d/%d", a, b, 1+r.IntN(4))
		case 2:
			return number() + "," + number() + "," + number()
		case 3:
			a := low + r.IntN(high-low)
			return fmt.Sprintf("%d-%d", a, a+r.IntN(high-a+1))
		default:
			return number()
		}
	}
	months := strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec")
	for {
		fields := []string{field(0, 59, 1, nil), field(0, 23, 2, nil), field(1, 31, 6, nil), field(1, 12, 8, months)}
		weekday := field(0, 6, 6, strings.Fields("Sun Mon Tue Wed Thu Fri Sat"))
		if r.IntN(4) == 0 {
			weekday = []string{"7", "5-7", "0-7", "1-7/2", "6,7"}[r.IntN(5)]
		}
		expression := strings.Join(append(fields, weekday), " ")
		if _, err := parseCron(expression); err == nil {
			return expression
		}
	}
}

// TestYearEqualsOracle walks through whole years with Next, to compare starts that are far apart.
func TestYearEqualsOracle(t *testing.T) {
	for _, name := range testZones {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			location, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(7, uint64(len(name))))
			z := newZone(location)
			first := randomFirst(r, location)
			m := watch(location, first, 366*24*60)
			for range 6 {
				spec, calendarSpecs := randomSpec(r, name, m)
				spec.Windows = spec.Windows[:1]
				calendar, err := CompileCalendar("c", calendarSpecs["c"])
				if err != nil {
					t.Fatal(err)
				}
				c := compiler{calendars: Calendars{"c": calendar}, zone: z}
				s := c.schedule("s", spec)
				want := m.starts(spec.Windows[0], spec, calendarSpecs)
				var got []int64
				last := first.Add(time.Duration(len(m.wall)-1) * time.Minute)
				for at := first.Add(2 * 24 * time.Hour); ; {
					next := s.Next(at, 1)
					if len(next) == 0 || next[0].Start.After(last) {
						break
					}
					at = next[0].Start
					got = append(got, at.Unix())
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("%s from %s: starts differ (-oracle, +got)\n%s\n%.2000s", show(spec), first.UTC(),
						show(calendarSpecs), diff)
				}
			}
		})
	}
}
