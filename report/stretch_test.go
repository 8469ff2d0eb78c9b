package report

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
)

// Forecasts that are made stretch by stretch are those of one forecaster that is carried through the whole series, to the last bit.
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
				o.From, o.Lead, o.Capacity, o.Contract, o.History = tc.from, max(10*time.Minute, s.Step), 5, tc.contract, time.Duration(tc.history)*s.Step
				if o.From+10 > len(o.Series.Values) {
					return
				}
				r, err := newReplayer(o, newTrace(o))
				if err != nil {
					t.Fatal(err)
				}
				set := r.base.Settings
				whole, err := forecaster.New(forecaster.Options{
					Step: s.Step, Lead: planner.LeadSteps(o.Lead, s.Step), Horizon: r.steps, Contract: o.Contract, MaxHistory: int(set.History / s.Step),
				})
				if err != nil {
					t.Fatal(err)
				}
				// Values that may still come in are not known yet, as in serving.
				known := func(k int) int {
					return len(planner.Settled(forecaster.Series{Start: s.Start, Step: s.Step, Values: o.Series.Values[:k]}).Values)
				}
				k, parts, fed := o.From, 0, known(o.From)
				if err := whole.Start(forecaster.Series{Start: s.Start, Step: s.Step, Values: o.Series.Values[:fed]}); err != nil {
					t.Fatal(err)
				}
				err = r.forecast(context.Background(), func() func() { return func() {} }, func(part forecasts) error {
					parts++
					for _, got := range part.outlooks {
						if diff := cmp.Diff(whole.Outlook(), got); diff != "" {
							t.Fatalf("step %d, stretch %d: -one forecaster, +stretches:\n%s", k, parts, diff)
						}
						k++
						if err := whole.Update(o.Series.Values[fed:known(k)]...); err != nil {
							return err
						}
						fed = known(k)
					}
					if k == len(o.Series.Values) {
						if diff := cmp.Diff(whole.Describe(), part.final); diff != "" {
							t.Errorf("at the end: -one forecaster, +stretches:\n%s", diff)
						}
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				if k != len(o.Series.Values) || parts < 2 {
					t.Errorf("%d stretches end at step %d of %d", parts, k, len(o.Series.Values))
				}
			})
		}
	}
}

// A replay that is given up ends at once, with its workers.
func TestReplayIsGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	o := month()
	o.Progress = func(int, int) { cancel() }
	if _, err := Run(ctx, o); err == nil {
		t.Error("the replay went on")
	}
}
