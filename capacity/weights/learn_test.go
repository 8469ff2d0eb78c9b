package weights

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// evidence returns what was measured as Evidence, added in parts.
func evidence(t interface{ Fatal(...any) }, in Input, part int) *Evidence {
	e, err := NewEvidence(len(in.Terms), in.Step, in.AtMost)
	if err != nil {
		t.Fatal(err)
	}
	for from := 0; from < len(in.Latency); from += part {
		to := min(from+part, len(in.Latency))
		var terms [][]float64
		for _, s := range in.Terms {
			terms = append(terms, s[from:to])
		}
		e.Add(in.Start.Add(time.Duration(from)*in.Step), terms, in.Latency[from:to], in.Replicas[from:to])
	}
	return e
}

func learn(t interface{ Fatal(...any) }, e *Evidence, configured, inUse []float64) Estimate {
	got, err := e.Learn(configured, inUse)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// usual is a service whose mix varies, with true weights in the ratio of 1 to 10.
var usual = service{14, time.Minute, []float64{0.1, 1}, 0.5, 0.1, false, 0.95}

// True weights are learned from configured ones that are wrong, keep the mean load, and are then left
// as they are.
func TestLearnFindsTheTruth(t *testing.T) {
	for name, tc := range map[string]struct {
		service
		configured []float64
		off        float64
	}{
		"prompts count too much":   {usual, []float64{1, 2}, 0.15},
		"prompts count too little": {usual, []float64{0.02, 1}, 0.15},
		"three terms": {
			service{14, time.Minute, []float64{1, 3, 0.2}, 0.5, 0.1, false, 0.95}, []float64{1, 1, 1}, 0.35,
		},
		"long steps": {service{14, 15 * time.Minute, []float64{0.1, 1}, 0.5, 0.05, false, 0.95}, []float64{1, 2}, 0.25},
	} {
		for seed := range uint64(3) {
			in := tc.measure(seed, tc.configured)
			e := evidence(t, in, 5)
			got := learn(t, e, tc.configured, tc.configured)
			if got.Verdict != Better {
				t.Errorf("%s: %+v", name, got)
				continue
			}
			found, want := ratio(got.Weights), ratio(tc.truth)
			for k := range want {
				if d := math.Abs(math.Log(found[k] / want[k])); d > tc.off {
					t.Errorf("%s: weights %.3g, want in the ratio of %v", name, got.Weights, tc.truth)
					break
				}
			}
			means := meansOf(busy(e.blocks, tc.configured), e.terms)
			if a, b := dot(got.Weights, means), dot(tc.configured, means); math.Abs(a/b-1) > 0.01 {
				t.Errorf("%s: the mean load was %v, and is %v", name, b, a)
			}
			if again := learn(t, e, tc.configured, got.Weights); again.Verdict == Better ||
				!slices.Equal(again.Weights, got.Weights) {
				t.Errorf("%s: learned again: %+v, after %+v", name, again, got)
			}
		}
	}
}

// Without clear evidence the weights in use stay, to the bit.
func TestLearnLeavesWeights(t *testing.T) {
	change := func(f func(*service)) service { s := usual; f(&s); return s }
	for name, tc := range map[string]struct {
		service
		configured []float64
		want       []Verdict
	}{
		"they are right":      {usual, []float64{0.1, 1}, []Verdict{GivenFit}},
		"the mix never moves": {change(func(s *service) { s.vary = 0 }), []float64{1, 1}, []Verdict{SameMix}},
		"latency is noise":    {change(func(s *service) { s.flat = true }), []float64{1, 1}, []Verdict{GivenFit}},
		"it is never busy":    {change(func(s *service) { s.busiest = 0.1 }), []float64{1, 1}, []Verdict{NeverBusy}},
		"six days":            {change(func(s *service) { s.days = 6 }), []float64{1, 1}, []Verdict{FewDays}},
		"nearly right": {
			change(func(s *service) { s.noise = 0.01 }), []float64{0.12, 1}, []Verdict{GivenFit, SmallChange},
		},
	} {
		for seed := range uint64(2) {
			got := learn(t, evidence(t, tc.measure(seed, tc.configured), 1440), tc.configured, tc.configured)
			if !slices.Contains(tc.want, got.Verdict) || !slices.Equal(got.Weights, tc.configured) {
				t.Errorf("%s: %+v, want %s and %v", name, got, tc.want, tc.configured)
			}
		}
	}
}

// Learned weights are within the bounds around the configured ones, however wrong these are: the better
// ones at the bound where that helps, and otherwise the configured ones.
func TestLearnedWeightsAreBounded(t *testing.T) {
	for _, tc := range []struct {
		configured []float64
		want       Verdict
	}{{[]float64{1, 0.4}, Better}, {[]float64{1, 0.01}, GivenFit}, {[]float64{0.0001, 1}, GivenFit}} {
		got := learn(t, evidence(t, usual.measure(1, tc.configured), 5), tc.configured, tc.configured)
		if got.Verdict != tc.want {
			t.Errorf("%v: %+v, want %s", tc.configured, got, tc.want)
		}
		most := 0.0
		for k, w := range got.Weights {
			f := w / tc.configured[k]
			if most = max(most, f); f < 0.99/MaxFactor || f > 1.01*MaxFactor {
				t.Errorf("a weight of %v becomes %v", tc.configured[k], w)
			}
		}
		if tc.want == Better && most < 0.99*MaxFactor {
			t.Errorf("%v become %v, and none is at the bound", tc.configured, got.Weights)
		}
	}
}

// Terms that rise and fall together keep the ratio that was configured, beside others whose weights
// are learned.
func TestCollinearTermsKeepTheirRatio(t *testing.T) {
	s := usual
	s.step = 10 * time.Minute
	rapid.Check(t, func(r *rapid.T) {
		in := s.measure(rapid.Uint64Range(0, 20).Draw(r, "seed"), nil)
		share := rapid.Float64Range(0.05, 20).Draw(r, "share")
		alone := rapid.Bool().Draw(r, "alone")
		of := rapid.IntRange(0, 1).Draw(r, "of")
		twin := make([]float64, len(in.Terms[of]))
		for i, v := range in.Terms[of] {
			twin[i] = share * v
		}
		if alone {
			in.Terms = [][]float64{in.Terms[of], twin}
			of = 0
		} else {
			in.Terms = append(in.Terms, twin)
		}
		var configured []float64
		for range in.Terms {
			configured = append(configured, rapid.Float64Range(0.1, 10).Draw(r, "weight"))
		}
		got := learn(r, evidence(r, in, 144), configured, configured)
		if alone && got.Verdict != SameMix {
			r.Fatalf("%+v", got)
		}
		last := len(configured) - 1
		want, have := configured[last]/configured[of], got.Weights[last]/got.Weights[of]
		bounded := func(k int) bool {
			f := got.Weights[k] / configured[k]
			return f < 1.01/MaxFactor || f > 0.99*MaxFactor
		}
		if !bounded(of) && math.Abs(have/want-1) > 0.02 {
			r.Fatalf("the ratio was %v, and is %v: %+v", want, have, got)
		}
	})
}

// It does not matter in which parts evidence is added, and what was added before is skipped.
func TestPartsDoNotMatter(t *testing.T) {
	in := usual.measure(1, []float64{1, 2})
	want := learn(t, evidence(t, in, len(in.Latency)), in.Given, in.Given)
	rapid.Check(t, func(r *rapid.T) {
		e := evidence(r, in, rapid.IntRange(1, 3000).Draw(r, "steps"))
		e.Add(in.Start, in.Terms, in.Latency, in.Replicas)
		c := e.Clone()
		e.Add(e.until, [][]float64{{1}, {1}}, []float64{1}, []float64{1})
		if got := learn(r, c, in.Given, in.Given); got.Gain != want.Gain || !slices.Equal(got.Weights, want.Weights) {
			r.Fatalf("%+v, want %+v", got, want)
		}
	})
}

// Evidence has a bound, and forgets what is older than two weeks.
func TestEvidenceIsBounded(t *testing.T) {
	s := usual
	s.days, s.step = 40, 10*time.Minute
	in := s.measure(1, nil)
	e := evidence(t, in, 144)
	if n := len(e.blocks); n > maxBlocks || n < maxBlocks/2 {
		t.Errorf("%d blocks are kept", n)
	}
	if first := e.blocks[0].day; first < int(e.until.Unix()/86400)-15 {
		t.Errorf("day %d is kept until %s", first, e.until)
	}
	e.Add(e.until.AddDate(0, 2, 0), [][]float64{{1}, {1}}, []float64{1}, []float64{1})
	e.endBlock()
	if len(e.blocks) != 0 {
		t.Errorf("%d blocks are left after two months", len(e.blocks))
	}
}

// Whatever is measured, configured or in status, learning ends, and weights are bounded numbers.
func TestLearnFromAnything(t *testing.T) {
	s := service{8, 30 * time.Minute, []float64{0.1, 1, 2}, 0.5, 0.1, false, 0.95}
	rapid.Check(t, func(r *rapid.T) {
		in := s.measure(rapid.Uint64().Draw(r, "seed"), nil)
		odd := []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 0, 1e300, math.MaxFloat64, 1e-320, 0.5}
		for _, series := range [][]float64{in.Terms[0], in.Terms[1], in.Terms[2], in.Latency, in.Replicas} {
			share := rapid.SampledFrom([]int{0, 0, 1, 5, 100}).Draw(r, "odd")
			v := rapid.SampledFrom(odd).Draw(r, "value")
			for i := range series {
				if i%100 < share {
					series[i] = v
				}
			}
		}
		if rapid.Bool().Draw(r, "short") {
			in.Terms[1], in.Replicas = in.Terms[1][:50], in.Replicas[:70]
			e, _ := NewEvidence(3, in.Step, in.AtMost)
			e.Add(in.Start, in.Terms[:2], in.Latency, in.Replicas)
		} else {
			weight := rapid.SampledFrom([]float64{1, 1e-18, 1e-3, 1e3, 1e20})
			configured := []float64{weight.Draw(r, "a"), weight.Draw(r, "b"), weight.Draw(r, "c")}
			got := learn(r, evidence(r, in, 48), configured, configured)
			for k, w := range got.Weights {
				if f := w / configured[k]; !(f >= 0.99/MaxFactor) || !(f <= 1.01*MaxFactor) {
					r.Fatalf("a weight of %v becomes %v", configured[k], w)
				}
			}
		}
	})
}

