package report

import (
	"context"
	"fmt"
	"math"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/scheduler"
)

// Replay is what Headstart would have done at each step from Options.From on.
type Replay struct {
	// Served is the number that the HPA would have read; NaN where it would have got an error, and held.
	Served []float64
	// Expected is the demand that the models expected for the step; NaN where there was no skilled forecast.
	Expected []float64
	// Wish is the number of replicas that the HPA would have wished for.
	Wish []float64
	// Skilled counts the steps at which the forecast was served.
	Skilled int
	// Writes counts the plans that were written to status, under RefreshStatus.
	Writes int
	// Final describes the forecaster at the end.
	Final forecaster.Description
}

// replayer plays one service forward.
type replayer struct {
	o         Options
	t         *trace
	model     forecaster.Options
	baseline  []float64 // demand without its declared peaks
	timeline  []scheduler.Demand
	steps     int // of a plan
	publisher *planner.Publisher
	published *plan.Plan
	writes    int
}

func newReplayer(o Options, t *trace) (*replayer, error) {
	r := &replayer{o: o, t: t, steps: max(1, int(o.Horizon/t.step)), baseline: t.raw}
	if o.Refresh == RefreshStep && o.Plans == nil {
		// Only the first value of each plan is served: what lies beyond the reach of the HPA's ramp does not matter to it.
		r.steps = min(r.steps, 1+int((o.Ramp.Reach(maxRampReplicas)+t.step-1)/t.step))
	}
	if len(o.Peaks) > 0 {
		r.baseline = scheduler.Baseline(o.Peaks, t.start, t.step, t.raw)
		r.timeline = scheduler.Timeline(o.Peaks, t.start, t.step, len(t.raw)+r.steps+t.lead+1)
	}
	var err error
	if r.publisher, err = planner.NewPublisher(planner.DefaultPublisherOptions()); err != nil {
		return nil, err
	}
	r.model = forecaster.Options{
		Step: t.step, Lead: t.lead, Horizon: r.steps, Contract: o.Contract, Location: o.Location, Days: o.Days, Periods: o.Periods, MaxHistory: o.History,
	}
	return r, nil
}

// maxRampReplicas is up to where the replay looks ahead for the ramp.
const maxRampReplicas = 4096

// run plays every step from Options.From on. At each it knows the steps before, and nothing else. Forecasts are made by as many
// workers as enter lets in at once; decisions, which rest on each other, one after the other.
func (r *replayer) run(ctx context.Context, enter func() (leave func()), progress func(done int)) (*Replay, error) {
	n := len(r.t.raw) - r.t.from
	out := &Replay{Served: make([]float64, 0, n), Expected: make([]float64, 0, n), Wish: make([]float64, 0, n)}
	hold := r.t.replicas(0)
	err := r.forecast(ctx, enter, func(part forecasts) error {
		for _, outlook := range part.outlooks {
			if err := ctx.Err(); err != nil {
				return err
			}
			served, err := r.decide(r.t.from+len(out.Wish), outlook)
			if err != nil {
				return fmt.Errorf("at %s: %w", r.o.stamp(r.t.from+len(out.Wish)), err)
			}
			expected := math.NaN()
			if outlook.Skilled {
				out.Skilled++
				expected = outlook.Median[0]
			}
			if !math.IsNaN(served) {
				hold = r.t.replicas(served)
			}
			out.Served, out.Expected, out.Wish = append(out.Served, served), append(out.Expected, expected), append(out.Wish, hold)
			progress(len(out.Wish))
		}
		out.Final = part.final
		return nil
	})
	out.Writes = r.writes
	return out, err
}

// decide serves at the beginning of step k: NaN where an HPA would get an error.
func (r *replayer) decide(k int, outlook forecaster.Outlook) (float64, error) {
	now := r.o.at(k)
	observed, observedAt := r.observed(k)
	in := planner.Input{
		Now: now, Start: now, Step: r.t.step, Horizon: r.steps, Lead: r.t.lead,
		Outlook: &outlook, Observed: observed, PeakBase: math.NaN(),
		Capacity: r.t.capacity, Ramp: r.o.Ramp, MaxReplicas: r.t.most,
	}
	if r.timeline != nil {
		in.Peaks = r.timeline[k : k+r.steps+r.t.lead+1]
		if !outlook.Skilled {
			in.PeakBase = scheduler.Undisturbed(r.o.Peaks, r.t.start, r.t.step, r.t.raw[:k], now)
		}
	}
	plan, _, err := planner.Build(in)
	if err != nil {
		return 0, err
	}
	if r.o.Plans != nil {
		r.o.Plans(plan)
	}
	current := &plan
	if r.o.Refresh == RefreshStatus {
		if current, err = r.publish(now, plan); err != nil {
			return 0, err
		}
	}
	served, err := planner.Serve(planner.ServeInput{
		Plan: current, Mode: v1alpha1.ForecastActive, Observed: observed, ObservedAt: observedAt, Now: now,
	})
	if err != nil {
		return math.NaN(), nil //nolint:nilerr // an HPA that gets an error holds; so does the replay
	}
	return served.Value, nil
}

// observed is the last demand that was measured before step k, and when.
func (r *replayer) observed(k int) (float64, time.Time) {
	i := r.t.newest[k]
	if i < 0 {
		return math.NaN(), time.Time{}
	}
	return r.t.raw[i], r.o.at(i + 1)
}

// publish writes the plan where that is worth it, and returns what stands in status.
func (r *replayer) publish(now time.Time, fresh plan.Plan) (*plan.Plan, error) {
	if r.publisher.Decide(now, r.published, fresh, time.Duration(r.t.lead)*r.t.step).Publish {
		plan, err := plan.Decode(fresh.Encode())
		if err != nil {
			return nil, err
		}
		r.publisher.Wrote(now)
		r.published = &plan
		r.writes++
	}
	return r.published, nil
}
