package scheduler

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"headstart.dev/headstart/api/v1alpha1"
)

// randomSchedules compiles a few random schedules around random days. It also returns the beginning
// of these days.
func randomSchedules(t *testing.T, r *rand.Rand) ([]*Schedule, []v1alpha1.PeakScheduleSpec, time.Time) {
	t.Helper()
	location, err := time.LoadLocation(testZones[r.IntN(len(testZones))])
	if err != nil {
		t.Fatal(err)
	}
	m := watch(location, randomFirst(r, location), 5*24*60)
	var schedules []*Schedule
	var specs []v1alpha1.PeakScheduleSpec
	for range 1 + r.IntN(3) {
		spec, _ := randomSpec(r, location.String(), m)
		spec.Except, spec.Only = nil, nil
		specs = append(specs, spec)
		schedules = append(schedules, compileSpec(t, spec))
	}
	return schedules, specs, m.first.Add(2 * 24 * time.Hour)
}

func combined(schedules []*Schedule, at time.Time) Demand {
	d := Neutral()
	for _, s := range schedules {
		d = d.And(s.At(at))
	}
	return d
}

func TestTimelineCoversEveryInstant(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 1000 {
		schedules, specs, start := randomSchedules(t, r)
		step := []time.Duration{time.Second, time.Minute, 7 * time.Minute, time.Hour, 25 * time.Hour}[r.IntN(5)]
		timeline := Timeline(schedules, start, step, 20)
		for range 100 {
			i := r.IntN(len(timeline))
			at := start.Add(time.Duration(i)*step + time.Duration(r.Int64N(int64(step))))
			if r.IntN(3) == 0 {
				at = start.Add(time.Duration(i)*step + time.Duration(r.Int64N(int64(step))).Truncate(time.Second))
			}
			d := combined(schedules, at)
			for _, forecast := range []float64{0, 1, 1000 * r.Float64()} {
				want, got := d.Apply(forecast, 3), timeline[i].Apply(forecast, 3)
				if got < want*(1-1e-12) {
					t.Fatalf("step %d of %s is %v, below %v at %s: %v under %v\n%s", i, step, got, want, at,
						timeline[i], d, show(specs))
				}
			}
		}
	}
}

// frequentlyChanging returns schedules whose windows change all the time. Nobody needs them, but
// they are valid.
func frequentlyChanging(t testing.TB, schedules int) []*Schedule {
	t.Helper()
	var all []*Schedule
	for k := range schedules {
		var windows []v1alpha1.PeakWindow
		for i := range 64 {
			windows = append(windows, v1alpha1.PeakWindow{
				Name: fmt.Sprintf("w%d", i), Schedule: "* * * * *", Duration: v1alpha1.Duration(fmt.Sprintf("%dms", 100+i*10+k)),
				RampUp: new(v1alpha1.Duration("1s")), RampDown: new(v1alpha1.Duration("2s")), Demand: multiply("1.1"),
			})
		}
		all = append(all, compile(t, "Europe/Berlin", windows...))
	}
	return all
}

// TestFrequentChangesAreBounded checks the promises of Timeline and Baseline where a step has too
// many changes to follow.
func TestFrequentChangesAreBounded(t *testing.T) {
	schedules := frequentlyChanging(t, 1)
	r := rand.New(rand.NewPCG(15, 16))
	start := instant(t, "2026-10-25T00:00:00Z")
	timeline := Timeline(schedules, start, time.Minute, 90)
	full := math.Pow(1.1, 64)
	for range 3000 {
		i := r.IntN(len(timeline))
		at := start.Add(time.Duration(i)*time.Minute + time.Duration(r.Int64N(int64(time.Minute))))
		if want, got := combined(schedules, at).Multiply, timeline[i].Multiply; got < want*(1-1e-9) || got > full*(1+1e-9) {
			t.Fatalf("step %d is ×%v, and ×%v at %s", i, got, want, at)
		}
	}
	for i, value := range Baseline(schedules, start, time.Minute, make([]float64, 90)) {
		if value != 0 {
			t.Fatalf("step %d of nothing is %v", i, value)
		}
	}
	// Steps and windows bound the work. With a part for every change, eight of these schedules
	// would need ten million cursors a step.
	visited := 0
	count := func(p *part) { visited += len(p.cursors) }
	sweep(cursorsOf(frequentlyChanging(t, 8)), start, time.Minute, 60, visitor{part: count, remainder: count})
	if most := 60 * 8 * 64 * (maxParts(time.Minute, 8*64) + 1); visited > most {
		t.Errorf("%d cursors were visited, want at most %d", visited, most)
	}
}

