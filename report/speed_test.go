package report

import (
	"context"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	synthetic "headstart.dev/headstart/testdata/traces"
)

// month is four weeks of minutes, two of which are history: what speed is measured on.
func month() Options {
	trace := synthetic.OfficeHours(time.Minute, 28, 1)
	o := DefaultOptions()
	o.Series = history.Series{Start: trace.Start, Step: trace.Step, Values: trace.Values}
	o.From, o.Lead, o.Capacity, o.Contract = 14*1440, 10*time.Minute, 20, forecaster.Contract{ShortageCost: 20}
	return o
}

// One replay, as `headstart report` does without --policies.
func BenchmarkReplay(b *testing.B) {
	o := month()
	for b.Loop() {
		if _, err := Run(context.Background(), o); err != nil {
			b.Fatal(err)
		}
	}
}