func TestLearnRefuses(t *testing.T) {
	e, err := NewEvidence(2, time.Minute, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]float64{nil, {1}, {1, 0}, {1, math.NaN()}, {1, 1, 1}} {
		if _, err := e.Learn(bad, []float64{1, 1}); err == nil {
			t.Errorf("configured weights %v are taken", bad)
		}
		if _, err := e.Learn([]float64{1, 1}, bad); err == nil {
			t.Errorf("weights %v in use are taken", bad)
		}
	}
	if _, err := NewEvidence(MaxTerms+1, time.Minute, 1); err == nil {
		t.Error("nine terms are taken")
	}
	if _, err := NewEvidence(2, 0, 1); err == nil {
		t.Error("a step of 0 is taken")
	}
}

// A term that makes hardly any load keeps its weight: latency says nothing about it.
func TestRareTermKeepsItsWeight(t *testing.T) {
	s := service{14, time.Minute, []float64{0.1, 1}, 0.5, 0.1, false, 0.95}
	for _, part := range []float64{0.003, 0.0001} {
		in := s.measure(1, nil)
		rng := rand.New(rand.NewPCG(1, 99))
		rare, factor := make([]float64, len(in.Terms[0])), 1.0
		for i := range rare {
			if i%720 == 0 {
				factor = math.Exp(2*rng.Float64() - 1)
			}
			rare[i] = part * factor * (0.1*in.Terms[0][i] + in.Terms[1][i])
		}
		in.Terms = append(in.Terms, rare)
		configured := []float64{0.03, 1, 1}
		got := learn(t, evidence(t, in, 5), configured, configured)
		if got.Verdict != Better || got.Weights[2] != 1 {
			t.Errorf("%s: the weights are %v, want better ones of the first two, and 1 for a term with %v of the load",
				got.Verdict, got.Weights, part)
		}
	}
}

