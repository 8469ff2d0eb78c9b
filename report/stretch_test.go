package report

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
)

// Forecasts that are made in stretches are the same, to the last bit, as those of one forecaster
// over the whole series.
func TestStretchesAreOneForecaster(t *testing.T) {
	cases := map[string]struct {
		contract forecaster.Contract
		from     int
		history  int
	}{
		"young":         {forecaster.Contract{ShortageCost: 20}, 30, 0},
		"shortage cost": {forecaster.Contract{ShortageCost: 20}, 1000, 0},
		"service level": {forecaster.Contract{ServiceLevel: 0.99}, 1400, 0},
		"short memory":  {forecaster.Contract{ShortageCost: 20}, 1700, 500},
	}
	for trace, s := range traces(t) {
		for name, tc := range cases {
			t.Run(trace+"/"+name, func(t *testing.T) {
				t.Parallel()
				o := DefaultOptions()
				o.Series = history.Series{Start: s.Start, Step: s.Step, Values: s.Values[:min(len(s.Values), tc.from+400)]}
				o.From, o.Lead, o.Capacity, o.Contract = tc.from, max(10*time.Minute, s.Step), 5, tc.contract
				o.History = time.Duration(tc.history) * s.Step
				if o.From+10 <= len(o.Series.Values) {
					compareStretches(t, o)
				}
			})
		}
	}
}

// compareStretches compares the forecasts of a replay with those of one forecaster.
func compareStretches(t *testing.T, o Options) {
	t.Helper()
	r, err := newReplayer(o, newTrace(o), nil)
	if err != nil {
		t.Fatal(err)
	}
	n := len(o.Series.Values)
	// series returns what the server knows at step k. Values that may still arrive are not known
	// yet.
	series := func(k int) forecaster.Series {
		return planner.Settled(forecaster.Series{Start: o.Series.Start, Step: o.Series.Step, Values: o.Series.Values[:k]})
	}
	whole, err := forecaster.New(forecaster.Options{
		Step: o.Series.Step, Lead: planner.LeadSteps(o.Lead, o.Series.Step), Horizon: r.steps, Contract: o.Contract,
		MaxHistory: int(r.base.Settings.History / o.Series.Step),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := whole.Start(series(o.From)); err != nil {
		t.Fatal(err)
	}
	k, parts, fed := o.From, 0, len(series(o.From).Values)
	err = r.forecast(context.Background(), func() func() { return func() {} }, func(part forecasts) error {
		parts++
		for _, got := range part.outlooks {
			if diff := cmp.Diff(whole.Outlook(), got); diff != "" {
				t.Fatalf("step %d, stretch %d: -one forecaster, +stretches:\n%s", k, parts, diff)
			}
			k++
			known := series(k).Values
			if err := whole.Update(known[fed:]...); err != nil {
				return err
			}
			fed = len(known)
		}
		if k == n {
			if diff := cmp.Diff(whole.Describe(), part.final); diff != "" {
				t.Errorf("at the end: -one forecaster, +stretches:\n%s", diff)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if k != n || parts < 2 {
		t.Errorf("%d stretches end at step %d of %d", parts, k, n)
	}
}

// A cancelled replay ends at once, and so do its workers.
func TestReplayIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := load(t, filepath.Join("..", "testdata", "level_shift_10m.csv.gz"))
	o := optionsFor(s.Values, len(s.Values)/2)
	o.Policies = []string{PolicyHeadstart}
	o.Progress = func(int, int) { cancel() }
	if _, err := Run(ctx, o); err == nil {
		t.Error("the replay went on")
	}
}
