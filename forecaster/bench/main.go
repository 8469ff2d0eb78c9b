// Command bench measures the forecaster against its bars: the closed loop, many-step accuracy, calibration, speed and harm.
//
//	go run ./forecaster/bench loop   what its decisions cost on the open traces, against the oracle and simple policies
//	go run ./forecaster/bench m4     many-step accuracy and intervals on pseudo tests within the M4 hourly training data
//	go run ./forecaster/bench harm   what its decisions cost on traces that break in the middle
//	go run ./forecaster/bench speed  processor time and memory of one Forecast, and what ten thousand would take
//
// Calibration needs the inside of the package and is measured by its tests:
//
//	HEADSTART_BARS=1 go test ./forecaster -run Calibration -v -timeout 1h
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("say what to measure: loop, m4, harm or speed")
	}
	switch args[0] {
	case "loop":
		return loop(args[1:])
	case "harm":
		return harmBar(args[1:])
	case "speed":
		return speed()
	case "m4":
		return m4(args[1:])
	}
	return fmt.Errorf("unknown measurement %q: use loop, m4, harm or speed", args[0])
}
