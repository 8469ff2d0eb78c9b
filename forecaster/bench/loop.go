package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/forecaster/internal/closedloop"
	"headstart.dev/headstart/forecaster/internal/global"
)

// decide replays the steps [a, b) of a trace and returns a decision for each, in replicas. A
// decision knows the steps before it.
func decide(t *closedloop.Trace, a, b int, c forecaster.Contract, model *global.Model) ([]float64, error) {
	f, err := forecaster.New(forecaster.Options{Step: t.Step, Lead: t.Lead, Horizon: 1, Contract: c, Global: model})
	if err != nil {
		return nil, err
	}
	if err := f.Start(forecaster.Series{Start: t.Start, Step: t.Step, Values: t.Raw[:a]}); err != nil {
		return nil, err
	}
	decisions := make([]float64, 0, b-a)
	for i := a; i < b; i++ {
		demand := t.Filled[i-1]
		if o := f.Outlook(); o.Skilled {
			demand = math.Max(o.Cover[0], demand)
		}
		decisions = append(decisions, t.Replicas(demand))
		if err := f.Update(t.Raw[i]); err != nil {
			return nil, err
		}
	}
	return decisions, nil
}

// A loopResult is one trace of the closed loop.
type loopResult struct {
	score, oracle closedloop.Score
	tuned         []float64 // J of today's policies, with the head-room that their history would have chosen
	took          time.Duration
	err           error
}

// today returns the least J of today's policies.
func (r loopResult) today() float64 {
	if len(r.tuned) == 0 {
		return math.Inf(1)
	}
	return slices.Min(r.tuned)
}

// loop measures J of the forecaster's decisions on the open traces.
func loop(w io.Writer, args []string) ([]check, error) {
	fs := flag.NewFlagSet("loop", flag.ContinueOnError)
	only := fs.String("only", "", "measure traces whose name contains this")
	command := fs.String("headstart", "bin/headstart",
		"the command that decides; empty to call the forecaster in this process, without Crane beside it")
	tables := fs.String("tables", "", "folder of global models that have not seen a source, for calls in this process")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	shared, err := closedloop.Shared()
	if err != nil {
		return nil, err
	}
	var cases []closedloop.Case
	for _, c := range closedloop.Cases() {
		if strings.Contains(c.Name, *only) {
			cases = append(cases, c)
		}
	}
	results := each(len(cases), func(i int) loopResult { return loopTrace(shared, cases[i], *command, *tables) })
	return loopChecks(w, cases, results)
}

// loopTrace replays one trace, by the command line or in this process.
func loopTrace(shared string, c closedloop.Case, command, tables string) loopResult {
	t, err := c.Open(shared)
	if err != nil {
		return loopResult{err: err}
	}
	began := time.Now()
	r := loopResult{oracle: t.Oracle}
	var decisions []float64
	if command != "" {
		decisions, r.tuned, err = reported(command, c.Path(shared), t)
	} else {
		var model *global.Model
		if model, err = unseen(t, tables); err != nil {
			return loopResult{err: err}
		}
		decisions, err = decide(t, t.Warm, len(t.Raw), forecaster.Contract{ShortageCost: closedloop.Penalty}, model)
		for _, p := range []closedloop.Policy{closedloop.Reactive, closedloop.Yesterday} {
			r.tuned = append(r.tuned, t.Score(t.Decisions(p(t, t.Warm, len(t.Raw)), t.Headroom(p))).J)
		}
	}
	if err != nil {
		return loopResult{err: err}
	}
	r.score, r.took = t.Score(decisions), time.Since(began)
	return r
}

// loopChecks writes a line for each trace and returns the checks.
func loopChecks(w io.Writer, cases []closedloop.Case, results []loopResult) ([]check, error) {
	fmt.Fprintf(w, "%-40s %7s %8s %6s %9s %7s %7s %6s\n",
		"trace", "J/orac", "today's", "ratio", "unserved", "short", "cost", "sec")
	sum, todaySum, worst := 0.0, 0.0, 0.0
	for i, r := range results {
		if r.err != nil {
			return nil, r.err
		}
		ours, todays, ratio := r.score.J/r.oracle.J, r.today()/r.oracle.J, r.score.J/r.today()
		sum += math.Log(ours)
		todaySum += math.Log(todays)
		worst = math.Max(worst, ratio)
		fmt.Fprintf(w, "%-40s %7.3f %8.3f %6.3f %8.2f%% %6.2f%% %7.3f %6.1f\n", cases[i].Name, ours, todays, ratio,
			100*r.score.Unserved, 100*r.score.Short, r.score.Replicas/r.oracle.Replicas, r.took.Seconds())
	}
	n := float64(len(results))
	mean := math.Exp(sum / n)
	fmt.Fprintf(w, "geometric mean over %d traces: %.4f, the best of today's on each %.4f\n",
		len(results), mean, math.Exp(todaySum/n))
	return []check{
		atMost("closed loop: geometric mean of J over the oracle's", mean, 1.32),
		atMost("closed loop: worst trace, against the best of reactive, yesterday and crane with head-room",
			worst, 1.03),
	}, nil
}
