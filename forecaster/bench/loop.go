package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"sync"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/forecaster/internal/closedloop"
)

// decide replays the steps [a, b) of a trace: at each, with nothing but the steps before it.
func decide(t *closedloop.Trace, a, b int, c forecaster.Contract) ([]float64, error) {
	f, err := forecaster.New(forecaster.Options{Step: t.Step, Lead: t.Lead, Horizon: 1, Contract: c})
	if err != nil {
		return nil, err
	}
	if err := f.Start(forecaster.Series{Start: t.Start, Step: t.Step, Values: t.Raw[:a]}); err != nil {
		return nil, err
	}
	wish := make([]float64, 0, b-a)
	for i := a; i < b; i++ {
		demand := t.Full[i-1]
		if o := f.Outlook(); o.Skilled {
			demand = math.Max(o.Cover[0], demand)
		}
		wish = append(wish, t.Replicas(demand))
		if err := f.Update(t.Raw[i]); err != nil {
			return nil, err
		}
	}
	return wish, nil
}

type loopRow struct {
	score, oracle closedloop.Score
	tuned         []float64 // J of the policies of today, with the head-room that their history would have picked
	took          time.Duration
	err           error
}

// simple returns the least J of the policies of today.
func (r loopRow) simple() float64 {
	least := math.Inf(1)
	for _, j := range r.tuned {
		least = math.Min(least, j)
	}
	return least
}

func loop(w io.Writer, args []string) ([]bar, error) {
	fs := flag.NewFlagSet("loop", flag.ContinueOnError)
	only := fs.String("only", "", "measure traces whose name contains this")
	command := fs.String("headstart", "bin/headstart", "the command that decides; empty to call the forecaster in this process, without Crane beside it")
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
	rows := each(len(cases), func(i int) loopRow {
		t, err := cases[i].Open(shared)
		if err != nil {
			return loopRow{err: err}
		}
		at := time.Now()
		r := loopRow{oracle: t.Oracle}
		var wish []float64
		if *command != "" {
			wish, r.tuned, err = reported(*command, cases[i].Path(shared), t)
		} else {
			wish, err = decide(t, t.Warm, len(t.Raw), forecaster.Contract{ShortageCost: closedloop.Penalty})
			for _, p := range []closedloop.Policy{closedloop.Reactive, closedloop.Yesterday} {
				r.tuned = append(r.tuned, t.Judge(t.Wish(p(t, t.Warm, len(t.Raw)), t.Headroom(p))).J)
			}
		}
		if err != nil {
			return loopRow{err: err}
		}
		r.score, r.took = t.Judge(wish), time.Since(at)
		return r
	})
	return loopBars(w, cases, rows)
}

// loopBars prints a line a trace and returns the bars.
func loopBars(w io.Writer, cases []closedloop.Case, rows []loopRow) ([]bar, error) {
	fmt.Fprintf(w, "%-40s %7s %8s %6s %9s %7s %7s %6s\n", "trace", "J/orac", "today's", "ratio", "unserved", "short", "cost", "sec")
	sum, theirs, worst := 0.0, 0.0, 0.0
	for i, r := range rows {
		if r.err != nil {
			return nil, r.err
		}
		x, ratio := r.score.J/r.oracle.J, r.score.J/r.simple()
		sum += math.Log(x)
		theirs += math.Log(r.simple() / r.oracle.J)
		worst = math.Max(worst, ratio)
		fmt.Fprintf(w, "%-40s %7.3f %8.3f %6.3f %8.2f%% %6.2f%% %7.3f %6.1f\n", cases[i].Name, x, r.simple()/r.oracle.J, ratio,
			100*r.score.Unserved, 100*r.score.Short, r.score.Alive/r.oracle.Alive, r.took.Seconds())
	}
	n := float64(len(rows))
	fmt.Fprintf(w, "geometric mean over %d traces: %.4f, the best of today's on each %.4f\n", len(rows), math.Exp(sum/n), math.Exp(theirs/n))
	return []bar{
		atMost("closed loop: geometric mean of J over the oracle's", math.Exp(sum/n), 1.32),
		atMost("closed loop: worst trace, against the best of reactive, yesterday and crane with head-room", worst, 1.03),
	}, nil
}

// each runs f for 0 … n−1 on every core and returns the results in order.
func each[T any](n int, f func(int) T) []T {
	out := make([]T, n)
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				out[i] = f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return out
}
