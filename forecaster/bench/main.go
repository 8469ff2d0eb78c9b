// Command bench measures the forecaster against its bars and writes one table:
//
//	go run ./forecaster/bench              everything below
//	go run ./forecaster/bench loop         what its decisions cost on the open traces, against the oracle and the policies of today
//	go run ./forecaster/bench m4           many-step accuracy and intervals on pseudo tests within the M4 hourly training data
//	go run ./forecaster/bench calibration  how service levels are kept on the open traces
//	go run ./forecaster/bench speed        processor time and memory of one Forecast, and what ten thousand would take
//	go run ./forecaster/bench harm         what its decisions cost on traces that break in the middle
//
// loop and m4 run the command line itself, bin/headstart unless -headstart names another. The traces are read from
// $HEADSTART_SHARED, or from a folder `shared` beside the repository.
package main

import (
	"fmt"
	"io"
	"os"
	"slices"
)

func main() {
	if err := run(os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A measurement prints what it found in detail, and returns its bars.
type measurement struct {
	name string
	run  func(w io.Writer, args []string) ([]bar, error)
}

func measurements() []measurement {
	return []measurement{{"speed", speed}, {"m4", m4}, {"calibration", calibration}, {"loop", loop}, {"harm", harmBar}}
}

// run measures what the first argument names, with the arguments after it, or everything.
func run(w io.Writer, args []string) error {
	all := measurements()
	if len(args) > 0 {
		k := slices.IndexFunc(all, func(m measurement) bool { return m.name == args[0] })
		if k < 0 {
			return fmt.Errorf("unknown measurement %q: use speed, m4, calibration, loop or harm, or none of them for all", args[0])
		}
		all, args = all[k:k+1], args[1:]
	}
	var bars []bar
	for _, m := range all {
		fmt.Fprintf(w, "# %s\n", m.name)
		found, err := m.run(w, args)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		bars = append(bars, found...)
		fmt.Fprintln(w)
	}
	writeBars(w, bars)
	return nil
}
