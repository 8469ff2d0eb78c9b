// Command bench measures the forecaster against its bars: the closed loop, many-step accuracy, calibration, speed and harm.
//
//	go run ./forecaster/bench loop          what its decisions cost on the open traces, against the oracle
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
		return fmt.Errorf("say what to measure: loop")
	}
	switch args[0] {
	case "loop":
		return loop(args[1:])
	case "m4":
		return m4(args[1:])
	}
	return fmt.Errorf("unknown measurement %q: use loop", args[0])
}
