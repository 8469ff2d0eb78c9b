package scheduler

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

// tenThousandWindows makes 160 schedules of 63 windows in several zones. Most windows have ramps
// and exceptions.
func tenThousandWindows(tb testing.TB) []*Schedule {
	r := rand.New(rand.NewPCG(1, 2))
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe"}
	schedules := make([]*Schedule, 160)
	for i := range schedules {
		spec := v1alpha1.PeakScheduleSpec{
			TimeZone: v1alpha1.TimeZone(zones[i%len(zones)]),
			Except:   &v1alpha1.Days{Dates: []string{"2026-10-01/2026-10-07"}},
		}
		for j := range 63 {
			w := v1alpha1.PeakWindow{Name: fmt.Sprintf("w%d", j), Schedule: randomCron(r), Duration: "2h", Demand: atLeast("10")}
			if j%2 == 0 {
				w.RampUp, w.RampDown = new(v1alpha1.Duration("15m")), new(v1alpha1.Duration("30m"))
			}
			spec.Windows = append(spec.Windows, w)
		}
		schedules[i] = compileSpec(tb, spec)
	}
	return schedules
}

func BenchmarkTenThousandWindowsAtOneInstant(b *testing.B) {
	schedules := tenThousandWindows(b)
	at := time.Date(2026, 11, 1, 5, 30, 0, 0, time.UTC)
	for b.Loop() {
		for _, s := range schedules {
			s.At(at)
		}
		at = at.Add(time.Minute)
	}
}

// rareCrons have next occurrences that are far away, or hard to find.
var rareCrons = map[string]v1alpha1.PeakScheduleSpec{
	"EveryNoon":    {Windows: []v1alpha1.PeakWindow{{Schedule: "0 12 * * *"}}},
	"LeapDay":      {Windows: []v1alpha1.PeakWindow{{Schedule: "0 0 29 2 *"}}},
	"LeapDayHours": {Windows: []v1alpha1.PeakWindow{{Schedule: "0 * 29 2 *"}}},
	"ExceptedLeapDays": {
		Windows: []v1alpha1.PeakWindow{{Schedule: "0 * 29 2 *"}},
		Except:  &v1alpha1.Days{Dates: []string{"1970-01-01/2190-12-31"}},
	},
	"NoDayLeft": {
		Windows: []v1alpha1.PeakWindow{{Schedule: "* * * * *"}},
		Only:    &v1alpha1.Days{Dates: []string{"1970-01-01"}},
	},
}

func BenchmarkNext(b *testing.B) {
	for name, spec := range rareCrons {
		b.Run(name, func(b *testing.B) {
			s := rare(b, spec)
			at := time.Date(2096, 2, 29, 23, 30, 0, 0, time.UTC)
			for b.Loop() {
				s.Next(at, 1)
			}
		})
	}
}

func rare(tb testing.TB, spec v1alpha1.PeakScheduleSpec) *Schedule {
	spec.TimeZone = "America/New_York"
	w := spec.Windows[0]
	w.Name, w.Duration, w.Demand = "w", "1h", atLeast("1")
	spec.Windows = []v1alpha1.PeakWindow{w}
	return compileSpec(tb, spec)
}

func BenchmarkTimelineOfADay(b *testing.B) {
	schedules := tenThousandWindows(b)[:1]
	at := time.Date(2026, 11, 1, 5, 30, 0, 0, time.UTC)
	for b.Loop() {
		Timeline(schedules, at, time.Minute, 24*60)
	}
}

func BenchmarkBaselineOf28Days(b *testing.B) {
	schedules := tenThousandWindows(b)[:1]
	values := make([]float64, 28*24*60)
	at := time.Date(2026, 11, 1, 5, 30, 0, 0, time.UTC)
	for b.Loop() {
		Baseline(schedules, at, time.Minute, values)
	}
}

func BenchmarkFranticTimelineOfADay(b *testing.B) {
	schedules := frequentlyChanging(b, 1)
	at := time.Date(2026, 11, 1, 5, 30, 0, 0, time.UTC)
	for b.Loop() {
		Timeline(schedules, at, time.Minute, 24*60)
	}
}

func BenchmarkFranticBaselineOf28Days(b *testing.B) {
	schedules := frequentlyChanging(b, 1)
	values := make([]float64, 28*24*60)
	at := time.Date(2026, 11, 1, 5, 30, 0, 0, time.UTC)
	for b.Loop() {
		Baseline(schedules, at, time.Minute, values)
	}
}

func BenchmarkCompile(b *testing.B) {
	spec := v1alpha1.PeakScheduleSpec{
		TimeZone: "America/New_York",
		Windows:  []v1alpha1.PeakWindow{{Name: "w", Schedule: "0 12 * * *", Duration: "1h", Demand: atLeast("1")}},
	}
	for b.Loop() {
		if _, err := Compile("s", spec, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// TestFastEnough checks the two promises about speed, with a margin for a slow machine. The fastest
// of many runs counts.
func TestFastEnough(t *testing.T) {
	fastest := func(run func()) time.Duration {
		best := time.Hour
		for range 50 {
			begin := time.Now()
			run()
			best = min(best, time.Since(begin))
		}
		return best
	}
	schedules := tenThousandWindows(t)
	at := time.Date(2026, 11, 1, 5, 30, 0, 0, time.UTC)
	if took := fastest(func() {
		for _, s := range schedules {
			s.At(at)
		}
	}); took > 10*time.Millisecond {
		t.Errorf("10,080 windows at one instant took %s, want under 10ms", took)
	}
	for name, spec := range rareCrons {
		s := rare(t, spec)
		if took := fastest(func() { s.Next(time.Date(2096, 2, 29, 23, 30, 0, 0, time.UTC), 1) }); took > 50*time.Microsecond {
			t.Errorf("the next occurrence of %s took %s, want under 50µs", name, took)
		}
	}
	if took := fastest(func() {
		if _, err := parseCron("0 0 31 2 *"); err == nil {
			t.Fatal("a cron that never fires is accepted")
		}
	}); took > 200*time.Microsecond {
		t.Errorf("refusing a cron that never fires took %s, want no long search", took)
	}
}

// As many windows as one Forecast may have, and as many as it could have before that was bounded.
func BenchmarkManyWindows(b *testing.B) {
	at := time.Date(2026, 11, 1, 5, 30, 0, 0, time.UTC)
	for _, n := range []int{MaxWindows / 64, 16} {
		schedules := tenThousandWindows(b)[:n]
		b.Run(fmt.Sprintf("TimelineOfADay/%d", n*64), func(b *testing.B) {
			for b.Loop() {
				Timeline(schedules, at, time.Minute, 24*60)
			}
		})
		b.Run(fmt.Sprintf("BaselineOf28Days/%d", n*64), func(b *testing.B) {
			values := make([]float64, 28*24*60)
			for b.Loop() {
				Baseline(schedules, at, time.Minute, values)
			}
		})
		frantic := frequentlyChanging(b, n)
		b.Run(fmt.Sprintf("FranticTimelineOfADay/%d", n*64), func(b *testing.B) {
			for b.Loop() {
				Timeline(frantic, at, time.Minute, 24*60)
			}
		})
		b.Run(fmt.Sprintf("FranticBaselineOf28Days/%d", n*64), func(b *testing.B) {
			values := make([]float64, 28*24*60)
			for b.Loop() {
				Baseline(frantic, at, time.Minute, values)
			}
		})
	}
}
