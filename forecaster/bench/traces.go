package main

import (
	"strings"

	"headstart.dev/headstart/forecaster/internal/closedloop"
)

// openTraces loads the open traces of the yardstick whose names contain only and that keep admits.
func openTraces(only string, keep func(*closedloop.Trace) bool) ([]*closedloop.Trace, error) {
	shared, err := closedloop.Shared()
	if err != nil {
		return nil, err
	}
	var traces []*closedloop.Trace
	for _, c := range closedloop.Cases() {
		if !strings.Contains(c.Name, only) {
			continue
		}
		t, err := c.Open(shared)
		if err != nil {
			return nil, err
		}
		if keep(t) {
			traces = append(traces, t)
		}
	}
	return traces, nil
}
