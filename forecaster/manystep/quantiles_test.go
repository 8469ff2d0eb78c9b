package manystep

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/forecaster/internal/synthetic"
)

var epoch = time.Date(2026, 3, 2, 1, 30, 0, 0, time.UTC)

// mustForecast fails the test when the options cannot be used.
func mustForecast(t interface{ Fatal(...any) }, s forecaster.Series, o Options) Bands {
	b, err := Forecast(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkRows fails the test unless the rows hold finite quantiles that do not decrease.
func checkRows(t interface{ Fatalf(string, ...any) }, b Bands, horizon int) {
	if len(b.Values) != horizon {
		t.Fatalf("%d rows for %d steps", len(b.Values), horizon)
	}
	for i, row := range b.Values {
		for k, v := range row {
			if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 || k > 0 && v < row[k-1] {
				t.Fatalf("step %d: %v", i, row)
			}
		}
	}
}

// drawn returns a series with everything that metrics are known to contain.
func drawn(t *rapid.T) forecaster.Series {
	steps := []time.Duration{time.Second, 2 * time.Second, time.Minute, 7 * time.Minute, time.Hour, 24 * time.Hour}
	step := rapid.SampledFrom(steps).Draw(t, "step")
	n := rapid.IntRange(0, 420).Draw(t, "steps")
	size := rapid.SampledFrom([]float64{0, 1e-9, 1, 1e6, 1e15}).Draw(t, "size")
	anomalies := []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 0, 1e15, 1e300}
	odd := rapid.SliceOfN(rapid.SampledFrom(anomalies), 0, 12).Draw(t, "odd")
	period := rapid.IntRange(2, 150).Draw(t, "period")
	start := epoch.Add(time.Duration(rapid.IntRange(0, 1e6).Draw(t, "start")) * step)
	s := forecaster.Series{Start: start, Step: step, Values: synthetic.Wave(n, period, 5)}
	for i := range s.Values {
		s.Values[i] *= size
	}
	for i, v := range odd {
		if n > 0 {
			s.Values[(i*37+period)%n] = v
		}
	}
	return s
}

func TestBandsNeverCross(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawn(t)
		horizon := rapid.IntRange(1, 50).Draw(t, "horizon")
		o := Options{Horizon: horizon, Quantiles: []float64{0.025, 0.25, 0.5, 0.75, 0.975}}
		checkRows(t, mustForecast(t, s, o), horizon)
	})
}

func FuzzForecast(f *testing.F) {
	f.Add([]byte{1, 2, 3, 255, 0, 7}, uint8(0))
	f.Add([]byte{}, uint8(2))
	f.Add([]byte{9}, uint8(3))
	f.Add(make([]byte, 200), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, step uint8) {
		steps := []time.Duration{time.Second, time.Minute, time.Hour, 24 * time.Hour}
		s := forecaster.Series{Start: epoch, Step: steps[int(step)%len(steps)]}
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
		checkRows(t, mustForecast(t, s, Options{Horizon: 3, Quantiles: []float64{0.01, 0.5, 0.99}}), 3)
	})
}

func TestNamedDayRecurs(t *testing.T) {
	start := time.Date(2025, 1, 6, 0, 0, 0, 0, time.UTC)
	o := Options{Horizon: 48, Quantiles: []float64{0.5}}
	v := synthetic.Wave(24*90, 24, 4)
	for _, d := range []int{30, 60, 90} {
		from := start.AddDate(0, 0, d)
		o.Days = append(o.Days, forecaster.Day{Name: "sale", Start: from, End: from.AddDate(0, 0, 1)})
		if d < 90 {
			for i := 24 * d; i < 24*(d+1); i++ {
				v[i] *= 3
			}
		}
	}
	bands := mustForecast(t, forecaster.Series{Start: start, Step: time.Hour, Values: v}, o)
	for i := 2; i < 22; i++ {
		if r := bands.Values[i][0] / v[24*80+i]; r < 2 || r > 4 {
			t.Errorf("hour %d of the sale: the median is %g times an ordinary day's demand, want nearly 3", i, r)
		}
	}
}

func TestNoDemandIsForecastAsZero(t *testing.T) {
	s := forecaster.Series{Start: time.Unix(0, 0).UTC(), Step: time.Hour, Values: make([]float64, 200)}
	for i, row := range mustForecast(t, s, Options{Horizon: 24, Quantiles: []float64{0.5, 0.99}}).Values {
		if row[0] != 0 || row[1] != 0 {
			t.Fatalf("step %d after no demand at all is forecast as %g", i, row)
		}
	}
}

func TestBandsOfSparseDemandAreBounded(t *testing.T) {
	// A few requests an hour, at no regular time: from idle to busy is a factor that must not be
	// applied to busy hours.
	s := forecaster.Series{Start: epoch, Step: 5 * time.Minute, Values: make([]float64, 14*288)}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range s.Values {
		if random.Float64() < 0.05 {
			s.Values[i] = float64(1 + random.IntN(5))
		}
	}
	for i, row := range mustForecast(t, s, Options{Horizon: 288, Quantiles: []float64{0.5, 0.9, 0.99, 0.999}}).Values {
		if v := row[len(row)-1]; v > maxOverTop*5*(1+1e-9) {
			t.Fatalf("step %d: the 0.999-quantile is %g, where demand was never above 5", i, v)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	cases := map[string]struct {
		change func(*time.Duration, *Options)
		want   string
	}{
		"step":       {func(step *time.Duration, _ *Options) { *step = 0 }, "step must be a positive duration"},
		"horizon":    {func(_ *time.Duration, o *Options) { o.Horizon = 0 }, "horizon of at least one step"},
		"descending": {func(_ *time.Duration, o *Options) { o.Quantiles = []float64{0.9, 0.1} }, "ascending"},
		"quantile":   {func(_ *time.Duration, o *Options) { o.Quantiles = []float64{1} }, "between 0 and 1"},
		"period":     {func(_ *time.Duration, o *Options) { o.Periods = []time.Duration{1} }, "two steps"},
		"day": {
			func(_ *time.Duration, o *Options) { o.Days = []forecaster.Day{{Name: "x", Start: epoch, End: epoch}} },
			"must end after it starts",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			step, o := time.Hour, Options{Horizon: 1, Quantiles: []float64{0.5}}
			c.change(&step, &o)
			_, err := Forecast(forecaster.Series{Start: epoch, Step: step, Values: []float64{1}}, o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}
