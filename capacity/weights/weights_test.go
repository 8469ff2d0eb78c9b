package weights

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// service is a service whose latency follows the load that its true weights make.
type service struct {
	days    int
	step    time.Duration
	truth   []float64
	vary    float64 // how far the mix of a day is from the usual one: the log of a factor
	noise   float64 // of the latency
	flat    bool    // whether latency does not depend on the load at all
	busiest float64 // the highest load of a day, relative to the capacity of 1
}

// measure returns what is measured of a service, with the given weights.
func (s service) measure(seed uint64, given []float64) Input {
	rng := rand.New(rand.NewPCG(seed, 7))
	n := s.days * int(24*time.Hour/s.step)
	in := Input{Start: epoch, Step: s.step, Given: given, AtMost: 0.3, Terms: make([][]float64, len(s.truth))}
	perDay := n / s.days
	apart := 0.1 // the noise of each term
	if s.vary == 0 {
		apart = 0
	}
	factors := make([]float64, len(s.truth))
	for i := range n {
		if i%(perDay/2) == 0 { // mornings and afternoons differ, too
			for k := range factors {
				factors[k] = math.Exp(s.vary * (2*rng.Float64() - 1))
			}
		}
		shape := 0.55 - 0.45*math.Cos(2*math.Pi*float64(i)/float64(perDay))
		replicas := 4 + float64(i/(perDay/6)%3)
		load := 0.0
		for k, w := range s.truth {
			each := s.busiest * shape * factors[k] / (w * float64(len(s.truth))) * (1 + apart*rng.NormFloat64())
			each = max(each, 0)
			in.Terms[k] = append(in.Terms[k], each*replicas)
			load += w * each
		}
		latency := 0.1 + 0.05*load + 0.02*math.Pow(load, 4)/max(1.1-load, 0.02)
		if s.flat {
			latency = 0.3
		}
		in.Latency = append(in.Latency, latency*math.Exp(s.noise*rng.NormFloat64()))
		in.Replicas = append(in.Replicas, replicas)
	}
	return in
}

// ratio returns the weight of each term relative to the first one.
func ratio(weights []float64) []float64 {
	out := slices.Clone(weights)
	for k := range out {
		out[k] /= weights[0]
	}
	return out
}

// Wrong weights are found out, and right ones come out.
func TestTrueWeightsAreFound(t *testing.T) {
	for name, tc := range map[string]struct {
		service
		given []float64
		off   float64
	}{
		"prompts count too much": {
			service{14, time.Minute, []float64{0.1, 1}, 0.5, 0.1, false, 0.95}, []float64{1, 1}, 0.15,
		},
		"prompts count too little": {
			service{14, time.Minute, []float64{0.2, 1}, 0.5, 0.1, false, 0.95}, []float64{0.02, 1}, 0.15,
		},
		"three terms": {
			service{14, time.Minute, []float64{1, 3, 0.2}, 0.5, 0.1, false, 0.95}, []float64{1, 0.5, 1}, 0.3,
		},
		"a week": {service{7, time.Minute, []float64{0.1, 1}, 0.5, 0.1, false, 0.95}, []float64{1, 1}, 0.25},
		"long steps": {
			service{14, 15 * time.Minute, []float64{0.1, 1}, 0.5, 0.05, false, 0.95}, []float64{1, 1}, 0.25,
		},
	} {
		for seed := range uint64(3) {
			got, err := Find(tc.measure(seed, tc.given))
			if err != nil || got.Verdict != Better {
				t.Errorf("%s: %+v, %v", name, got, err)
				continue
			}
			found, want := ratio(got.Weights), ratio(tc.truth)
			for k := range want {
				if d := math.Abs(math.Log(found[k] / want[k])); d > tc.off {
					t.Errorf("%s: weights %.3g, want in the ratio of %v", name, got.Weights, tc.truth)
					break
				}
			}
		}
	}
}

// Without clear evidence the given weights stay.
func TestGivenWeightsStay(t *testing.T) {
	usual := service{14, time.Minute, []float64{0.1, 1}, 0.5, 0.1, false, 0.95}
	change := func(f func(*service)) service { s := usual; f(&s); return s }
	for name, tc := range map[string]struct {
		service
		given []float64
		want  Verdict
	}{
		"they are right":      {usual, []float64{0.1, 1}, GivenFit},
		"in another unit":     {usual, []float64{10, 100}, GivenFit},
		"the mix never moves": {change(func(s *service) { s.vary = 0 }), []float64{1, 1}, SameMix},
		"latency is noise":    {change(func(s *service) { s.flat = true }), []float64{1, 1}, GivenFit},
		"it is never busy":    {change(func(s *service) { s.busiest = 0.1 }), []float64{1, 1}, NeverBusy},
		"six days":            {change(func(s *service) { s.days = 6 }), []float64{1, 1}, FewDays},
		"one term":            {change(func(s *service) { s.truth = []float64{1} }), []float64{3}, OneTerm},
		"no terms":            {change(func(s *service) { s.truth = nil }), nil, OneTerm},
	} {
		for seed := range uint64(3) {
			got, err := Find(tc.measure(seed, tc.given))
			if err != nil || got.Verdict != tc.want || !slices.Equal(got.Weights, tc.given) {
				t.Errorf("%s: %+v, %v, want %s and %v", name, got, err, tc.want, tc.given)
			}
		}
	}
}

