package forecaster

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster/internal/global"
	"headstart.dev/headstart/forecaster/internal/past"
	"headstart.dev/headstart/forecaster/internal/season"
	"headstart.dev/headstart/forecaster/internal/synthetic"
)

// TestGlobalInputs checks that all inputs are written, with and without a day before.
func TestGlobalInputs(t *testing.T) {
	for _, step := range []time.Duration{15 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute} {
		day := int(24 * time.Hour / step)
		o := Options{Step: step, Lead: max(1, int(10*time.Minute/step)), Contract: Contract{ShortageCost: 20}}
		raw := synthetic.Wave(2*day, day, 3)
		h := past.New(epoch, o.withDefaults().reading(), raw, len(raw), season.Periods{})
		g := newGlobalInputs(step, o.Lead)
		for i, want := range map[int]float64{day / 2: 0, 2*day - 1: 1} {
			in := make([]float64, global.Inputs)
			for k := range in {
				in[k] = math.NaN()
			}
			g.fill(h, i, in)
			for k, v := range in {
				if math.IsNaN(v) || math.Abs(v) > 2*globalBound {
					t.Errorf("step %s, origin %d: input %d is %g", step, i, k, v)
				}
			}
			if got := in[global.Inputs-11]; got != want {
				t.Errorf("step %s, origin %d: a day before is known: %g, want %g", step, i, got, want)
			}
		}
	}
}

// young returns some hours of demand that jumps about, in steps of ten minutes.
func young(hours int, unit float64) Series {
	rng := rand.New(rand.NewPCG(4, 2))
	s := Series{Start: epoch, Step: 10 * time.Minute}
	for range 6 * hours {
		s.Values = append(s.Values, unit*100*math.Exp(0.3*rng.NormFloat64()))
	}
	return s
}

// A service of three hours is served by what other services have taught, in any unit of demand.
func TestYoungServiceUsesTheGlobalModel(t *testing.T) {
	var covers []float64
	for _, unit := range []float64{1e-6, 1, 1e6} {
		f := mustNew(t, Options{Step: 10 * time.Minute, Lead: 1, Contract: Contract{ShortageCost: 20}})
		if err := f.Start(young(3, unit)); err != nil {
			t.Fatal(err)
		}
		share := 0.0
		for _, m := range f.Describe().Models {
			if strings.HasPrefix(m.Model, globalName) {
				share += m.Share
			}
		}
		if share < 0.8 {
			t.Errorf("unit %g: %.2f of what is served comes from the global model", unit, share)
		}
		covers = append(covers, f.Outlook().Cover[0]/unit)
	}
	for _, c := range covers {
		if math.Abs(c/covers[0]-1) > 1e-6 {
			t.Errorf("in other units the same demand is covered otherwise: %v", covers)
		}
	}
	if covers[0] < 110 || covers[0] > 250 {
		t.Errorf("%.0f is covered of demand that scatters from 60 to 180", covers[0])
	}
}

// Steps longer than the model was trained on do without it.
func TestLongStepsHaveNoGlobalModel(t *testing.T) {
	f := mustNew(t, Options{Step: time.Hour, Lead: 1, Contract: Contract{ShortageCost: 20}})
	if err := f.Start(Series{Start: epoch, Step: time.Hour, Values: synthetic.Wave(24*20, 24, 3)}); err != nil {
		t.Fatal(err)
	}
	for _, m := range f.Describe().Models {
		if strings.HasPrefix(m.Model, globalName) {
			t.Errorf("%s has a share of %g", m.Model, m.Share)
		}
	}
}

// Under a service level a young service is covered by the model too, and not by the level alone.
func TestYoungServiceLevel(t *testing.T) {
	f := mustNew(t, Options{Step: 10 * time.Minute, Lead: 1, Contract: Contract{ServiceLevel: 0.95}})
	if err := f.Start(young(3, 1)); err != nil {
		t.Fatal(err)
	}
	if o := f.Outlook(); o.Cover[0] < 1.1*o.Level {
		t.Errorf("%.0f is covered at a level of %.0f", o.Cover[0], o.Level)
	}
}

func TestSmoothed(t *testing.T) {
	s := smoothed{share: 0.25}
	level := math.Log(2)
	if got := s.next(level, 0.5); math.Abs(got-0.5) > 1e-12 {
		t.Errorf("the first estimate is %g, want the other's", got)
	}
	// 2·e^½ + ¼ (4 − 2·e^½), relative to 2.
	if got, want := s.next(level, math.Log(2)), math.Log(0.75*math.Exp(0.5)+0.5); math.Abs(got-want) > 1e-12 {
		t.Errorf("the second is %g, want %g", got, want)
	}
}

// Before anything is known, the expert that usually costs the least has the most weight.
func TestUsualCosts(t *testing.T) {
	o := Options{Step: time.Minute, Lead: 10, Contract: Contract{ShortageCost: 20}}.withDefaults()
	h := past.New(epoch, o.reading(), nil, 0, season.Periods{})
	names := []string{"level now", globalName, adaptedName, "of another kind"}
	x := newWeightedExperts(o, h, len(names), 0)
	x.expect(names, o.Step)
	x.decide(h, 0, make([]float64, len(names)))
	best := 0
	for e, w := range x.weights {
		if w > x.weights[best] {
			best = e
		}
	}
	if c, k := best/marginCount, best%marginCount; c != 2 || k != marginCount/2 {
		t.Errorf("the heaviest expert is %q with margin %d", names[c], k)
	}
}

// TestGlobalRows checks the targets against the series.
func TestGlobalRows(t *testing.T) {
	s := young(24, 1)
	o := Options{Step: s.Step, Lead: 2, Contract: Contract{ShortageCost: 20}}
	d := GlobalRows(o, s, 100)
	if d.Rows() != len(s.Values)-2-100 {
		t.Fatalf("%d rows of %d steps", d.Rows(), len(s.Values))
	}
	mean := 0.0
	for _, v := range s.Values {
		mean += v / float64(len(s.Values))
	}
	log := func(v float64) float64 { return math.Log(v/mean + 0.05) }
	want := log(max(s.Values[100], s.Values[101], s.Values[102])) - log(s.Values[99])
	if got := d.Y[0]; math.Abs(got-want) > 1e-6 {
		t.Errorf("the first target is %g, want %g", got, want)
	}
}
