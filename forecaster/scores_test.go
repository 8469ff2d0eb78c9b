package forecaster

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster/internal/past"
	"headstart.dev/headstart/forecaster/internal/season"
)

// Three kinds of demand, by step, that the scores are tested on.
func dailyWave(i int) float64 { return 100 + 80*math.Sin(2*math.Pi*float64(i)/48) }
func noise(i int) float64     { return 100 + 60*rand.New(rand.NewPCG(uint64(i), 0)).Float64() }
func constant(int) float64    { return 100 }

// What is served is never worse for long than repeating the last season, and nothing is served that
// is worse than the level as it is.
func TestScoresChoose(t *testing.T) {
	level, cost := Contract{ServiceLevel: 0.9}, Contract{ShortageCost: 20}
	cases := map[string]struct {
		reason   string
		contract Contract
		demand   func(int) float64
		factor   float64 // what the model covers, in units of the maximum of the lead window to come
		season   bool    // whether the last season is served
		skilled  bool
	}{
		"GoodModel": {
			"a model that knows what comes replaces the last season",
			level, dailyWave, 1, false, true,
		},
		"BadModel": {
			"a model that covers three times as much loses to the last season, which is served",
			level, dailyWave, 3, true, true,
		},
		"BadModelNoSeason": {
			"when the last season is no better, only observed demand is served",
			level, noise, 3, false, false,
		},
		"GoodModelAtACost": {
			"losses of a shortage cost are what fleets pay and miss",
			cost, dailyWave, 1, false, true,
		},
		"WastefulAtACost": {
			"replicas without demand are paid for",
			cost, dailyWave, 8, true, true,
		},
		"WastefulNoSeasonAtACost": {
			"constant demand needs no model, and least of all a wasteful one",
			cost, constant, 30, false, false,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s, served, repeated := scoresAfter(tc.contract, tc.demand, tc.factor)
			if s.seasonIsBest() != tc.season || s.skilled() != tc.skilled {
				t.Errorf("season is best: %v, skilled: %v, want %v, %v: %s (losses %.1f)",
					s.seasonIsBest(), s.skilled(), tc.season, tc.skilled, tc.reason, s.losses)
			}
			if tc.season && (served != repeated || s.skill() != 0) {
				t.Errorf("serves %.3f with skill %.3f, want the last season's %.3f with skill 0",
					served, s.skill(), repeated)
			}
			if !tc.skilled && s.skill() > 0 {
				t.Errorf("skill %.3f of what is not served, want none", s.skill())
			}
		})
	}
}

// scoresAfter scores eight days of 48 steps, on which the model covers factor times what is needed.
// It returns the scores, what is served at the end, and what the last season would be.
func scoresAfter(c Contract, demand func(int) float64, factor float64) (s scores, served, repeated float64) {
	const day, lead, n = 48, 2, 8 * 48
	raw := make([]float64, n)
	for i := range raw {
		raw[i] = demand(i)
	}
	o := Options{Step: 30 * time.Minute, Lead: lead, Horizon: day, Contract: c}.withDefaults()
	periods := season.Periods{Day: day}
	h := past.New(time.Unix(0, 0).UTC(), o.reading(), raw, n, periods)
	s = newScores(Options{Contract: c}, h, newFeaturizer(periods, lead, n, c.maxChange()))
	view := *h
	for i := day; i+lead < n; i++ {
		h.Prefix(i, &view)
		s.observe(&view, i-1)
		served = s.choose(&view, i, factor*h.Exp(h.WindowMaxAt(i)))
		repeated = s.pending[i%len(s.pending)].by[bySeason]
	}
	return s, served, repeated
}

// Nights without demand are planned as zero. The small remainder that logarithms leave would keep a
// replica up.
func TestIdleNightsAreZero(t *testing.T) {
	const day = 96
	raw := make([]float64, 8*day)
	for i := range raw {
		if i%day >= day/3 {
			raw[i] = 50 + float64(i%5)
		}
	}
	for _, c := range []Contract{{ServiceLevel: 0.99}, {ShortageCost: 20}} {
		f := mustNew(t, Options{Step: 15 * time.Minute, Lead: 1, Horizon: day, Contract: c})
		if err := f.Start(Series{Start: time.Unix(0, 0).UTC(), Step: 15 * time.Minute, Values: raw}); err != nil {
			t.Fatal(err)
		}
		for i := range day / 2 {
			o := f.Outlook()
			if i >= 4 && i < day/3-4 && (o.Cover[0] != 0 || o.Median[0] != 0) {
				t.Fatalf("%+v: for step %d of the night %g is served, median %g, want 0", c, i, o.Cover[0], o.Median[0])
			}
			if i > day/3+1 && o.Cover[0] < 50 {
				t.Errorf("%+v: for step %d, by day, %g is served", c, i, o.Cover[0])
			}
			if err := f.Update(raw[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
}