func TestTimelineIsTight(t *testing.T) {
	s := compile(
		t, "UTC",
		v1alpha1.PeakWindow{Schedule: "0 9 * * *", Duration: "30m", Demand: multiply("3")},
		v1alpha1.PeakWindow{Schedule: "30 9 * * *", Duration: "30m", Demand: multiply("3")},
		v1alpha1.PeakWindow{Schedule: "0 10 * * *", Duration: "1h", Demand: v1alpha1.PeakDemand{AtMost: quantity("50")}},
	)
	got := Timeline([]*Schedule{s}, instant(t, "2026-06-01T08:00:00Z"), time.Hour, 4)
	tripled, capped := Neutral(), Neutral()
	tripled.Multiply, tripled.MultiplyTo, capped.AtMost = 3, 3, 50
	// Two windows that follow each other within one step are ×3, not ×9.
	if diff := cmp.Diff([]Demand{Neutral(), tripled, capped, Neutral()}, got); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
}

// TestRestartChangesNothing compares with schedules that are compiled again at a later instant.
func TestRestartChangesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for range 300 {
		schedules, specs, start := randomSchedules(t, r)
		const n = 48
		before := Timeline(schedules, start, 17*time.Minute, n)
		k := 1 + r.IntN(n-1)
		at := start.Add(time.Duration(k) * 17 * time.Minute)
		var restarted []*Schedule
		for i, spec := range specs {
			var read v1alpha1.PeakScheduleSpec
			if err := json.Unmarshal([]byte(show(spec)), &read); err != nil {
				t.Fatal(err)
			}
			restarted = append(restarted, compileSpec(t, read))
			for name, pair := range map[string][2]any{
				"At":     {schedules[i].At(at), restarted[i].At(at)},
				"Active": {schedules[i].Active(at), restarted[i].Active(at)},
				"Next":   {schedules[i].Next(at, 5), restarted[i].Next(at, 5)},
			} {
				if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
					t.Fatalf("%s at %s differs after a restart\n%s\n%s", name, at, show(spec), diff)
				}
			}
		}
		after := Timeline(restarted, at, 17*time.Minute, n-k)
		if diff := cmp.Diff(before[k:], after, cmpopts.EquateApprox(1e-12, 0)); diff != "" {
			t.Fatalf("the timeline from %s on differs after a restart\n%s\n%s", at, show(specs), diff)
		}
	}
}

// TestRampsReachFullReplicasWithinTolerance lets a HorizontalPodAutoscaler with the default
// tolerance follow ramps.
func TestRampsReachFullReplicasWithinTolerance(t *testing.T) {
	const capacity, tolerance = 5.0, 0.1
	for _, want := range []int{1, 2, 3, 5, 8, 9, 10, 11, 13, 22, 57, 100, 1000} {
		for from := 0; from < want; from += 1 + want/7 {
			s := compile(t, "UTC", v1alpha1.PeakWindow{
				Schedule: "0 12 * * *", Duration: "1h", RampUp: new(v1alpha1.Duration("15m")),
				Demand: v1alpha1.PeakDemand{Replicas: new(int32(want))},
			})
			start := instant(t, "2026-06-01T12:00:00Z")
			replicas := from
			for at := start.Add(-15 * time.Minute); at.Before(start); at = at.Add(15 * time.Second) {
				metric := s.At(at).Apply(float64(from)*capacity, capacity)
				if ratio := metric / (capacity * float64(replicas)); replicas == 0 || ratio > 1+tolerance || ratio < 1-tolerance {
					replicas = int(math.Ceil(metric / capacity))
				}
			}
			// No ramp helps where the full value is within the tolerance of the level before the
			// ramp.
			if swallowed := float64(want) <= float64(from)*(1+tolerance); replicas != want && !swallowed {
				t.Errorf("from %d: %d replicas at the start, want %d", from, replicas, want)
			}
		}
	}
}

// TestRampsOnAForecastReachTheirValueWithinTolerance ramps additions and factors on top of a
// forecast, where the addition is small compared with the total.
func TestRampsOnAForecastReachTheirValueWithinTolerance(t *testing.T) {
	const capacity, tolerance = 5.0, 0.1
	up := new(v1alpha1.Duration("15m"))
	ramped := func(d v1alpha1.PeakDemand) v1alpha1.PeakWindow {
		return v1alpha1.PeakWindow{Schedule: "0 12 * * *", Duration: "1h", RampUp: up, Demand: d}
	}
	all := v1alpha1.PeakWindow{Schedule: "0 0 * * *", Duration: "1d", Demand: v1alpha1.PeakDemand{Add: quantity("400")}}
	for name, windows := range map[string][]v1alpha1.PeakWindow{
		"Addition":           {ramped(v1alpha1.PeakDemand{Add: quantity("200")})},
		"SmallAddition":      {ramped(v1alpha1.PeakDemand{Add: quantity("120")})},
		"Factor":             {ramped(multiply("1.3"))},
		"FactorOnAnAddition": {ramped(multiply("1.5")), all},
		"FactorAndAddition":  {ramped(multiply("1.2")), ramped(v1alpha1.PeakDemand{Add: quantity("150")})},
		"TwoAdditions": {
			ramped(v1alpha1.PeakDemand{Add: quantity("100")}), ramped(v1alpha1.PeakDemand{Add: quantity("70")}),
		},
	} {
		s := compile(t, "UTC", windows...)
		for forecast := 600.0; forecast <= 1000; forecast += 37 {
			start := instant(t, "2026-06-01T12:00:00Z")
			replicas := 0
			for at := start.Add(-20 * time.Minute); !at.After(start); at = at.Add(15 * time.Second) {
				metric := s.At(at).Apply(forecast, capacity)
				if ratio := metric / (capacity * float64(replicas)); replicas == 0 || ratio > 1+tolerance || ratio < 1-tolerance {
					replicas = int(math.Ceil(metric / capacity))
				}
			}
			full, before := s.At(start).Apply(forecast, capacity), s.At(start.Add(-20*time.Minute)).Apply(forecast, capacity)
			swallowed := math.Ceil(before/capacity)*(1+tolerance) >= full/capacity
			if want := int(math.Ceil(full / capacity)); replicas < want && !swallowed {
				t.Errorf("%s on %v: %d replicas at the start, want %d", name, forecast, replicas, want)
			}
		}
	}
}

