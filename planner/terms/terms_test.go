package terms

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/capacity/weights"
)

var now = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// forecast returns a Forecast whose weights are learned.
func forecast(configured ...v1alpha1.Decimal) *v1alpha1.Forecast {
	d := &v1alpha1.DemandSource{Weights: v1alpha1.WeightsLearned}
	for i, w := range configured {
		d.Terms = append(d.Terms, v1alpha1.DemandTerm{Query: fmt.Sprint("q", i), Weight: w})
	}
	fc := &v1alpha1.Forecast{}
	fc.Spec.Demand = d
	fc.Spec.Capacity = &v1alpha1.Capacity{Mode: v1alpha1.CapacityLearned}
	fc.Spec.Serve.Unit = v1alpha1.ServeReplicas
	return fc
}

func found(w ...float64) weights.Estimate {
	return weights.Estimate{Verdict: weights.Better, Weights: w, Days: 14, BetterDays: 13, Gain: 0.314159}
}

// What is learned counts once it is in status, and only for the terms that it was learned of.
func TestInUse(t *testing.T) {
	status, err := Status(&forecast("1", "2").Spec, found(0.25, 4.5678), now)
	if err != nil || status.Gain != "0.314" || status.Days != 14 || status.BetterDays != 13 {
		t.Fatalf("%+v, %v", status, err)
	}
	for name, tc := range map[string]struct {
		change func(*v1alpha1.Forecast)
		want   string
	}{
		"learned":          {func(*v1alpha1.Forecast) {}, "0.25 4.57"},
		"without a status": {func(fc *v1alpha1.Forecast) { fc.Status.DemandWeights = nil }, "1 2"},
		"fixed":            {func(fc *v1alpha1.Forecast) { fc.Spec.Demand.Weights = "" }, "1 2"},
		"another query":    {func(fc *v1alpha1.Forecast) { fc.Spec.Demand.Terms[1].Query = "other" }, "1 2"},
		"another weight":   {func(fc *v1alpha1.Forecast) { fc.Spec.Demand.Terms[0].Weight = "1.5" }, "1.5 2"},
		"another source":   {func(fc *v1alpha1.Forecast) { fc.Spec.Demand.Source = "second" }, "1 2"},
		"another target":   {func(fc *v1alpha1.Forecast) { fc.Spec.TargetRef.Name = "other" }, "1 2"},
		"another latency": {func(fc *v1alpha1.Forecast) {
			fc.Spec.Capacity = &v1alpha1.Capacity{Objective: &v1alpha1.Objective{Query: "other"}}
		}, "1 2"},
		"too few":          {func(fc *v1alpha1.Forecast) { fc.Status.DemandWeights.Values = []v1alpha1.Decimal{"1"} }, "1 2"},
		"out of bounds":    {func(fc *v1alpha1.Forecast) { fc.Status.DemandWeights.Values[0] = "0.05" }, "1 2"},
		"too much":         {func(fc *v1alpha1.Forecast) { fc.Status.DemandWeights.Values[1] = "21" }, "1 2"},
		"0":                {func(fc *v1alpha1.Forecast) { fc.Status.DemandWeights.Values[1] = "0" }, "1 2"},
		"no number":        {func(fc *v1alpha1.Forecast) { fc.Status.DemandWeights.Values[1] = "NaN" }, "1 2"},
		"more than PromQL": {func(fc *v1alpha1.Forecast) { fc.Status.DemandWeights.Values[1] = "2 or up" }, "1 2"},
	} {
		fc := forecast("1", "2")
		fc.Status.DemandWeights = status.DeepCopy()
		tc.change(fc)
		before := fc.DeepCopy()
		var got []string
		for _, term := range InUse(fc).Demand.Terms {
			got = append(got, string(term.Weight))
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: weights %v, want %s", name, got, tc.want)
		}
		if kept := Kept(fc) != nil; kept != (name == "learned") {
			t.Errorf("%s: kept in status: %t", name, kept)
		}
		if !slices.Equal(before.Spec.Demand.Terms, fc.Spec.Demand.Terms) {
			t.Errorf("%s: the spec has changed", name)
		}
	}
	if InUse(&v1alpha1.Forecast{}).Demand != nil {
		t.Error("a Forecast without demand gets one")
	}
}

