package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/report"
	"headstart.dev/headstart/testdata/traces"
)

const (
	step     = time.Minute
	lead     = 10 * time.Minute // from "one more replica" to "ready"
	capacity = 5.0              // requests/s that a replica serves
	level    = 0.99             // service level
	days     = 22               // of history before the day that is drawn, a Tuesday
)

// The part of the day that is drawn.
var shown = struct{ from, to time.Duration }{8 * time.Hour, 10 * time.Hour}

// ramp is one morning under two policies, step by step.
type ramp struct {
	start           time.Time
	demand          []float64
	reactive, ahead course
}

// course is the outcome of the morning under a policy.
type course struct {
	ready        []float64 // demand that the ready replicas can serve
	unserved     float64   // share of demand
	replicaHours float64   // paid
}

// replay runs package report over the morning. At each step the report uses only what was known
// then.
func replay(ctx context.Context) (ramp, error) {
	trace := traces.MorningRamp(step, days+1, 2)
	perDay := int(24 * time.Hour / step)
	from := days * perDay
	end := from + int(shown.to/step)
	o := report.DefaultOptions()
	o.Series = history.Series{Start: trace.Start, Step: step, Values: trace.Values[:end]}
	o.From, o.Lead, o.Capacity = from, lead, capacity
	o.Contract = forecaster.Contract{ServiceLevel: level}
	o.Policies = []string{report.PolicyHeadstart}
	r, err := report.Run(ctx, o)
	if err != nil {
		return ramp{}, fmt.Errorf("replay the morning: %w", err)
	}
	ahead, _ := r.DesiredReplicas()
	// The reactive replicas are those of an HPA on the last minute's demand, at its best: without a
	// tolerance and without a limit of its scale-up.
	reactive := make([]int, len(ahead))
	for i := range reactive {
		reactive[i] = int(math.Ceil(trace.Values[from+i-1] / capacity))
	}
	demand, skip := trace.Values[from:end], int(shown.from/step)
	return ramp{
		start: trace.Start.Add(time.Duration(from+skip) * step), demand: demand[skip:],
		reactive: follow(demand, reactive, skip), ahead: follow(demand, ahead, skip),
	}, nil
}

// follow returns what the desired replicas lead to, from step skip on. A replica is paid from the
// step at which it is desired, and serves a lead later. A replica is removed once it was not
// desired for five minutes.
func follow(demand []float64, desired []int, skip int) course {
	const stabilization = int(report.DefaultStabilization / step)
	late := int(lead / step)
	paid := make([]float64, len(desired))
	for i := range desired {
		for _, d := range desired[max(0, i-stabilization+1) : i+1] {
			paid[i] = max(paid[i], float64(d))
		}
	}
	var c course
	var unserved, all float64
	for i := skip; i < len(demand); i++ {
		// A replica serves now if it was paid throughout the lead.
		ready := paid[i]
		for _, p := range paid[i-late : i] {
			ready = min(ready, p)
		}
		c.ready = append(c.ready, ready*capacity)
		unserved += max(0, demand[i]-ready*capacity)
		all += demand[i]
		c.replicaHours += paid[i] * step.Hours()
	}
	c.unserved = unserved / all
	return c
}
