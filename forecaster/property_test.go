package forecaster

import (
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"headstart.dev/headstart/forecaster/internal/synthetic"
)

// drawn returns a series with everything that metrics are known to contain, and options for it.
func drawn(t *rapid.T) (Series, Options) {
	steps := []time.Duration{time.Second, 2 * time.Second, time.Minute, 7 * time.Minute, time.Hour, 24 * time.Hour}
	step := rapid.SampledFrom(steps).Draw(t, "step")
	n := rapid.IntRange(0, 420).Draw(t, "steps")
	size := rapid.SampledFrom([]float64{0, 1e-9, 1, 1e6, 1e15}).Draw(t, "size")
	anomalies := []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 0, 1e15, 1e300}
	odd := rapid.SliceOfN(rapid.SampledFrom(anomalies), 0, 12).Draw(t, "odd")
	period := rapid.IntRange(2, 150).Draw(t, "period")
	start := epoch.Add(time.Duration(rapid.IntRange(0, 1e6).Draw(t, "start")) * step)
	s := Series{Start: start, Step: step, Values: synthetic.Wave(n, period, 5)}
	for i := range s.Values {
		s.Values[i] *= size
	}
	for i, v := range odd {
		if n > 0 {
			s.Values[(i*37+period)%n] = v
		}
	}
	contracts := []Contract{{ShortageCost: 20}, {ShortageCost: 1.5}, {ServiceLevel: 0.99}, {ServiceLevel: 0.1}}
	return s, Options{
		Step: step, Contract: rapid.SampledFrom(contracts).Draw(t, "contract"),
		Lead: rapid.IntRange(0, 40).Draw(t, "lead"), Horizon: rapid.IntRange(1, 50).Draw(t, "horizon"),
	}
}

// checkOutlook returns what is wrong with an outlook; nil when nothing is.
func checkOutlook(o Outlook, want Options) error {
	if len(o.Median) < want.Horizon+want.Lead || len(o.Cover) != len(o.Median) {
		return fmt.Errorf("reaches %d and %d steps, not %d", len(o.Median), len(o.Cover), want.Horizon+want.Lead)
	}
	for i := range o.Median {
		for _, v := range []float64{o.Median[i], o.Cover[i], o.Level} {
			if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
				return fmt.Errorf("step %d: median %g, cover %g, level %g", i, o.Median[i], o.Cover[i], o.Level)
			}
		}
	}
	return nil
}

func TestOutlookIsAlwaysSane(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, o := drawn(t)
		f, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		part := rapid.IntRange(0, len(s.Values)).Draw(t, "part")
		if err := f.Start(Series{Start: s.Start, Step: s.Step, Values: s.Values[:part]}); err != nil {
			t.Fatal(err)
		}
		if err := f.Update(s.Values[part:]...); err != nil {
			t.Fatal(err)
		}
		if err := checkOutlook(f.Outlook(), o); err != nil {
			t.Fatal(err)
		}
		d := f.Describe()
		if math.IsNaN(d.Skill) || math.IsInf(d.Skill, 0) {
			t.Fatalf("skill %g", d.Skill)
		}
	})
}

// near reports whether two demands agree but for rounding.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-6*(math.Abs(a)+math.Abs(b))+1e-9 }

func outlookOf(t interface{ Fatal(...any) }, s Series, o Options) Outlook {
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Start(s); err != nil {
		t.Fatal(err)
	}
	return f.Outlook()
}

// Weeks are whole numbers of fit intervals, so a shifted series is fitted at the same of its steps.
func TestScaleAndShift(t *testing.T) {
	const m = time.Minute
	steps := []time.Duration{7 * time.Second, 10 * m, 24 * time.Hour}
	if !testing.Short() {
		steps = append(steps, 3*m, 5*m, 12*m, time.Hour)
	}
	for _, step := range steps {
		for _, c := range []Contract{{ShortageCost: 20}, {ServiceLevel: 0.95}} {
			o := Options{Step: step, Lead: 2, Horizon: 30, Contract: c}
			s := Series{Start: epoch.Add(-30 * step), Step: step, Values: synthetic.Wave(1440, 480, 3)}
			base := outlookOf(t, s, o)
			scaled := Series{Start: s.Start, Step: step}
			for _, v := range s.Values {
				scaled.Values = append(scaled.Values, 1000*v)
			}
			shifted := Series{Start: s.Start.AddDate(0, 0, 21), Step: step, Values: s.Values}
			large, later := outlookOf(t, scaled, o), outlookOf(t, shifted, o)
			for i, v := range base.Cover {
				if !near(1000*v, large.Cover[i]) || !near(1000*base.Median[i], large.Median[i]) {
					t.Errorf("step %s, contract %+v, %d ahead: %g becomes %g when demand is scaled by 1000",
						step, c, i, v, large.Cover[i])
				}
				if !near(v, later.Cover[i]) || !near(base.Median[i], later.Median[i]) {
					t.Errorf("step %s, contract %+v, %d ahead: %g becomes %g three weeks later",
						step, c, i, v, later.Cover[i])
				}
			}
		}
	}
}

