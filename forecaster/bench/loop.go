package main

import (
	"flag"
	"fmt"
	"math"
	"os"
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
		wish = append(wish, t.Replicas(math.Max(f.Outlook().Cover[0], t.Full[i-1])))
		if err := f.Update(t.Raw[i]); err != nil {
			return nil, err
		}
	}
	return wish, nil
}

type loopRow struct {
	score, oracle closedloop.Score
	simple        float64 // the best of the simple policies' J, with head-room
	took          time.Duration
	err           error
}

func loop(args []string) error {
	fs := flag.NewFlagSet("loop", flag.ContinueOnError)
	only := fs.String("only", "", "measure traces whose name contains this")
	cost := fs.Float64("shortage-cost", closedloop.Penalty, "shortage cost that decisions are held to")
	if err := fs.Parse(args); err != nil {
		return err
	}
	shared, err := closedloop.Shared()
	if err != nil {
		return err
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
		wish, err := decide(t, t.Warm, len(t.Raw), forecaster.Contract{ShortageCost: *cost})
		if err != nil {
			return loopRow{err: err}
		}
		r := loopRow{score: t.Judge(wish), oracle: t.Oracle, took: time.Since(at), simple: math.Inf(1)}
		for _, p := range []closedloop.Policy{closedloop.Reactive, closedloop.Yesterday} {
			w := t.Wish(p(t, t.Warm, len(t.Raw)), t.Headroom(p))
			r.simple = math.Min(r.simple, t.Judge(w).J)
		}
		return r
	})
	w := os.Stdout
	fmt.Fprintf(w, "%-40s %7s %7s %9s %7s %7s %6s\n", "trace", "J/orac", "simple", "unserved", "short", "cost", "sec")
	sum := 0.0
	for i, r := range rows {
		if r.err != nil {
			return r.err
		}
		x := r.score.J / r.oracle.J
		sum += math.Log(x)
		fmt.Fprintf(w, "%-40s %7.3f %7.3f %8.2f%% %6.2f%% %7.3f %6.1f\n", cases[i].Name, x, r.simple/r.oracle.J, 100*r.score.Unserved, 100*r.score.Short, r.score.Alive/r.oracle.Alive, r.took.Seconds())
	}
	fmt.Fprintf(w, "geometric mean over %d traces: %.4f\n", len(rows), math.Exp(sum/float64(len(rows))))
	return nil
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