// Whatever status says, weights are numbers within the bounds around those of the spec.
func TestAnyStatusIsBounded(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		weight := rapid.StringMatching(`[0-9]{1,10}(\.[0-9]{1,8})?`)
		fc := forecast(v1alpha1.Decimal(weight.Draw(r, "a")), v1alpha1.Decimal(weight.Draw(r, "b")))
		value := rapid.OneOf(weight, rapid.String(), rapid.SampledFrom([]string{"1e9", "-1", "+Inf", "", "0x10"}))
		fc.Status.DemandWeights = &v1alpha1.DemandWeights{TermsHash: hash(&fc.Spec)}
		for range rapid.IntRange(0, 3).Draw(r, "n") {
			fc.Status.DemandWeights.Values = append(fc.Status.DemandWeights.Values, v1alpha1.Decimal(value.Draw(r, "value")))
		}
		spec, err := Weights(fc.Spec.Demand)
		if err != nil {
			if Kept(fc) != nil {
				r.Fatalf("%v are used of a spec that is not valid", Kept(fc).Values)
			}
			return
		}
		got, err := Weights(InUse(fc).Demand)
		if err != nil {
			r.Fatal(err)
		}
		for i, w := range got {
			if f := w / spec[i]; f < 0.98/weights.MaxFactor || f > 1.02*weights.MaxFactor {
				r.Fatalf("%v becomes %v", spec[i], w)
			}
		}
	})
}

func TestStatusRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		configured []v1alpha1.Decimal
		found      []float64
	}{
		"too long":      {[]v1alpha1.Decimal{"0.000000000000000001", "1"}, []float64{1.23e-19, 1}},
		"out of bounds": {[]v1alpha1.Decimal{"1", "1"}, []float64{11, 1}},
		"NaN":           {[]v1alpha1.Decimal{"1", "1"}, []float64{math.NaN(), 1}},
		"0":             {[]v1alpha1.Decimal{"1", "1"}, []float64{0, 1}},
		"too few":       {[]v1alpha1.Decimal{"1", "1"}, []float64{1}},
	} {
		if got, err := Status(&forecast(tc.configured...).Spec, found(tc.found...), now); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestCheck(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*v1alpha1.ForecastSpec)
		want   string
	}{
		"learned":        {func(*v1alpha1.ForecastSpec) {}, ""},
		"a default mode": {func(s *v1alpha1.ForecastSpec) { s.Capacity.Mode = "" }, ""},
		"fixed": {func(s *v1alpha1.ForecastSpec) {
			*s = v1alpha1.ForecastSpec{Demand: &v1alpha1.DemandSource{Weights: "Fixed"}}
		}, ""},
		"no demand":           {func(s *v1alpha1.ForecastSpec) { s.Demand = nil }, ""},
		"another mode":        {func(s *v1alpha1.ForecastSpec) { s.Demand.Weights = "Guessed" }, "use Fixed or Learned"},
		"one term":            {func(s *v1alpha1.ForecastSpec) { s.Demand.Terms = s.Demand.Terms[:1] }, "two terms"},
		"a fixed capacity":    {func(s *v1alpha1.ForecastSpec) { s.Capacity.Mode = v1alpha1.CapacityFixed }, "spec.capacity"},
		"no capacity":         {func(s *v1alpha1.ForecastSpec) { s.Capacity = nil }, "spec.capacity"},
		"a target in demand":  {func(s *v1alpha1.ForecastSpec) { s.Serve.Unit = v1alpha1.ServeDemand }, "spec.serve.unit"},
		"no unit of the door": {func(s *v1alpha1.ForecastSpec) { s.Serve.Unit = "" }, "spec.serve.unit"},
	} {
		spec := forecast("1", "2").Spec.DeepCopy()
		tc.change(spec)
		err := Check(spec)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}
