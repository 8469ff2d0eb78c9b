package learned

import (
	"math"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/capacity/weights"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner"
)

// Each verdict says what there is to do, with weights as a spec has them.
func TestWeightWords(t *testing.T) {
	for name, tc := range map[string]struct {
		estimate weights.Estimate
		want     []string
	}{
		"better": {
			weights.Estimate{
				Verdict: weights.Better, Weights: []float64{0.00012345, 1.26, 123.4}, Days: 14, BetterDays: 12, Gain: 0.314,
			},
			[]string{`terms[0] "0.00012", terms[1] "1.3", terms[2] "123"`, "12 of 14 days", "31 % less", "learned again"},
		},
		"the given ones fit": {weights.Estimate{Verdict: weights.GivenFit, Days: 9}, []string{"fit", "9 days"}},
		"few days":           {weights.Estimate{Verdict: weights.FewDays, Days: 2}, []string{"only 2 days", "a week"}},
		"one mix":            {weights.Estimate{Verdict: weights.SameMix}, []string{"rise and fall together"}},
		"never busy":         {weights.Estimate{Verdict: weights.NeverBusy}, []string{"never near the objective"}},
		"nothing to weigh":   {weights.Estimate{Verdict: weights.OneTerm}, nil},
	} {
		got := WeightWords(tc.estimate)
		if (got == "") != (tc.want == nil) {
			t.Errorf("%s: %q", name, got)
		}
		for _, part := range tc.want {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %q is missing in %q", name, part, got)
			}
		}
	}
}

// Series that begin at other times are compared step by step, and a series that is not known is no
// error.
func TestWeighTerms(t *testing.T) {
	const step, days, perDay = 10 * time.Minute, 8, 144
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	series := func(early int, value func(k int) float64) forecaster.Series {
		s := forecaster.Series{Start: start.Add(-time.Duration(early) * step), Step: step}
		for k := -early; k < days*perDay; k++ {
			s.Values = append(s.Values, value(k))
		}
		return s
	}
	prompts := func(k int) float64 {
		return (3 - 2*math.Cos(2*math.Pi*float64(k)/perDay)) * (1 + 0.5*math.Sin(float64(k/30)))
	}
	answers := func(k int) float64 { return 3 - 2*math.Cos(2*math.Pi*float64(k)/perDay) }
	load := func(k int) float64 { return prompts(k) + 0.2*answers(k) }
	in := Input{
		Settings: planner.Settings{Learn: &planner.LearnSettings{AtMost: 0.5}},
		Demand:   series(0, func(k int) float64 { return prompts(k) + answers(k) }),
		Evidence: Evidence{
			Latency:  series(3, func(k int) float64 { return 0.1 + 0.01*math.Pow(load(k), 2) }),
			Replicas: series(7, func(int) float64 { return 1 }),
		},
	}
	terms := []Term{{1, series(5, prompts)}, {1, series(0, answers)}}
	got, err := WeighTerms(in, terms)
	if err != nil || got.Verdict != weights.Better || math.Abs(got.Weights[1]/got.Weights[0]-0.2) > 0.06 {
		t.Errorf("%+v, %v, want an answer to weigh a fifth of a prompt", got, err)
	}
	terms[1].Series = forecaster.Series{}
	if got, err := WeighTerms(in, terms); err != nil || got.Verdict != weights.FewDays {
		t.Errorf("a term that is not known: %+v, %v", got, err)
	}
}
