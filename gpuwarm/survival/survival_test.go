package survival

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// finished returns samples of finished starts of one stratum.
func finished(secs ...float64) []Sample {
	out := make([]Sample, len(secs))
	for i, s := range secs {
		out[i] = Sample{Seconds: s, Finished: true, Stratum: "Warm", Weight: 1}
	}
	return out
}

func censored(secs float64) Sample {
	return Sample{Seconds: secs, Ongoing: true, Stratum: "Warm", Weight: 1}
}

func TestQuantile(t *testing.T) {
	cases := map[string]struct {
		reason  string
		samples []Sample
		q       float64
		want    float64
	}{
		"Nothing": {"without a finished sample nothing is known", []Sample{censored(10)}, 0.9, 0},
		"First":   {"the (n+1)q-th smallest", finished(40, 10, 30, 20), 0.2, 10},
		"Middle":  {"the (n+1)q-th smallest", finished(40, 10, 30, 20), 0.6, 30},
		"Between": {"the geometric mean of two", finished(10, 40, 90), 0.375, 20},
		"Censored": {
			"a start that is still going on counts as longer", append(finished(10, 20, 40), censored(15)), 0.5,
			20 * math.Pow(2, 0.125),
		},
		"Tie": {
			"a start censored in the same second was still at risk",
			append([]Sample{censored(10)}, finished(10, 20)...), 0.25, 10,
		},
		"BeyondAll": {
			"the rest follows the spread", finished(10), 0.9, 10 * math.Exp(0.35*math.Sqrt(4.0/5)*NormalQuantile(0.9)),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := quantile(tc.samples, tc.q); math.Abs(got-tc.want) > 1e-9 {
				t.Errorf("%s: got %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
}

// A censored sample never lowers the quantile, and the order of the samples does not matter.
func TestQuantileProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := finished(rapid.SliceOfN(rapid.Float64Range(1, 1000), 1, 40).Draw(t, "secs")...)
		q := rapid.Float64Range(0.1, 0.99).Draw(t, "q")
		before := quantile(samples, q)
		shuffled := rapid.Permutation(samples).Draw(t, "order")
		if got := quantile(shuffled, q); math.Abs(got-before) > 1e-9*before {
			t.Fatalf("another order gives %v, before %v", got, before)
		}
		longest := slices.MaxFunc(samples, func(a, b Sample) int { return int(math.Copysign(1, a.Seconds-b.Seconds)) })
		with := append(slices.Clone(samples), censored(rapid.Float64Range(1, longest.Seconds).Draw(t, "censored")))
		if got := quantile(with, q); got < before*(1-1e-9) && before <= longest.Seconds {
			t.Fatalf("a censored sample lowers the quantile from %v to %v", before, got)
		}
	})
}

func TestEstimateSeparatesSlowFromLost(t *testing.T) {
	usual := finished(50, 52, 54, 56, 58, 60, 62, 64, 66, 68, 70, 72)
	base := Estimate(usual, 0.9, 300, 1800)
	cases := map[string]struct {
		reason string
		last   Sample
		failed bool
		raised bool
	}{
		"Young":   {"it may still be as fast as the others", censored(20), false, false},
		"Overdue": {"it raises the estimate before it has finished", censored(90), false, true},
		"Lost":    {"it will not finish, and says nothing about those that do", censored(1000), true, false},
		"Failing": {
			"so does one that says so", Sample{Seconds: 20, Failed: true, Ongoing: true, Weight: 1}, true, false,
		},
		"Deleted": {"and one that ended after all others had finished", Sample{Seconds: 90, Weight: 1}, true, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Estimate(append(slices.Clone(usual), tc.last), 0.9, 300, 1800)
			if failed := got.Failed[len(usual)]; failed != tc.failed {
				t.Errorf("failed is %t, want %t: %s", failed, tc.failed, tc.reason)
			}
			if raised := got.Seconds > base.Seconds*1.02; raised != tc.raised {
				t.Errorf("the estimate is %.1f, before %.1f: %s", got.Seconds, base.Seconds, tc.reason)
			}
		})
	}
}

func TestAlignLevels(t *testing.T) {
	var before, after []float64
	for i := range 15 {
		before = append(before, 60+float64(i%5))
		after = append(after, 180+3*float64(i%5))
	}
	got := AlignLevels(finished(append(before, after[:10]...)...))
	for i := range before[:14] { // the split may be off by one
		if math.Abs(got[i].Seconds/before[i]-3) > 0.2 || got[i].Weight >= 1 {
			t.Fatalf(
				"sample %d of the old level is %+v, want three times its %v s and less weight",
				i,
				got[i],
				before[i],
			)
		}
	}
	for i, s := range got[15:] {
		if s.Seconds != after[i] || s.Weight != 1 {
			t.Errorf("sample %d of the new level changed: %+v", i, s)
		}
	}
	same := finished(before...)
	if got := AlignLevels(same); !slices.Equal(got, same) {
		t.Errorf("without a change of level the samples changed: %v", got)
	}
}

// A run of cold starts among warm ones is no change of level.
func TestRunOfAnotherStratumIsNoChange(t *testing.T) {
	samples := finished(60, 62, 61, 63, 60, 62, 300, 310, 305, 61, 63, 60, 302, 308)
	for i := range samples {
		if samples[i].Seconds > 200 {
			samples[i].Stratum = "ColdImage"
		}
	}
	if got := AlignLevels(samples); !slices.Equal(got, samples) {
		t.Errorf("the samples changed: %v", got)
	}
}

func TestShrink(t *testing.T) {
	if got := Shrink(100, 100, 3); math.Abs(got-100) > 1e-9 {
		t.Errorf("two equal values give %v", got)
	}
	weight := func(n float64) float64 { return math.Log(Shrink(math.E, 1, n)) }
	if w := weight(1); w < 0.3 || w > 0.4 {
		t.Errorf("one start weighs %.2f, want about a third", w)
	}
	if w := weight(FullWeightStarts); math.Abs(w-1) > 1e-9 {
		t.Errorf("%d starts weigh %v, want 1", FullWeightStarts, w)
	}
	if got := Shrink(0, 300, 0); got != 300 {
		t.Errorf("without a start the prior counts, got %v", got)
	}
}
