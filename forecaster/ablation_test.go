package forecaster

import (
	"math"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster/internal/closedloop"
	"headstart.dev/headstart/forecaster/internal/stats"
	"headstart.dev/headstart/forecaster/internal/synthetic"
)

// ablated are configurations, each by what it leaves out.
func ablated() [][]string {
	const (
		main                  = "quantile regression"
		high                  = main + ", high"
		onTop, alone          = "trees on the regression", "trees"
		daily, weekly, inner  = "daily profile", "weekly profile", "inner profile"
		growth, damped, level = "yesterday, at today's level", "trend, damped", "level now"
	)
	simple := []string{daily, weekly, inner, growth, damped, level}
	others := append([]string{high, onTop, alone, partGlobal, partSmoothed}, simple...)
	return [][]string{
		nil,
		{partShifts},
		{partGate},
		{partBusyCosts},
		{partHalfLives},
		{partMargins},
		{partReplicas},
		{onTop},
		{alone},
		{onTop, alone},
		{high},
		{adaptedName, adaptedName + ", high"},
		{partGlobal},
		{partSmoothed},
		{partGlobal, partSmoothed},
		{daily, weekly, inner},
		{growth},
		{damped},
		{level},
		simple,
		{main, high, onTop, alone, partGlobal, partSmoothed},
		others, append([]string{partMargins}, others...),
	}
}

// TestAblation measures what each part is worth, for the table in docs/design/004: on the open
// traces with at most 9,000 scored steps, at the yardstick's shortage cost. It takes minutes, so it
// runs on request.
func TestAblation(t *testing.T) {
	if os.Getenv("HEADSTART_ALL_TRACES") == "" {
		t.Skip("minutes of replays: HEADSTART_ALL_TRACES=1 runs them")
	}
	shared, err := closedloop.Shared()
	if err != nil {
		t.Skip("NOT MEASURED: " + err.Error())
	}
	var traces []*closedloop.Trace
	for _, c := range closedloop.Cases() {
		trace, err := c.Open(shared)
		if err != nil {
			t.Fatal(err)
		}
		if len(trace.Raw)-trace.Warm <= 9000 {
			traces = append(traces, trace)
		}
	}
	for _, without := range ablated() {
		logs := make([]float64, len(traces))
		var wg sync.WaitGroup
		free := make(chan struct{}, runtime.GOMAXPROCS(0))
		for i, trace := range traces {
			wg.Go(func() {
				free <- struct{}{}
				defer func() { <-free }()
				logs[i] = math.Log(costOf(t, trace, without) / trace.Oracle.J)
			})
		}
		wg.Wait()
		t.Logf("%.4f on %d traces without %s", math.Exp(stats.Mean(logs)), len(traces), strings.Join(without, " + "))
	}
}

// costOf replays a trace and returns J.
func costOf(t *testing.T, trace *closedloop.Trace, without []string) float64 {
	f, err := New(Options{
		Step: trace.Step, Lead: trace.Lead, Horizon: 1, Contract: Contract{ShortageCost: closedloop.Penalty},
		without: without,
	})
	if err != nil {
		t.Error(err)
		return math.NaN()
	}
	if err := f.Start(Series{Start: trace.Start, Step: trace.Step, Values: trace.Raw[:trace.Warm]}); err != nil {
		t.Error(err)
	}
	var desired []float64
	for i := trace.Warm; i < len(trace.Raw); i++ {
		demand := trace.Filled[i-1]
		if o := f.Outlook(); o.Skilled {
			demand = math.Max(o.Cover[0], demand)
		}
		desired = append(desired, trace.Replicas(demand))
		if err := f.Update(trace.Raw[i]); err != nil {
			t.Error(err)
		}
	}
	return trace.Score(desired).J
}

// An ablation of an unknown name would measure nothing.
func TestAblationsAreKnown(t *testing.T) {
	f := mustNew(t, Options{Step: 10 * time.Minute, Lead: 1, Contract: Contract{ShortageCost: 20}})
	if err := f.Start(Series{Start: epoch, Step: 10 * time.Minute, Values: synthetic.Wave(144*40, 144, 3)}); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"inner profile": true}
	for _, part := range []string{
		partShifts, partGate, partBusyCosts, partHalfLives, partMargins, partReplicas, partGlobal, partSmoothed,
	} {
		known[part] = true
	}
	for _, c := range f.state.served.set.candidates {
		known[c.name()] = true
	}
	for _, without := range ablated() {
		for _, part := range without {
			if !known[part] {
				t.Errorf("there is no %q to leave out", part)
			}
		}
	}
}
