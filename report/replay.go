package report

import (
	"context"
	"fmt"
	"math"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/planner/publish"
	"headstart.dev/headstart/planner/spend"
)

// Replay is what Headstart would have done at each step from Options.From on.
type Replay struct {
	// Served is the demand that the HPA would have read. NaN means that it would have got an error,
	// and kept its replicas.
	Served []float64
	// Expected is the demand that the models expected for the step. It is NaN without a skilled
	// forecast.
	Expected []float64
	// Desired is the number of replicas that the HPA would have desired.
	Desired []float64
	// Skilled is the number of steps at which the forecast was served.
	Skilled int
	// Writes is the number of plans that were written to status, with RefreshStatus.
	Writes int
	// Compared is the demand that would have been served under each of Replay's other contracts.
	Compared []Compared
	// Spend is what the plans asked for; nil without Options.AtMost.
	Spend *Spend
	// Final describes the forecaster at the end of the replay.
	Final forecaster.Description
}

// Compared is what would have been served under another contract.
type Compared struct {
	Contract forecaster.Contract
	// Served is as that of Replay.
	Served []float64
}

// replayer replays one service. It drives the two halves of [planner.Step], which the controller
// drives too. They are separate here, so that the forecasts can be made in parallel.
type replayer struct {
	o     Options
	t     *trace
	base  planner.StepInput // without the fields that differ from step to step
	steps int               // of a plan

	compare       []forecaster.Contract // other contracts to replay
	comparedSteps int                   // of a plan for them

	state  planner.State
	writes int
	spent  spending
}

func newReplayer(o Options, t *trace, compare []forecaster.Contract) (*replayer, error) {
	r := &replayer{o: o, t: t, steps: max(1, int(o.Horizon/t.step)), compare: compare}
	// Only the first value of each plan is served. It depends on the demand within the time that the
	// HPA's ramp takes, and on nothing after that.
	r.comparedSteps = min(r.steps, 1+int((o.Ramp.Reach(maxRampReplicas)+t.step-1)/t.step))
	if o.Refresh == RefreshStep && o.Plans == nil {
		r.steps = r.comparedSteps
	}
	set := o.settings()
	set.Horizon = time.Duration(r.steps) * t.step
	peaks := planner.Peaks{Schedules: o.Peaks}
	r.base = planner.StepInput{
		Settings: set, Calendars: o.Calendars, Lead: o.Lead, Capacity: t.capacity, Compare: compare,
		Peaks: peaks.Prepare(forecaster.Series{Start: t.start, Step: t.step, Values: t.raw}, r.steps+t.lead+1),
	}
	if o.AtMost > 0 {
		r.state.Spend = &spend.Ledger{}
	}
	var err error
	r.state.Publisher, err = publish.New(publish.DefaultOptions())
	return r, err
}

// maxRampReplicas is the number of replicas up to which the replay looks ahead for the ramp.
const maxRampReplicas = 4096

// input returns what the server would have known at the start of step k.
func (r *replayer) input(k int) planner.StepInput {
	in := r.base
	in.Now, in.Capacity = r.o.at(k), r.t.planned(k)
	in.Series = &forecaster.Series{Start: r.t.start, Step: r.t.step, Values: r.t.raw[:k:k]}
	in.Observed = &planner.Observation{Value: math.NaN()}
	if i := r.t.lastKnown[min(k, len(r.t.lastKnown)-1)]; i >= 0 {
		in.Observed = &planner.Observation{Value: r.t.raw[i], At: r.o.at(i + 1)}
	}
	return in
}

// run replays every step from Options.From on. At each step it knows only the steps before.
// Forecasts are made in parallel, by as many workers as enter allows. Decisions depend on each
// other, so they are made one after the other.
func (r *replayer) run(ctx context.Context, enter func() (leave func()), progress func(done int)) (*Replay, error) {
	n := len(r.t.raw) - r.t.from
	out := &Replay{Served: make([]float64, 0, n), Expected: make([]float64, 0, n), Desired: make([]float64, 0, n)}
	for _, c := range r.compare {
		out.Compared = append(out.Compared, Compared{Contract: c, Served: make([]float64, 0, n)})
	}
	current := r.t.replicas(0)
	err := r.forecast(ctx, enter, func(part forecasts) error {
		for i := range part.outlooks {
			if err := ctx.Err(); err != nil {
				return err
			}
			k := r.t.from + len(out.Desired)
			outlook := &part.outlooks[i]
			served, err := r.decide(k, outlook)
			if err != nil {
				return fmt.Errorf("at %s: %w", r.o.stamp(k), err)
			}
			if outlook.Skilled {
				out.Skilled++
			}
			if !math.IsNaN(served) {
				current = r.t.replicasAt(served, r.t.planned(k))
			}
			out.Served, out.Desired = append(out.Served, served), append(out.Desired, current)
			out.Expected = append(out.Expected, expectedAt(outlook, r.o.at(k)))
			if len(r.compare) > 0 {
				if err := r.decideCompared(k, part.compared[i], out.Compared); err != nil {
					return err
				}
			}
			progress(len(out.Desired))
		}
		out.Final = part.final
		return nil
	})
	out.Writes, out.Spend = r.writes, r.spent.summary(r.o.AtMost)
	return out, err
}

// expectedAt returns the median of a skilled forecast for the step that starts at t, or NaN.
func expectedAt(o *forecaster.Outlook, t time.Time) float64 {
	if i := int(t.Sub(o.Start) / o.Step); o.Skilled && i >= 0 && i < len(o.Median) {
		return o.Median[i]
	}
	return math.NaN()
}

// decide returns the demand that is served at the start of step k, or NaN if an HPA would get an
// error.
func (r *replayer) decide(k int, outlook *forecaster.Outlook) (float64, error) {
	in := r.input(k)
	out := planner.Decide(in, outlook, r.state)
	if out.Err != nil {
		return 0, out.Err
	}
	r.spent.add(out)
	if out.Plan != nil && r.o.Plans != nil {
		r.o.Plans(*out.Plan)
	}
	current := out.Plan
	if r.o.Refresh == RefreshStatus {
		if err := r.publish(in.Now, out); err != nil {
			return 0, err
		}
		current = r.state.Published
	}
	served, err := out.Serve(current)
	if err != nil {
		return math.NaN(), nil //nolint:nilerr // an HPA that gets an error keeps its replicas, and so does the replay
	}
	return served.Value, nil
}

// decideCompared adds the demand that is served at the start of step k under the other contracts.
// Each is served from a plan for the step.
func (r *replayer) decideCompared(k int, outlooks []forecaster.Outlook, out []Compared) error {
	in := r.input(k)
	in.Settings.Horizon = time.Duration(r.comparedSteps) * r.t.step
	for c := range out {
		in.Settings.Contract = out[c].Contract
		step := planner.Decide(in, &outlooks[c], planner.State{})
		if step.Err != nil {
			return step.Err
		}
		value := math.NaN()
		if served, err := step.Serve(step.Plan); err == nil {
			value = served.Value
		}
		out[c].Served = append(out[c].Served, value)
	}
	return nil
}

// publish replaces the plan in status if the new one is worth a write.
func (r *replayer) publish(now time.Time, out planner.StepOutput) error {
	if out.Plan == nil || !out.Publish.Publish {
		return nil
	}
	written, err := plan.Decode(out.Plan.Encode())
	if err != nil {
		return err
	}
	r.state.Publisher.Wrote(now)
	r.state.Published = &written
	r.writes++
	return nil
}
