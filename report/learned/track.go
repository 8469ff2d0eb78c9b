package learned

import (
	"context"
	"fmt"
	"math"
	"sort"
	"time"

	"headstart.dev/headstart/capacity"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/learning"
)

// Input is what a capacity is learned from. Latency and Replicas have the step of Demand. Either may
// be empty: then it is not known in any step.
type Input struct {
	// Settings have Learn, and a configured capacity.
	Settings planner.Settings
	Demand   forecaster.Series
	Evidence
}

// Evidence is what a capacity is learned from, beside the demand.
type Evidence struct {
	// Objective says what is learned.
	Objective planner.LearnSettings
	Latency   forecaster.Series
	Replicas  forecaster.Series
	// Released is when the target began to serve with its present release; zero if that is not known.
	Released time.Time
}

// Track is how the capacity moved.
type Track struct {
	// Start is the start of the first step of the demand, and Step the length of a step.
	Start time.Time
	Step  time.Duration
	// InUse is what the server would have planned with at the start of each step of the demand. There is
	// one more, for the end.
	InUse []float64
	// Known is what is known of each step in hindsight: between two changes of the service, the last
	// figure before the second one. Figures of a replay are scored with it.
	Known []float64
	// Estimate, Points and Moves are as of the end.
	Estimate capacity.Estimate
	Points   []capacity.Point
	Moves    []Move
}

// Move is a change of the capacity in use.
type Move struct {
	At       time.Time       `json:"at"`
	Capacity float64         `json:"capacity"`
	Source   capacity.Source `json:"source"`
}

// epoch is a time between two changes of the service.
type epoch struct {
	since    time.Time
	capacity float64
}

// Replay learns from the whole input. It fails where the input is not complete, and when ctx ends.
func Replay(ctx context.Context, in Input) (*Track, error) {
	if in.Settings.Learn == nil {
		return nil, fmt.Errorf("the capacity is not learned: set spec.capacity.objective")
	}
	for name, s := range map[string]forecaster.Series{"latency": in.Latency, "replicas": in.Replicas} {
		if len(s.Values) > 0 && s.Step != in.Demand.Step {
			return nil, fmt.Errorf("the steps of %s are %s, and those of the demand %s: they must be equal",
				name, s.Step, in.Demand.Step)
		}
	}
	in.Settings.Step = in.Demand.Step
	feed, err := learning.New(in.Settings)
	if err != nil {
		return nil, err
	}
	if !in.Released.IsZero() {
		feed.Release(in.Released)
	}
	t := &Track{Start: in.Demand.Start, Step: in.Demand.Step, InUse: make([]float64, 0, len(in.Demand.Values)+1)}
	var epochs []epoch
	inUse := 0.0
	for k := range len(in.Demand.Values) + 1 {
		if k%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		known := in.Demand
		known.Values = known.Values[:k:k]
		feed.Advance(known, in.Latency, in.Replicas)
		use := feed.Use(inUse)
		e := feed.Estimate()
		if use != inUse {
			t.Moves = append(t.Moves, Move{At: t.at(k), Capacity: use, Source: e.Source})
		}
		inUse = use
		if n := len(epochs); n == 0 || e.Since.After(epochs[n-1].since) {
			epochs = append(epochs, epoch{since: e.Since})
		}
		epochs[len(epochs)-1].capacity = inUse
		t.InUse = append(t.InUse, inUse)
	}
	t.Estimate, t.Points = feed.Estimate(), feed.Points()
	t.hindsight(epochs)
	return t, nil
}

// at returns the start of step k.
func (t *Track) at(k int) time.Time { return t.Start.Add(time.Duration(k) * t.Step) }

// hindsight sets what is known of each step from the changes that were found.
func (t *Track) hindsight(epochs []epoch) {
	t.Known = make([]float64, len(t.InUse)-1)
	for k := range t.Known {
		at := t.at(k)
		i := sort.Search(len(epochs), func(i int) bool { return epochs[i].since.After(at) })
		t.Known[k] = epochs[max(i-1, 0)].capacity
	}
}

// Capacity returns the capacity in use at the end.
func (t *Track) Capacity() float64 { return t.InUse[len(t.InUse)-1] }

// moved is the relative change from which on a move is worth telling.
const moved = 0.05

// NewestMoves returns the moves that are worth telling, at most limit: the first figure, the newest
// changes of 5 % and more, and the last figure.
func (t *Track) NewestMoves(limit int) []Move {
	var out []Move
	for i, m := range t.Moves {
		n := len(out)
		if n == 0 || math.Abs(m.Capacity-out[n-1].Capacity) >= moved*out[n-1].Capacity || i == len(t.Moves)-1 {
			out = append(out, m)
		}
	}
	if len(out) > max(limit, 2) {
		out = append(out[:1], out[len(out)-max(limit, 2)+1:]...)
	}
	return out
}
