package planner

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/planner/publish"
	"headstart.dev/headstart/scheduler"
)

// scheduled is a PeakSchedule with one daily window.
func scheduled(t *testing.T) Peaks {
	t.Helper()
	s, err := scheduler.Compile("noon", v1alpha1.PeakScheduleSpec{
		TimeZone: "UTC",
		Windows: []v1alpha1.PeakWindow{{
			Name: "lunch", Schedule: "5 12 * * *", Duration: "10m", Demand: v1alpha1.PeakDemand{Replicas: new(int32(7))},
		}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return Peaks{Schedules: []*scheduler.Schedule{s}}
}

func TestDecide(t *testing.T) {
	set := Settings{
		HasDemand: true, Step: time.Minute, Horizon: 20 * time.Minute, Max: math.Inf(1), Mode: v1alpha1.ForecastActive,
		Contract: forecaster.Contract{ServiceLevel: 0.9},
	}
	alone := set
	alone.HasDemand = false
	bounded := alone
	bounded.Min = 3
	paused := set
	paused.Mode = v1alpha1.ForecastPaused
	outlook := &forecaster.Outlook{
		Start: origin, Step: time.Minute, Median: constant(5, 20), Cover: constant(8, 20), Skilled: true,
	}
	series := &forecaster.Series{
		Start: origin.Add(-5 * time.Minute), Step: time.Minute, Values: []float64{4, 4, 4, 6, math.NaN()},
	}
	planOf := func(values ...float64) *plan.Plan {
		return &plan.Plan{ComputedAt: origin, Start: origin, Segments: []plan.Segment{{Step: time.Minute, Values: values}}}
	}
	peaks := scheduled(t)
	invalid := Peaks{Invalid: true}
	cases := map[string]struct {
		reason    string
		set       Settings
		series    *forecaster.Series
		peaks     Peaks
		outlook   *forecaster.Outlook
		published *plan.Plan
		after     time.Duration
		want      Outcome
		first     float64 // value of the plan
	}{
		"Forecast": {"a forecast is planned with", set, series, Peaks{}, outlook, nil, 0, Planned, 8},
		"Paused":   {"nothing is planned in mode Paused", paused, series, peaks, nil, nil, 0, Paused, 0},
		"NoForecast": {
			"without a forecast and peaks there is nothing to plan with", set, nil,
			Peaks{},
			nil, nil, 0,
			NoForecast, 0,
		},
		"PeaksInstead": {"peaks are planned while history is read", set, nil, peaks, nil, nil, 0, Planned, math.NaN()},
		"ForecastKept": {
			"the published plan rests on a forecast and lasts", set, nil, peaks, nil, planOf(constant(5, 20)...),
			0, ForecastKept, 0,
		},
		"ForecastEnds": {
			"the published plan ends within two steps: peaks are better than nothing",
			set, nil, peaks, nil, planOf(constant(5, 20)...), 19 * time.Minute, Planned, math.NaN(),
		},
		"PeaksKept": {
			"a published plan of peaks is replaced", set, nil, peaks, nil, planOf(5, math.NaN(), 5, 5, 5), 0,
			Planned, math.NaN(),
		},
		"OldForecast": {
			"a forecast that ended says nothing of now", set, series, Peaks{}, outlook, nil, 20 * time.Minute, NoForecast, 0,
		},
		"Nothing":    {"an HPA that reads 0 goes to its minimum", alone, nil, Peaks{}, nil, nil, 0, NothingDeclared, 0},
		"Bound":      {"a lower bound is something to serve", bounded, nil, Peaks{}, nil, nil, 0, Planned, 3},
		"PeaksAlone": {"outside of the peaks 0 is meant", alone, nil, peaks, nil, nil, 0, Planned, 0},
		"PeaksTakenBack": {
			"a plan whose peaks were taken back is replaced", alone, nil,
			Peaks{},
			nil, planOf(5, 5), 0, Planned,
			0,
		},
		"PeaksUnreadable": {
			"a plan whose peaks cannot be evaluated any more is kept", alone, nil, invalid, nil, planOf(5, 5), 0,
			NothingDeclared, 0,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := StepInput{Now: origin.Add(tc.after), Settings: tc.set, Series: tc.series, Peaks: tc.peaks, Capacity: 10}
			out := Decide(in, tc.outlook, State{Published: tc.published})
			if out.Outcome != tc.want || out.Err != nil || (out.Plan != nil) != (tc.want == Planned) {
				t.Fatalf("outcome %d, plan %v, error %v; want outcome %d: %s", out.Outcome, out.Plan, out.Err, tc.want, tc.reason)
			}
			if out.Plan == nil {
				return
			}
			if got := out.Plan.Segments[0].Values[0]; got != tc.first && !(math.IsNaN(got) && math.IsNaN(tc.first)) {
				t.Errorf("the plan begins with %v, want %v: %s", got, tc.first, tc.reason)
			}
		})
	}
	failed := Decide(StepInput{Now: origin, Settings: set, Series: series, Capacity: math.NaN()}, outlook, State{})
	if failed.Outcome != BuildFailed || failed.Err == nil || failed.Plan != nil {
		t.Errorf("outcome %d, error %v, want a plan that cannot be built", failed.Outcome, failed.Err)
	}
}

// What a step serves is the plan, held up by the newest known demand of the series.
func TestStepServes(t *testing.T) {
	series := &forecaster.Series{
		Start: origin.Add(-3 * time.Minute), Step: time.Minute, Values: []float64{4, 60, math.NaN()},
	}
	set := Settings{
		HasDemand: true, Step: time.Minute, Horizon: 20 * time.Minute, Max: math.Inf(1),
		Mode: v1alpha1.ForecastActive,
	}
	outlook := &forecaster.Outlook{
		Start: origin, Step: time.Minute, Median: constant(5, 20), Cover: constant(8, 20), Skilled: true,
	}
	in := StepInput{Now: origin, Settings: set, Series: series, Capacity: 10, MaxObservedAge: 5 * time.Minute}
	out := Decide(in, outlook, State{})
	if out.Observed.Value != 60 || !out.Observed.At.Equal(origin.Add(-time.Minute)) {
		t.Fatalf("observed %+v, want 60 at the end of its step", out.Observed)
	}
	served, err := out.Serve(out.Plan)
	if err != nil || served.Value != 60 || served.Source != plan.SourceObserved {
		t.Errorf("served %+v, %v; want the observed demand", served, err)
	}
	in.MaxObservedAge = 30 * time.Second
	out = Decide(in, outlook, State{})
	if served, err := out.Serve(out.Plan); err != nil || served.Value != 8 || !served.FloorDropped {
		t.Errorf("served %+v, %v; want the plan, without an observation that is too old", served, err)
	}
}

func constant(v float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// An absurd sample is not what was observed last, for it would be served as it is, and peaks would
// multiply it.
func TestNewestIsNotAbsurd(t *testing.T) {
	values := make([]float64, 200)
	for i := range values {
		values[i] = 50 + float64(i%20)
	}
	series := &forecaster.Series{Start: time.Unix(0, 0), Step: time.Minute, Values: values}
	values[199] = 5e6
	if got := Newest(series); got.Value != values[198] || !got.At.Equal(time.Unix(199*60, 0)) {
		t.Errorf("newest %+v, want the value before the absurd one", got)
	}
	values[199] = 500
	if got := Newest(series); got.Value != 500 {
		t.Errorf("newest %+v, want sevenfold demand as it is", got)
	}
}

// The newest value is the one that the search in the whole series finds.
func TestNewestIsThatOfAllOfTheSeries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		step := rapid.SampledFrom([]time.Duration{10 * time.Second, time.Minute, time.Hour}).Draw(t, "step")
		s := forecaster.Series{Start: time.Unix(0, 0), Step: step}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		usual := rapid.SampledFrom([]float64{0, 1, 1000}).Draw(t, "usual")
		gaps := rapid.SampledFrom([]float64{0, 0.3, 0.99}).Draw(t, "gaps")
		for range rapid.IntRange(0, 5000).Draw(t, "steps") {
			v := usual * rng.Float64()
			switch {
			case rng.Float64() < gaps:
				v = math.NaN()
			case rng.Float64() < 0.001:
				v *= math.Pow(10, 8*rng.Float64())
			}
			s.Values = append(s.Values, v)
		}
		for range rapid.IntRange(0, 8).Draw(t, "high at the end") {
			s.Values = append(s.Values, usual*math.Pow(10, 5*rng.Float64()))
		}
		got, want := Newest(&s), newestOf(withoutAbsurd(s))
		if got.Value != want.Value && !(math.IsNaN(got.Value) && math.IsNaN(want.Value)) || !got.At.Equal(want.At) {
			t.Fatalf("the newest value is %+v, want %+v", got, want)
		}
	})
}

