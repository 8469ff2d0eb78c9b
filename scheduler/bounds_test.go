package scheduler

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
)

// Windows that change too often are refused, by the day on which they start.
func TestMaxChanges(t *testing.T) {
	ramp := new(v1alpha1.Duration("5s"))
	window := func(schedule string, ramp *v1alpha1.Duration) v1alpha1.PeakWindow {
		return v1alpha1.PeakWindow{Schedule: schedule, Duration: "10s", RampUp: ramp, RampDown: ramp, Demand: multiply("2")}
	}
	for name, c := range map[string]struct {
		reason  string
		windows []v1alpha1.PeakWindow
		want    int
	}{
		"EveryMinute":      {"1,440 starts and ends", []v1alpha1.PeakWindow{window("* * * * *", nil)}, 2880},
		"EveryMinuteRamps": {"each ramp is one more change", []v1alpha1.PeakWindow{window("* * * * *", ramp)}, 5760},
		"Hourly": {
			"twelve windows in each hour",
			[]v1alpha1.PeakWindow{window("*/10 * * * *", nil), window("5-59/10 * * * *", nil)},
			576,
		},
		"OneDayOfTheYear": {
			"the day counts on which it starts", []v1alpha1.PeakWindow{window("* * 1 1 *", ramp)}, 5760,
		},
		"Once": {
			"it is over after a day",
			[]v1alpha1.PeakWindow{{Start: "2026-11-11T00:00", Duration: "1h", Demand: multiply("2")}},
			0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range c.windows {
				c.windows[i].Name = fmt.Sprint("w", i)
			}
			s, err := Compile("s", v1alpha1.PeakScheduleSpec{TimeZone: "UTC", Windows: c.windows}, nil)
			switch {
			case c.want > MaxChanges:
				parts := []string{"spec.windows", fmt.Sprint(c.want), fmt.Sprint(MaxChanges), `"w0"`, "less often"}
				for _, part := range parts {
					if err == nil || !strings.Contains(err.Error(), part) {
						t.Errorf("error %v, want one with %q: %s", err, part, c.reason)
					}
				}
			case err != nil:
				t.Errorf("%v: %s", err, c.reason)
			case s.changesPerDay() != c.want:
				t.Errorf("%d changes, want %d: %s", s.changesPerDay(), c.want, c.reason)
			}
		})
	}
}

// The changes of all schedules of one Forecast are bounded together. A suspended one has none.
func TestMaxChangesOfAForecast(t *testing.T) {
	frequent := func(ps *v1alpha1.PeakSchedule) { ps.Spec.Windows[0].Schedule = "* * * * *" }
	suspended := func(ps *v1alpha1.PeakSchedule) { ps.Spec.State = v1alpha1.PeakScheduleSuspended }
	fc := &v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "fc"}}
	got := NewCache().Select(fc, nil, []v1alpha1.PeakSchedule{
		declare("a", naming("fc"), frequent, suspended), declare("b", naming("fc"), frequent),
		declare("c", naming("fc"), frequent), declare("d", naming("fc")),
	}, nil)
	if len(got.Schedules) != 3 || len(got.InvalidSchedules) != 1 {
		t.Fatalf("%d schedules, invalid: %v", len(got.Schedules), got.InvalidSchedules)
	}
	const want = "PeakSchedule c: its windows change 2880 times a day"
	if err := got.InvalidSchedules[0].Error(); !strings.Contains(err, want) {
		t.Errorf("got %s", err)
	}
}

// A baseline takes from a window what a timeline does.
func TestChangeIsThatOfValue(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for range 20000 {
		w := window{
			duration: time.Hour, rampUp: time.Duration(1 + r.Int64N(1e12)), rampDown: time.Duration(1 + r.Int64N(1e12)),
			demand: Neutral(),
		}
		w.demand.Multiply, w.demand.Add = 3*r.Float64(), 100*r.Float64()
		w.demand.MultiplyTo, w.demand.AddTo = w.demand.Multiply, w.demand.Add
		now := r.Int64N(1e12)
		p := phase{end: now - r.Int64N(int64(w.rampDown)), start: now + r.Int64N(int64(w.rampUp))}
		switch r.IntN(5) {
		case 0:
			p.active = true
		case 1:
			p.falling = true
		case 2:
			p.rising = true
		case 3:
			p.rising, p.falling = true, true
		}
		factor, addition := w.change(p, now)
		if want := w.value(p, now, false); factor != want.Multiply || addition != want.Add {
			t.Fatalf("%+v: ×%v +%v, want ×%v +%v", p, factor, addition, want.Multiply, want.Add)
		}
	}
}

// mostExpensive are the most expensive schedules that one Forecast may have: as many windows as
// possible that all ramp all the time, and one that changes as often as is left.
func mostExpensive(tb testing.TB) []*Schedule {
	var schedules []*Schedule
	for i := range MaxWindows / maxWindows {
		spec := v1alpha1.PeakScheduleSpec{TimeZone: "UTC"}
		for j := range maxWindows {
			spec.Windows = append(spec.Windows, v1alpha1.PeakWindow{
				Name: fmt.Sprintf("w%d", j), Schedule: "0 0 * * *", Duration: "1m", Demand: multiply("1.01"),
				RampUp: new(v1alpha1.Duration("18h")), RampDown: new(v1alpha1.Duration("12h")),
			})
		}
		if i == 0 {
			spec.Windows[0].Schedule, spec.Windows[0].Duration = "* * * * *", "20s"
			spec.Windows[0].RampUp, spec.Windows[0].RampDown = nil, nil
		}
		schedules = append(schedules, compileSpec(tb, spec))
	}
	return schedules
}

func BenchmarkMostExpensive(b *testing.B) {
	at := time.Date(2026, 11, 1, 5, 30, 0, 0, time.UTC)
	schedules := mostExpensive(b)
	b.Run("TimelineOfADay", func(b *testing.B) {
		for b.Loop() {
			Timeline(schedules, at, time.Minute, 24*60)
		}
	})
	b.Run("BaselineOf28Days", func(b *testing.B) {
		values := make([]float64, 28*24*60)
		for b.Loop() {
			Baseline(schedules, at, time.Minute, values)
		}
	})
}