// A Forecast at a resolution of one minute may have a lead of a week, and no more.
func TestMaxLead(t *testing.T) {
	o := Options{Step: time.Minute, Lead: MaxLead, Horizon: 10, Contract: Contract{ShortageCost: 20}}
	if week := 7 * 24 * time.Hour; MaxLead*o.Step != week {
		t.Errorf("the longest lead is %s at one minute, want %s", MaxLead*o.Step, week)
	}
	out := outlookOf(t, Series{Start: epoch, Step: o.Step, Values: synthetic.Wave(4000, 1440, 3)}, o)
	if err := checkOutlook(out, o); err != nil {
		t.Error(err)
	}
	o.Lead++
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "between 0 and 10080") {
		t.Errorf("a longer one: got %v", err)
	}
}

func TestFitInterval(t *testing.T) {
	cases := map[string]struct {
		reason     string
		step, want time.Duration
	}{
		"second":      {"six hours are enough steps", time.Second, 6 * time.Hour},
		"minute":      {"six hours are enough steps", time.Minute, 6 * time.Hour},
		"ten minutes": {"100 steps are 16 h 40 min; a tenth of a week is the next", 10 * time.Minute, week / 10},
		"hour":        {"100 steps are more than half a week", time.Hour, week},
		"six hours":   {"100 steps would be more than a week", 6 * time.Hour, week},
		"seven days":  {"a week is the most", week, week},
		"odd":         {"rounded up to what a week is a multiple of", 17 * time.Minute, week / 5},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := FitInterval(c.step)
			if got != c.want {
				t.Errorf("\nReason: %s\ngot %s, want %s", c.reason, got, c.want)
			}
			if week%got != 0 || got%time.Second != 0 {
				t.Errorf("a week is no whole number of %s, or that is no whole number of seconds", got)
			}
		})
	}
}

func TestNoLookAhead(t *testing.T) {
	o := Options{Step: 10 * time.Minute, Lead: 2, Horizon: 10, Contract: Contract{ShortageCost: 20}}
	v := synthetic.Wave(1440, 144, 3)
	whole, cut := mustNew(t, o), mustNew(t, o)
	other := append([]float64(nil), v...)
	for i := 1300; i < len(other); i++ {
		other[i] *= 7
	}
	for f, values := range map[*Forecaster][]float64{whole: v, cut: other} {
		if err := f.Start(Series{Start: epoch, Step: o.Step, Values: values[:1000]}); err != nil {
			t.Fatal(err)
		}
	}
	for i := 1000; i < 1300; i++ {
		if a, b := whole.Outlook().Cover[0], cut.Outlook().Cover[0]; a != b {
			t.Fatalf("step %d: cover is %g or %g, depending on later steps", i, a, b)
		}
		if err := whole.Update(v[i]); err != nil {
			t.Fatal(err)
		}
		if err := cut.Update(other[i]); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBudget(t *testing.T) {
	long := make([]float64, 10_000_000)
	for i := range long {
		long[i] = float64(i % 1000)
	}
	cases := map[string]struct {
		reason string
		step   time.Duration
		lead   int
	}{
		"seconds":  {reason: "a lead of an hour in seconds", step: time.Second, lead: 3600},
		"days":     {reason: "steps as long as the season", step: 24 * time.Hour, lead: 1},
		"no lead":  {reason: "the next step alone", step: time.Minute, lead: 0},
		"longest":  {reason: "a lead window longer than a day", step: time.Minute, lead: 2000},
		"odd step": {reason: "a step that divides nothing", step: 1013 * time.Millisecond, lead: 7},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := Options{Step: c.step, Lead: c.lead, Horizon: 10, Contract: Contract{ShortageCost: 20}}
			at := processorTime(t)
			out := outlookOf(t, Series{Start: epoch.AddDate(-100, 0, 0), Step: c.step, Values: long}, o)
			if err := checkOutlook(out, o); err != nil {
				t.Errorf("\nReason: %s\n%v", c.reason, err)
			}
			// Processor time, since the machine may be busy. The limit is far above what it takes,
			// and far below what a missing bound would cost.
			if took := processorTime(t) - at; took > 10*time.Second {
				t.Errorf("\nReason: %s\ntook %s of processor time on ten million points", c.reason, took)
			}
		})
	}
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func FuzzForecaster(f *testing.F) {
	f.Add([]byte{1, 2, 3, 255, 0, 7}, uint8(0), uint8(3), uint8(0))
	f.Add([]byte{}, uint8(2), uint8(0), uint8(1))
	f.Add([]byte{9}, uint8(3), uint8(1), uint8(2))
	f.Add(make([]byte, 200), uint8(1), uint8(2), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, step, lead, contract uint8) {
		steps := []time.Duration{time.Second, time.Minute, time.Hour, 24 * time.Hour}
		kinds := []Contract{{ShortageCost: 20}, {ServiceLevel: 0.99}, {ServiceLevel: 0.5}, {ShortageCost: 1.1}}
		o := Options{
			Step: steps[int(step)%len(steps)], Lead: int(lead), Horizon: 3, Contract: kinds[int(contract)%len(kinds)],
		}
		s := Series{Start: epoch, Step: o.Step}
		for _, b := range data {
			v := float64(b)
			switch b {
			case 255:
				v = math.NaN()
			case 254:
				v = 1e15
			case 253:
				v = math.Inf(-1)
			case 252:
				v = -1
			}
			s.Values = append(s.Values, v)
		}
		if err := checkOutlook(outlookOf(t, s, o), o); err != nil {
			t.Fatal(err)
		}
	})
}