// BenchmarkStep measures a step of a server: 28 days of minutes are known, and another minute.
func BenchmarkStep(b *testing.B) {
	const known = 40_320
	set := Settings{
		HasDemand: true, Step: time.Minute, Horizon: 24 * time.Hour, History: known * time.Minute, Max: math.Inf(1),
		Mode: v1alpha1.ForecastActive, Contract: forecaster.Contract{ShortageCost: 20}, Location: time.UTC,
	}
	values := make([]float64, 2*known)
	for i := range values {
		values[i] = 100 + 60*math.Sin(2*math.Pi*float64(i)/1440) + float64(i*i%17)
	}
	publisher, err := publish.New(publish.DefaultOptions())
	if err != nil {
		b.Fatal(err)
	}
	state := State{Model: Model{Small: true}, Publisher: publisher}
	in := StepInput{Settings: set, Capacity: 10, Lead: 10 * time.Minute, MaxObservedAge: 5 * time.Minute}
	step := func(i int) StepOutput {
		at := i % 300 // no fit
		in.Series = &forecaster.Series{
			Start: origin.Add(time.Duration(at) * time.Minute), Step: time.Minute, Values: values[at : known+at],
		}
		in.Now = origin.Add(time.Duration(known+at) * time.Minute)
		var out StepOutput
		out, state = Step(in, state)
		return out
	}
	state.Published = step(0).Plan
	i := 0
	for b.Loop() {
		if i++; i%300 == 0 {
			b.StopTimer()
			state.Model.Forget()
			step(i)
			b.StartTimer()
			continue
		}
		if out := step(i); out.Plan == nil {
			b.Fatal("no plan")
		}
	}
}
