package forecaster

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster/internal/season"
)

// What is served is never worse for long than repeating the last season, and nothing is served that is worse than the level as it is.
func TestRecordChooses(t *testing.T) {
	const day, lead, n = 48, 2, 8 * 48
	wave := func(i int) float64 { return 100 + 80*math.Sin(2*math.Pi*float64(i)/day) }
	noise := func(i int) float64 { return 100 + 60*rand.New(rand.NewPCG(uint64(i), 0)).Float64() }
	still := func(int) float64 { return 100 }
	level := Contract{ServiceLevel: 0.9}
	cost := Contract{ShortageCost: 20}
	cases := map[string]struct {
		reason   string
		contract Contract
		demand   func(int) float64
		model    func(now, next float64) float64 // in units of mean demand: the newest step, and the largest of the lead window to come
		repeats  bool
		skilled  bool
	}{
		"GoodModel": {
			"a model that knows what comes replaces the last season", level, wave,
			func(_, next float64) float64 { return next }, false, true,
		},
		"BadModel": {
			"a model that asks for three times as much loses to the last season, which is served", level, wave,
			func(_, next float64) float64 { return 3 * next }, true, true,
		},
		"BadModelNoSeason": {
			"where yesterday says nothing either, nothing is served but what is observed", level, noise,
			func(_, next float64) float64 { return 3 * next }, false, false,
		},
		"GoodModelAtACost": {
			"losses of a shortage cost are what fleets pay and miss", cost, wave,
			func(_, next float64) float64 { return next }, false, true,
		},
		"WastefulAtACost": {
			"replicas that nobody needs are paid for", cost, wave,
			func(_, next float64) float64 { return 8 * next }, true, true,
		},
		"WastefulNoSeasonAtACost": {
			"demand that stays needs no model, and least of all a wasteful one", cost, still,
			func(_, next float64) float64 { return 30 * next }, false, false,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			raw := make([]float64, n)
			for i := range raw {
				raw[i] = tc.demand(i)
			}
			o := Options{Step: 30 * time.Minute, Lead: lead, Horizon: day, Contract: tc.contract}.withDefaults()
			seasons := season.Periods{Day: day}
			tr := newTrack(time.Unix(0, 0).UTC(), o, raw, n, seasons)
			r := newRecord(Options{Contract: tc.contract}, tr, newFeaturizer(seasons, lead, n, tc.contract.reach()))
			view := *tr
			var served, repeated float64
			for i := day; i+lead < n; i++ {
				tr.prefix(i, &view)
				r.observe(&view, i-1)
				served = r.promise(&view, i, tc.model(tr.x[i-1], tr.exp(tr.peak[i])))
				repeated = r.promises[i%len(r.promises)].by[bySeason]
			}
			if r.repeats() != tc.repeats || r.skilled() != tc.skilled {
				t.Errorf("repeats %v, skilled %v, want %v, %v: %s (losses %.1f)", r.repeats(), r.skilled(), tc.repeats, tc.skilled, tc.reason, r.loss)
			}
			if tc.repeats && (served != repeated || r.skill() != 0) {
				t.Errorf("serves %.3f with skill %.3f, want the last season's %.3f with skill 0", served, r.skill(), repeated)
			}
			if !tc.skilled && r.skill() > 0 {
				t.Errorf("skill %.3f of what is not served, want none", r.skill())
			}
		})
	}
}

// Nights without demand are planned as nothing, not as what logarithms leave of it: a replica would stay up for that.
func TestIdleNightsAreNothing(t *testing.T) {
	const day = 96
	raw := make([]float64, 8*day)
	for i := range raw {
		if i%day >= day/3 {
			raw[i] = 50 + float64(i%5)
		}
	}
	for _, c := range []Contract{{ServiceLevel: 0.99}, {ShortageCost: 20}} {
		f, err := New(Options{Step: 15 * time.Minute, Lead: 1, Horizon: day, Contract: c})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Start(Series{Start: time.Unix(0, 0).UTC(), Step: 15 * time.Minute, Values: raw}); err != nil {
			t.Fatal(err)
		}
		for i := range day / 2 {
			o := f.Outlook()
			if i >= 4 && i < day/3-4 && (o.Cover[0] != 0 || o.Median[0] != 0) {
				t.Fatalf("%+v: for step %d of the night %g is served, median %g, want nothing", c, i, o.Cover[0], o.Median[0])
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