// A slower release with another mix would look like other weights. What was before it does not count.
func TestReleaseForgets(t *testing.T) {
	right := []float64{1, 1}
	in := service{28, 10 * time.Minute, right, 0.3, 0.1, false, 0.95}.measure(3, right)
	half := len(in.Latency) / 2
	rng := rand.New(rand.NewPCG(3, 7))
	for i := range in.Latency {
		shift, slower := 0.2, 1.5
		if i < half {
			shift, slower = -0.2, 1
		}
		in.Terms[0][i] *= math.Exp(shift)
		in.Terms[1][i] *= math.Exp(-shift)
		load := (in.Terms[0][i] + in.Terms[1][i]) / in.Replicas[i] * slower
		in.Latency[i] = (0.1 + 0.05*load + 0.02*math.Pow(load, 4)/max(1.1-load, 0.02)) * math.Exp(0.1*rng.NormFloat64())
	}
	released := in.Start.Add(time.Duration(half) * in.Step)
	mixed := evidence(t, in, 5)
	mixed.Release(released)
	blocks := len(mixed.blocks)
	if mixed.Release(released.Add(-time.Hour)); len(mixed.blocks) != blocks {
		t.Error("an older release drops blocks")
	}
	if got := learn(t, mixed, right, right); got.Verdict == Better {
		t.Errorf("after the release: %+v", got)
	}
	before, err := NewEvidence(2, in.Step, in.AtMost)
	if err != nil {
		t.Fatal(err)
	}
	before.Release(released) // It is known before the past is read.
	before.Add(in.Start, in.Terms, in.Latency, in.Replicas)
	if len(before.blocks) != blocks {
		t.Errorf("%d blocks, and %d where the release is known later", len(before.blocks), blocks)
	}
}
