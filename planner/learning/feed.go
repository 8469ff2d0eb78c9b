package learning

import (
	"errors"
	"fmt"
	"math"
	"time"

	"headstart.dev/headstart/capacity"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner"
)

const (
	// Span is how far back a service is learned from: two weekly cycles. Older steps would hardly
	// count.
	Span = 14 * 24 * time.Hour
	// maxSteps bounds the steps that are read at once.
	maxSteps = 5040
	// maxBatch is how many steps are added at once while nothing is behind. A batch of them takes
	// about batchTime where steps are not much shorter.
	maxBatch  = 5
	batchTime = 5 * time.Minute
	// scaleSettles is how long replicas must have been the same before a step teaches, and
	// releaseSettles how long a release is over, whose caches are cold at first. Neither is more than
	// maxSettles steps.
	scaleSettles, releaseSettles, maxSettles = 2 * time.Minute, 5 * time.Minute, 10
)

// ErrNoDefault indicates that nobody says what counts without evidence.
var ErrNoDefault = errors.New("nobody says what one replica serves until that is learned: " +
	"set spec.capacity.default or spec.capacityPerReplica, or the averageValue of the HPA")

// Feed learns the capacity of one service. It is not safe for concurrent use.
type Feed struct {
	estimator   *capacity.Estimator
	estimate    capacity.Estimate
	step, every time.Duration
	offset      time.Duration // of the batches, so that not all Forecasts read at once
	until       time.Time     // end of the newest step that was added
	replicas    float64       // in that step
	unchanged   int           // how many steps in a row had these
	released    time.Time     // the release that counts
	pending     time.Time     // a release to come; zero without one
}

// New returns a Feed that knows nothing yet. set.Learn is not nil. It fails with [ErrNoDefault] where
// set has no configured capacity.
func New(set planner.Settings) (*Feed, error) {
	configured, _ := set.Capacity()
	if !(configured > 0) {
		return nil, ErrNoDefault
	}
	l := set.Learn
	e, err := capacity.New(capacity.Options{
		Step: set.Step, AtMost: l.AtMost, Attain: l.Attain, Min: l.Min, Max: l.Max, Default: configured,
	})
	if err != nil {
		return nil, fmt.Errorf("spec.capacity: %w", err)
	}
	batch := min(max((batchTime+set.Step-1)/set.Step, 1), maxBatch)
	every := batch * set.Step
	return &Feed{
		estimator: e, estimate: e.Estimate(), step: set.Step, every: every, replicas: math.NaN(),
		offset: set.FitOffset % every / set.Step * set.Step,
	}, nil
}

// Clone returns a copy that shares nothing with f.
func (f *Feed) Clone() *Feed {
	c := *f
	c.estimator = f.estimator.Clone()
	return &c
}

// Next returns the steps [from, to) to read and add next, when demand is known as given. It reports
// false when there is none. They are at most so many, or about that; 0 leaves it to the Feed.
func (f *Feed) Next(demand forecaster.Series, steps int) (from, to time.Time, ok bool) {
	if steps <= 0 || steps > maxSteps {
		steps = maxSteps
	}
	steps = max(steps, 2*maxBatch) // So that a batch ends within them.
	to = f.newest(demand)
	from = later(later(f.until, demand.Start), planner.FloorTo(to.Add(-Span), f.step))
	if most := from.Add(time.Duration(steps) * f.step); most.Before(to) {
		to = f.batchUntil(most)
	}
	to = from.Add(to.Sub(from) / f.step * f.step) // Whole steps, wherever the series begins.
	return from, to, from.Before(to)
}

// CaughtUp reports whether all steps that are due are added, when demand is known as given.
func (f *Feed) CaughtUp(demand forecaster.Series) bool {
	_, _, more := f.Next(demand, 0)
	return !more
}

// newest returns the instant up to which steps are due.
func (f *Feed) newest(demand forecaster.Series) time.Time {
	known := planner.Settled(demand)
	return f.batchUntil(known.Start.Add(time.Duration(len(known.Values)) * known.Step))
}

// batchUntil returns the end of the last batch that ends by t.
func (f *Feed) batchUntil(t time.Time) time.Time {
	return planner.FloorTo(t.Add(-f.offset), f.every).Add(f.offset)
}

// Until returns the end of the newest step that was added; the zero time before the first.
func (f *Feed) Until() time.Time { return f.until }

// Estimate returns what is known.
func (f *Feed) Estimate() capacity.Estimate { return f.estimate }

// Points returns the latency at loads per replica, for a chart.
func (f *Feed) Points() []capacity.Point { return f.estimator.Curve() }

// Release says that the target serves with another image, or on another accelerator, from an instant
// on. One that lies before what was added counts from there on.
func (f *Feed) Release(at time.Time) {
	if at.After(f.released) {
		f.pending = later(at, f.until)
	}
}

// Add adds the steps from an instant on: the demand, latency and ready replicas of each; NaN where
// they are not known. Steps that were added before are skipped.
func (f *Feed) Add(from time.Time, demand, latency, replicas []float64) {
	for i, load := range demand {
		at := from.Add(time.Duration(i) * f.step)
		if at.Before(f.until) {
			continue
		}
		f.add(at, load, valueAt(latency, i), valueAt(replicas, i))
	}
	f.estimate = f.estimator.Estimate()
}

func (f *Feed) add(at time.Time, load, latency, replicas float64) {
	end := at.Add(f.step)
	if !f.pending.IsZero() && f.pending.Before(end) {
		f.estimator.Release(later(f.pending, f.until))
		f.released, f.pending = f.pending, time.Time{}
	}
	if replicas == f.replicas && at.Equal(f.until) {
		f.unchanged++
	} else {
		f.unchanged = 0
	}
	f.replicas, f.until = replicas, end
	f.estimator.Add(capacity.Sample{
		At: at, Load: load, Replicas: replicas, Latency: latency,
		Settled: f.unchanged >= f.settle(scaleSettles) && int(at.Sub(f.released)/f.step) >= f.settle(releaseSettles),
	})
}

// Advance adds all steps that are due when demand is known as given. latency and replicas may know
// more, and are not read beyond that.
func (f *Feed) Advance(demand, latency, replicas forecaster.Series) {
	for {
		from, to, more := f.Next(demand, 0)
		if !more {
			return
		}
		f.Add(from, Between(demand, from, to), Between(latency, from, to), Between(replicas, from, to))
	}
}

// Use returns the capacity to plan and serve with after inUse, which is 0 at first. Without evidence a
// lower one stays: somebody has learned it, such as before a restart.
func (f *Feed) Use(inUse float64) float64 {
	if f.estimate.Source == capacity.SourceDefault && inUse > 0 && inUse < f.estimate.Used {
		return inUse
	}
	return planner.SettleCapacity(inUse, f.estimate.Used)
}

// Between returns the values of the steps of [from, to), NaN where s does not reach.
func Between(s forecaster.Series, from, to time.Time) []float64 {
	if s.Step <= 0 {
		return nil
	}
	first := int(from.Sub(s.Start) / s.Step)
	out := make([]float64, int(to.Sub(from)/s.Step))
	for i := range out {
		out[i] = valueAt(s.Values, first+i)
	}
	return out
}

func valueAt(values []float64, i int) float64 {
	if i < 0 || i >= len(values) {
		return math.NaN()
	}
	return values[i]
}

// settle returns how many steps a time takes: at least one, and at most maxSettles.
func (f *Feed) settle(d time.Duration) int { return min(max(1, int((d+f.step-1)/f.step)), maxSettles) }

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