func TestDemandAppliesInOrder(t *testing.T) {
	tests := map[string]struct {
		reason   string
		demand   Demand
		forecast float64
		want     float64
	}{
		"Neutral":         {"nothing is declared", Neutral(), 7, 7},
		"MultiplyThenAdd": {"the addition is not multiplied", Demand{Multiply: 3, Add: 10, AtMost: math.Inf(1)}, 7, 31},
		"LargestMinimum": {
			"3 replicas of 5 are more than 12",
			Demand{Multiply: 1, AtLeast: 12, Replicas: 3, AtMost: math.Inf(1)},
			7, 15,
		},
		"ForecastWins": {
			"the forecast knows more than the minimum",
			Demand{Multiply: 1, AtLeast: 12, AtMost: math.Inf(1)},
			70, 70,
		},
		"MaximumLast": {"a maximum holds against a minimum", Demand{Multiply: 1, AtLeast: 12, AtMost: 4}, 70, 4},
		"ZeroIsZero":  {"a forecast of 0 is 0", Demand{Multiply: 3, AtMost: math.Inf(1)}, 0, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tc.demand.Apply(tc.forecast, 5); got != tc.want {
				t.Errorf("\nReason: %s\ngot %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
	if got := Neutral().Apply(math.NaN(), 5); !math.IsNaN(got) {
		t.Errorf("an unknown forecast became %v", got)
	}
}

func TestStatusOfWindows(t *testing.T) {
	spec := v1alpha1.PeakScheduleSpec{
		TimeZone: "Asia/Shanghai",
		Windows: []v1alpha1.PeakWindow{
			{Name: "noon", Schedule: "0 12 * * 1-5", Duration: "2h", Demand: atLeast("1200")},
			{Name: "sale", Start: "2026-11-11T00:00", Duration: "26h", Demand: multiply("3")},
			{
				Name: "over", Start: "2026-01-01T00:00", Duration: "1h", RampDown: new(v1alpha1.Duration("1h")),
				Demand: multiply("3"),
			},
			{Name: "always", Schedule: "0 * * * *", Duration: "3h", Demand: multiply("2")},
		},
	}
	s := compileSpec(t, spec)
	at := instant(t, "2026-11-11T04:30:00Z")
	describe := func(occurrences []Occurrence) []string {
		var lines []string
		for _, o := range occurrences {
			lines = append(lines,
				fmt.Sprintf("%s/%s %s %s", o.Schedule, o.Window, o.Start.Format(time.RFC3339), o.End.Sub(o.Start)))
		}
		return lines
	}
	want := []string{
		"test/noon 2026-11-11T12:00:00+08:00 2h0m0s", "test/sale 2026-11-11T00:00:00+08:00 26h0m0s",
		"test/always 2026-11-11T12:00:00+08:00 3h0m0s",
	}
	if diff := cmp.Diff(want, describe(s.Active(at))); diff != "" {
		t.Errorf("Active: -want, +got\n%s", diff)
	}
	want = []string{"test/always 2026-11-11T13:00:00+08:00 3h0m0s", "test/always 2026-11-11T14:00:00+08:00 3h0m0s"}
	if diff := cmp.Diff(want, describe(s.Next(at, 2))); diff != "" {
		t.Errorf("Next: -want, +got\n%s", diff)
	}
	if got := s.At(at); got.Multiply != 6 || got.AtLeast != 1200 {
		t.Errorf("At is %+v: a window that overlaps with itself counts once, two windows multiply", got)
	}
	for text, want := range map[string][]string{
		"2025-12-31T17:59:59Z": nil, "2025-12-31T18:00:00Z": {"over"}, "2026-11-11T18:00:00Z": {"sale", "over"},
	} {
		if diff := cmp.Diff(want, s.Expired(instant(t, text))); diff != "" {
			t.Errorf("Expired at %s: -want, +got\n%s", text, diff)
		}
	}
	spec.State = v1alpha1.PeakScheduleSuspended
	suspended := compileSpec(t, spec)
	if !suspended.At(at).IsNeutral() || suspended.Active(at) != nil || suspended.Next(at, 1) != nil {
		t.Error("a suspended schedule still counts")
	}
}
