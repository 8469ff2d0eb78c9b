package learned

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/capacity"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/learning"
)

// start is a Monday.
var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// service returns days of a service whose replicas keep a latency of 0.5 up to a load of truth(day).
// The number of replicas changes every four hours, and load per replica reaches busy of the truth.
func service(days int, truth func(day int) float64, busy float64) Input {
	const perDay = 24 * 60
	r := rand.New(rand.NewPCG(1, 2))
	in := Input{Settings: planner.Settings{
		SpecCapacity: 5, Step: time.Minute,
		Learn: &planner.LearnSettings{AtMost: 0.5, Attain: 0.99, Max: math.Inf(1)},
	}}
	series := func() forecaster.Series { return forecaster.Series{Start: start, Step: time.Minute} }
	in.Demand, in.Latency, in.Replicas = series(), series(), series()
	for k := range days * perDay {
		capacity, hour := truth(k/perDay), float64(k%perDay)/60
		replicas := float64(3 + k/240%3)
		share := busy * (0.55 + 0.45*math.Sin(2*math.Pi*hour/24)) * (1 + 0.02*r.NormFloat64())
		in.Demand.Values = append(in.Demand.Values, share*capacity*replicas)
		in.Replicas.Values = append(in.Replicas.Values, replicas)
		in.Latency.Values = append(in.Latency.Values, 0.1+0.4*math.Pow(share, 6)*(1+0.02*r.NormFloat64()))
	}
	return in
}

func steady(capacity float64) func(int) float64 { return func(int) float64 { return capacity } }

func replay(t *testing.T, in Input) *Track {
	t.Helper()
	track, err := Replay(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if len(track.InUse) != len(in.Demand.Values)+1 || len(track.Known) != len(in.Demand.Values) {
		t.Fatalf("%d figures in use and %d known of %d steps", len(track.InUse), len(track.Known), len(in.Demand.Values))
	}
	return track
}

func TestReplay(t *testing.T) {
	cases := map[string]struct {
		reason   string
		in       Input
		from, to float64
		source   capacity.Source
	}{
		"Higher": {"the configured 5 may be too low", service(5, steady(8), 1.1), 7.4, 8.4, capacity.SourceLearned},
		"Lower":  {"the configured 5 is too high", service(5, steady(3), 1.1), 2.4, 3.2, capacity.SourceLearned},
		"Quiet":  {"never near the limit", service(5, steady(8), 0.4), 5, 5, capacity.SourceAtLeast},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			track := replay(t, tc.in)
			if track.InUse[0] != 5 {
				t.Errorf("%s: it begins with %v, not with the configured 5", tc.reason, track.InUse[0])
			}
			if got := track.Capacity(); got < tc.from || got > tc.to || track.Estimate.Source != tc.source {
				t.Errorf("%s: %v (%s), want %v to %v", tc.reason, got, track.Estimate.Source, tc.from, tc.to)
			}
		})
	}
}

// What is in use at a step depends on nothing from that step on.
func TestReplayKnowsNothingOfTheFuture(t *testing.T) {
	in := service(4, func(day int) float64 { return []float64{8, 8, 4, 4}[day] }, 1.1)
	whole := replay(t, in)
	for _, cut := range []int{0, 1, 7, 1441, 3000, 4500} {
		part := in
		part.Demand.Values = in.Demand.Values[:cut]
		if cut%2 == 0 { // the others may know more than the demand
			part.Latency.Values, part.Replicas.Values = in.Latency.Values[:cut], in.Replicas.Values[:cut]
		}
		if got := replay(t, part); !slices.Equal(got.InUse, whole.InUse[:cut+1]) {
			t.Errorf("cut at %d, other figures are in use before", cut)
		}
	}
}

// What an input lacks is said, and nothing fails.
func TestLacks(t *testing.T) {
	all := service(3, steady(8), 1.1)
	none := forecaster.Series{}
	for name, tc := range map[string]struct {
		reason string
		change func(in *Input)
		want   capacity.Missing
		says   string
	}{
		"NoLatency": {
			"the query gives nothing", func(in *Input) { in.Latency = none }, capacity.MissingLatency, "objective.query",
		},
		"NoReplicas": {
			"nobody counts them", func(in *Input) { in.Replicas = none }, capacity.MissingReplicas, "kube-state-metrics",
		},
		"Unit": {
			"milliseconds against seconds", func(in *Input) { in.Settings.Learn.AtMost = 0.0005 }, capacity.MissingMet, "unit",
		},
		"Constant": {"a gauge that stands still", func(in *Input) {
			in.Latency.Values = slices.Repeat([]float64{0.2}, len(in.Latency.Values))
		}, capacity.MissingVariation, "no measurement"},
		"Short": {
			"half an hour teaches little", func(in *Input) { in.Demand.Values = in.Demand.Values[:30] },
			capacity.MissingSteps, "Wait",
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := all
			learn := *all.Settings.Learn
			in.Settings.Learn = &learn
			tc.change(&in)
			s := replay(t, in).Summarise(in)
			if s.Missing != tc.want || !strings.Contains(s.Lacks(), tc.says) || s.Used != 5 {
				t.Errorf("%s: %q is missing, %v counts, and it says %q", tc.reason, s.Missing, s.Used, s.Lacks())
			}
		})
	}
}

// Every step is scored with what was known of its own time: a change divides the track.
func TestHindsight(t *testing.T) {
	track := Track{Start: start, Step: time.Hour, InUse: make([]float64, 6)}
	track.hindsight([]epoch{{start.Add(time.Hour), 8}, {start.Add(3 * time.Hour), 4}})
	if want := []float64{8, 8, 8, 4, 4}; !slices.Equal(track.Known, want) {
		t.Errorf("%v, want %v", track.Known, want)
	}
}

func TestNewestMoves(t *testing.T) {
	var track Track
	for i := range 1000 {
		at := start.Add(time.Duration(i) * time.Hour)
		track.Moves = append(track.Moves, Move{At: at, Capacity: 5 + math.Sin(float64(i)/9)})
	}
	got := track.NewestMoves(12)
	if len(got) != 12 || got[0] != track.Moves[0] || got[1].At.Before(start.Add(900*time.Hour)) {
		t.Errorf("%d moves, first %v", len(got), got[0])
	}
	if last := got[len(got)-1]; last != track.Moves[999] {
		t.Errorf("the last move is %v", last)
	}
	if got := (&Track{}).NewestMoves(12); len(got) != 0 {
		t.Errorf("%v without any", got)
	}
}

func TestReplayRefuses(t *testing.T) {
	in := service(1, steady(8), 1)
	in.Latency.Step = time.Hour
	if _, err := Replay(t.Context(), in); err == nil || !strings.Contains(err.Error(), "latency") {
		t.Errorf("another step: %v", err)
	}
	in = service(1, steady(8), 1)
	in.Settings.SpecCapacity = 0
	if _, err := Replay(t.Context(), in); !errors.Is(err, learning.ErrNoDefault) {
		t.Errorf("without a configured capacity: %v", err)
	}
	in.Settings.Learn = nil
	if _, err := Replay(t.Context(), in); err == nil {
		t.Error("a capacity that is not learned is replayed")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Replay(ctx, service(1, steady(8), 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

func BenchmarkReplay(b *testing.B) {
	in := service(28, steady(8), 1.1)
	for b.Loop() {
		if _, err := Replay(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}
