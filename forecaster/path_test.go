package forecaster

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster/internal/synthetic"
)

// What a path remembers from one step to the next changes none of its steps. The clocks change
// within the path.
func TestPathRemembersNothingWrong(t *testing.T) {
	const day = 48
	s := Series{
		Start: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), Step: 30 * time.Minute, Values: synthetic.Wave(24*day, day, 3),
	}
	f := mustNew(t, Options{
		Step: s.Step, Lead: 2, Horizon: 9 * day, Contract: Contract{ShortageCost: 20},
		Location: mustLocation("Europe/Berlin"),
	})
	if err := f.Start(s); err != nil {
		t.Fatal(err)
	}
	origin := f.state.history.N()
	p := f.state.pathFrom(origin)
	check := func(i int) {
		alone := f.state.pathFrom(origin)
		if got, want := p.at(i), alone.at(i); math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("step %d of the path is %v, want %v", i, got, want)
		}
	}
	for i := range 9 * day {
		check(i)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		check(rng.IntN(9 * day))
	}
}