// Chance alone rarely speaks for other weights.
func TestChanceIsNoEvidence(t *testing.T) {
	s := service{14, 10 * time.Minute, []float64{0.3, 1}, 0.4, 0.3, false, 0.9}
	better := 0
	for seed := range uint64(60) {
		got, err := Find(s.measure(seed, s.truth))
		if err != nil {
			t.Fatal(err)
		}
		if got.Verdict == Better {
			better++
		}
	}
	if better > 1 {
		t.Errorf("%d of 60 times other weights than the true ones are called better", better)
	}
}

// The unit of a term, or of the latency, does not matter; and the mean load stays.
func TestUnitsDoNotMatter(t *testing.T) {
	s := service{8, 10 * time.Minute, []float64{0.1, 1}, 0.5, 0.1, false, 0.95}
	before := s.measure(1, []float64{1, 1})
	want, err := Find(before)
	if err != nil || want.Verdict != Better {
		t.Fatalf("%+v, %v", want, err)
	}
	mean := func(in Input, weights []float64) float64 {
		sum := 0.0
		for _, b := range busy(in.blocks(), in.Given) {
			sum += dot(weights, b.terms)
		}
		return sum
	}
	if a, b := mean(before, want.Weights), mean(before, before.Given); math.Abs(a/b-1) > 1e-9 {
		t.Errorf("the load of all blocks is %v by the new weights, and %v by the given ones", a, b)
	}
	rapid.Check(t, func(r *rapid.T) {
		in := s.measure(1, []float64{1, 1})
		unit := math.Exp(rapid.Float64Range(-20, 20).Draw(r, "unit of a term"))
		seconds := math.Exp(rapid.Float64Range(-10, 10).Draw(r, "unit of the latency"))
		for i := range in.Latency {
			in.Terms[0][i] *= unit
			in.Latency[i] *= seconds
		}
		in.Given = []float64{1 / unit, 1}
		in.AtMost *= seconds
		got, err := Find(in)
		if err != nil || got.Verdict != want.Verdict || math.Abs(got.Weights[0]*unit/want.Weights[0]-1) > 0.05 ||
			math.Abs(got.Weights[1]/want.Weights[1]-1) > 0.05 {
			r.Fatalf("%+v, %v\nwant %+v", got, err, want)
		}
	})
}

// Whatever is measured, weights are numbers above 0, and finding them ends.
func TestAnythingMeasured(t *testing.T) {
	s := service{8, 30 * time.Minute, []float64{0.1, 1, 2}, 0.5, 0.1, false, 0.95}
	rapid.Check(t, func(r *rapid.T) {
		in := s.measure(rapid.Uint64().Draw(r, "seed"), []float64{1, 1, 1})
		odd := []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 0, 1e300, math.MaxFloat64, 1e-320, 0.5}
		for name, series := range map[string][]float64{
			"a": in.Terms[0], "b": in.Terms[1], "c": in.Terms[2], "latency": in.Latency, "replicas": in.Replicas,
		} {
			share := rapid.SampledFrom([]int{0, 0, 1, 5, 100}).Draw(r, "odd of "+name)
			v := rapid.SampledFrom(odd).Draw(r, "value of "+name)
			for i := range series {
				if i%100 < share {
					series[i] = v
				}
			}
		}
		in.Given[0] = rapid.SampledFrom([]float64{1, 1e-300, 1e300, math.MaxFloat64}).Draw(r, "weight")
		got, err := Find(in)
		if err != nil {
			r.Fatal(err)
		}
		for _, w := range got.Weights {
			if !(w > 0) || math.IsInf(w, 0) {
				r.Fatalf("%+v", got)
			}
		}
		if math.IsNaN(got.Gain) || got.BetterDays > got.Days || len(got.Weights) != 3 {
			r.Fatalf("%+v", got)
		}
	})
}

func TestRefused(t *testing.T) {
	for name, change := range map[string]func(*Input){
		"a weight of 0":        func(in *Input) { in.Given[0] = 0 },
		"a weight of NaN":      func(in *Input) { in.Given[1] = math.NaN() },
		"a weight too few":     func(in *Input) { in.Given = in.Given[:1] },
		"a short term":         func(in *Input) { in.Terms[1] = in.Terms[1][:5] },
		"short replicas":       func(in *Input) { in.Replicas = nil },
		"no step":              func(in *Input) { in.Step = 0 },
		"no objective":         func(in *Input) { in.AtMost = 0 },
		"an endless objective": func(in *Input) { in.AtMost = math.Inf(1) },
		"nine terms": func(in *Input) {
			for range 7 {
				in.Terms, in.Given = append(in.Terms, in.Terms[0]), append(in.Given, 1)
			}
		},
	} {
		in := service{1, time.Hour, []float64{1, 1}, 0, 0, false, 0.5}.measure(1, []float64{1, 1})
		change(&in)
		if got, err := Find(in); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	empty := Input{Step: time.Minute, AtMost: 1, Given: []float64{1, 1}, Terms: [][]float64{{}, {}}}
	if got, err := Find(empty); err != nil || got.Verdict != FewDays {
		t.Errorf("nothing measured: %+v, %v", got, err)
	}
}

// With the most terms, and two weeks of minutes, weights are found in seconds.
func BenchmarkFind(b *testing.B) {
	for _, terms := range []int{2, 8} {
		b.Run(fmt.Sprint(terms, " terms"), func(b *testing.B) {
			s := service{days: 14, step: time.Minute, vary: 0.5, noise: 0.1, busiest: 0.95}
			given := make([]float64, terms)
			for k := range terms {
				s.truth, given[k] = append(s.truth, 0.1+float64(k)), 1
			}
			in := s.measure(1, given)
			for b.Loop() {
				if _, err := Find(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
