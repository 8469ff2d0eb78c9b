package learned

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/capacity/weights"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/terms"
	"headstart.dev/headstart/report/learned"
)

// answers is a source by query.
type answers map[string]func(k int) float64

func (a answers) Range(
	_ context.Context, query string, from, to time.Time, step time.Duration, _ func(done, total int),
) (history.Series, history.Notes, error) {
	value, ok := a[query]
	if !ok {
		return history.Series{}, history.Notes{}, &history.Error{Kind: history.ErrNoSeries, Message: "it gives no series"}
	}
	s := history.Series{Start: from, Step: step, Values: make([]float64, to.Sub(from)/step)}
	for k := range s.Values {
		s.Values[k] = value(k)
	}
	return s, history.Notes{}, nil
}

// The text and the output say which weights are in use, where they are learned.
func TestWeightsInUse(t *testing.T) {
	v := invented()
	d := &v1alpha1.DemandSource{Terms: []v1alpha1.DemandTerm{{Query: "a", Weight: "0.1"}, {Query: "b", Weight: "1"}}}
	v.Forecast.Spec.Demand = d
	if got := text(t, v, Layout{Width: 100, Height: 6}); strings.Contains(got, "Weights in use") {
		t.Errorf("where weights are fixed:\n%s", got)
	}
	d.Weights = v1alpha1.WeightsLearned
	const ofSpec = "Weights in use: terms[0] 0.1, terms[1] 1 (those of the spec)."
	if got := text(t, v, Layout{Width: 100, Height: 6}); !strings.Contains(got, ofSpec) {
		t.Errorf("without evidence, want %q:\n%s", ofSpec, got)
	}
	found := weights.Estimate{Weights: []float64{0.3, 0.9}, Days: 14, BetterDays: 12, Gain: 0.31}
	status, err := terms.Status(&v.Forecast.Spec, found, start)
	if err != nil {
		t.Fatal(err)
	}
	v.Forecast.Status.DemandWeights = status
	const inUse = "Weights in use: terms[0] 0.3, terms[1] 0.9 (learned, since 2026-03-02 00:00Z;"
	if got := text(t, v, Layout{Width: 100, Height: 6}); !strings.Contains(got, inUse) {
		t.Errorf("want %q:\n%s", inUse, got)
	}
	if got := v.Output(); got.Weights == nil || len(got.Weights.Values) != 2 {
		t.Errorf("the output has the weights %+v", got.Weights)
	}
}

// The terms are read one by one. Notes say which weights fit better, and which term cannot be read.
func TestWeigh(t *testing.T) {
	const perDay = 144
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	generated := func(k int) float64 { return 3 - 2*math.Cos(2*math.Pi*float64(k)/perDay) }
	prompts := func(k int) float64 { return generated(k) * (1 + 0.5*math.Sin(float64(k/30))) }
	source := answers{
		"1 * sum(\nprompts # all\n)": prompts, "1 * sum(\ngenerated\n)": generated,
		"latency":  func(k int) float64 { return 0.1 + 0.01*math.Pow(prompts(k)+0.2*generated(k), 2) },
		"replicas": func(int) float64 { return 1 },
	}
	read := func(query string) forecaster.Series {
		s, _, err := source.Range(t.Context(), query, start, start.AddDate(0, 0, 8), 10*time.Minute, nil)
		if err != nil {
			t.Fatal(err)
		}
		return forecaster.Series(s)
	}
	in := learned.Input{
		Settings: planner.Settings{Learn: &planner.LearnSettings{AtMost: 0.5}},
		Demand:   read("1 * sum(\ngenerated\n)"),
		Evidence: learned.Evidence{Latency: read("latency"), Replicas: read("replicas")},
	}
	for name, tc := range map[string]struct {
		terms []v1alpha1.DemandTerm
		want  string
	}{
		"one query": {nil, ""},
		"one term":  {[]v1alpha1.DemandTerm{{Query: "prompts # all", Weight: "1"}}, ""},
		"two terms": {
			[]v1alpha1.DemandTerm{{Query: "prompts # all", Weight: "1"}, {Query: "generated", Weight: "1"}},
			`weigh terms[0] "1.`,
		},
		"a term without a series": {
			[]v1alpha1.DemandTerm{{Query: "prompts # all", Weight: "1"}, {Query: "gone", Weight: "1"}},
			"spec.demand.terms[1]: it gives no series",
		},
	} {
		got := strings.Join(Weigh(t.Context(), source, &v1alpha1.DemandSource{Terms: tc.terms}, in, nil), "\n")
		if tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
	learned := &v1alpha1.DemandSource{
		Terms:   []v1alpha1.DemandTerm{{Query: "prompts # all", Weight: "1"}, {Query: "generated", Weight: "1"}},
		Weights: v1alpha1.WeightsLearned,
	}
	got := strings.Join(Weigh(t.Context(), source, learned, in, nil), "\n")
	if !strings.Contains(got, "changes them by itself") || strings.Contains(got, "terms[0]") {
		t.Errorf("where weights are learned: %q", got)
	}
	if got := Weigh(t.Context(), source, nil, in, nil); got != nil {
		t.Errorf("without a demand: %q", got)
	}
}
