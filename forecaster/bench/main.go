// Command bench measures the forecaster, and writes one table of the figures beside their limits:
//
//	go run ./forecaster/bench              everything below
//	go run ./forecaster/bench loop         cost of decisions on the open traces
//	go run ./forecaster/bench m4           many-step forecasts of the M4 hourly series
//	go run ./forecaster/bench calibration  coverage at service levels on the open traces
//	go run ./forecaster/bench speed        processor time and memory
//	go run ./forecaster/bench young        cost of decisions with hours of history
//	go run ./forecaster/bench absurd       cost of decisions with absurd samples in the history
//	go run ./forecaster/bench harm         cost of decisions on traces that break in the middle
//
// loop and m4 run the command line itself, bin/headstart unless -headstart names another. The
// traces are read from $HEADSTART_SHARED, or from a folder `shared` beside the repository.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
)

func main() {
	if err := run(os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A measurement writes what it found in detail, and returns the figures that have limits.
type measurement struct {
	name string
	run  func(w io.Writer, args []string) ([]check, error)
}

func measurements() []measurement {
	return []measurement{
		{"speed", speed},
		{"m4", m4},
		{"calibration", calibration},
		{"loop", loop},
		{"young", young},
		{"harm", harm},
		{"absurd", absurd},
	}
}

// run runs the measurement that the first argument names, with the arguments after it. Without
// arguments it runs all of them.
func run(w io.Writer, args []string) error {
	all := measurements()
	if len(args) > 0 {
		k := slices.IndexFunc(all, func(m measurement) bool { return m.name == args[0] })
		if k < 0 {
			return fmt.Errorf("unknown measurement %q: use speed, m4, calibration, loop, young, harm or absurd, or none",
				args[0])
		}
		all, args = all[k:k+1], args[1:]
	}
	var checks []check
	for _, m := range all {
		fmt.Fprintf(w, "# %s\n", m.name)
		found, err := m.run(w, args)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		checks = append(checks, found...)
		fmt.Fprintln(w)
	}
	writeChecks(w, checks)
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
