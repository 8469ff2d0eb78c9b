package planner

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/scheduler"
)

// slowForecastWithPeaks looks at every step of every lead window, as the words of build say.
func slowForecastWithPeaks(in buildInput, o *forecaster.Outlook) (values, expected []float64) {
	offset := int(in.Start.Sub(o.Start) / o.Step)
	for i := range min(in.Horizon, len(o.Cover)-offset) {
		cover, top := nonNegative(o.Cover[i+offset]), 0.0
		medians := o.Median[min(i+offset, len(o.Median)):]
		medians = medians[:min(in.Lead+1, len(medians))]
		for _, m := range medians {
			top = max(top, nonNegative(m))
		}
		window := func(cover float64) float64 {
			out := 0.0
			for j := 0; j <= in.Lead; j++ {
				base := cover
				if top > 0 && j < len(medians) {
					base = cover * (nonNegative(medians[j]) / top)
				}
				if len(in.Peaks) > 0 {
					base = in.Peaks[i+j].Apply(base, in.Capacity)
				} else if top > 0 && j < len(medians) && nonNegative(medians[j]) == top {
					base = cover
				}
				out = max(out, nonNegative(base))
			}
			return out
		}
		declared := false
		for j := 0; j <= in.Lead && len(in.Peaks) > 0; j++ {
			declared = declared || !in.Peaks[i+j].IsNeutral()
		}
		if !declared {
			values, expected = append(values, cover), append(expected, min(top, cover))
			continue
		}
		values, expected = append(values, window(cover)), append(expected, window(min(top, cover)))
	}
	return values, expected
}

// slowPeaksOnly does the same without a forecast.
func slowPeaksOnly(in buildInput, counts func(scheduler.Demand) bool, otherwise float64) []float64 {
	perStep := in.peakValues(counts)
	values := make([]float64, in.Horizon)
	for i := range values {
		values[i] = otherwise
		for j := i; j <= i+in.Lead && j < len(perStep); j++ {
			if v := perStep[j]; !math.IsNaN(v) && !(v <= values[i]) {
				values[i] = v
			}
		}
	}
	return values
}

// randomDemand is a Demand of any kind, also one on a ramp.
func randomDemand(t *rapid.T) scheduler.Demand {
	d := scheduler.Neutral()
	some := func(name string) float64 { return rapid.SampledFrom([]float64{0, 0.5, 1, 3, 40, 500}).Draw(t, name) }
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		d.Multiply = some("multiply")
		d.MultiplyTo = d.Multiply
	case 1:
		d.Add = some("add")
		d.AddTo = d.Add
	case 2:
		d.AtLeast = some("at least")
	case 3:
		d.AtMost = some("at most")
	case 4:
		d.Multiply, d.MultiplyTo = 1+some("multiply")/10, 4
		d.Add, d.AddTo = some("add"), 30
	case 5:
		d.Replicas = some("replicas")
	}
	return d
}

// The plan is what looking at every step of every lead window gives, to the last bit.
func TestFastPlanEqualsTheSlowOne(t *testing.T) {
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(rt *rapid.T) {
		in := buildInput{
			Start: start, Step: time.Minute, Horizon: rapid.IntRange(1, 60).Draw(rt, "horizon"),
			Lead: rapid.IntRange(0, 30).Draw(rt, "lead"), Observed: 7, PeakBase: math.NaN(),
			Capacity: float64(rapid.IntRange(0, 3).Draw(rt, "capacity")),
		}
		if rapid.Bool().Draw(rt, "peaks") {
			for len(in.Peaks) < in.Horizon+in.Lead+1 {
				d := randomDemand(rt)
				for range rapid.IntRange(1, 20).Draw(rt, "run") {
					in.Peaks = append(in.Peaks, d)
				}
			}
		}
		offset := rapid.IntRange(0, 5).Draw(rt, "offset")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		o := &forecaster.Outlook{Start: start.Add(-time.Duration(offset) * time.Minute), Step: time.Minute}
		for range rapid.IntRange(1, 70).Draw(rt, "outlook") {
			o.Cover = append(o.Cover, 100*r.Float64()-5)
		}
		for range len(o.Cover) + rapid.IntRange(0, 30).Draw(rt, "medians") - 5 {
			o.Median = append(o.Median, 80*r.Float64()-5)
		}
		if len(o.Cover) > offset {
			values, expected := in.forecastWithPeaks(o)
			wantValues, wantExpected := slowForecastWithPeaks(in, o)
			if diff := cmp.Diff(wantValues, values); diff != "" {
				rt.Fatalf("values: -slow, +fast:\n%s", diff)
			}
			if diff := cmp.Diff(wantExpected, expected); diff != "" {
				rt.Fatalf("expected: -slow, +fast:\n%s", diff)
			}
		}
		for _, otherwise := range []float64{0, math.NaN()} {
			got, want := in.peaksOnly(raisesDemand, otherwise), slowPeaksOnly(in, raisesDemand, otherwise)
			if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
				rt.Fatalf("peaks alone: -slow, +fast:\n%s", diff)
			}
		}
	})
}

// The longest plan, with a peak that lasts for all of it.
func BenchmarkLongestPlan(b *testing.B) {
	in := buildInput{
		Start: time.Unix(0, 0), Step: time.Minute, Horizon: MaxHorizonSteps, Lead: forecaster.MaxLead,
		Capacity: 5, Observed: 7, PeakBase: math.NaN(), Ramp: Ramp{None: true},
	}
	o := &forecaster.Outlook{Start: in.Start, Step: time.Minute, Skilled: true}
	d := scheduler.Neutral()
	d.Multiply, d.MultiplyTo = 2, 2
	for i := range in.Horizon + in.Lead + 1 {
		in.Peaks = append(in.Peaks, d)
		o.Median = append(o.Median, 100+50*math.Sin(float64(i)/200))
		o.Cover = append(o.Cover, 160)
	}
	in.Outlook = o
	for b.Loop() {
		if _, _, err := build(in); err != nil {
			b.Fatal(err)
		}
	}
}
