package report

import (
	"context"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	synthetic "headstart.dev/headstart/testdata/traces"
)

// month returns Options for four weeks of minutes. The first two are history. Speed is measured on
// them.
func month() Options {
	trace := synthetic.OfficeHours(time.Minute, 28, 1)
	o := DefaultOptions()
	o.Series = history.Series{Start: trace.Start, Step: trace.Step, Values: trace.Values}
	o.From, o.Lead, o.Capacity = 14*1440, 10*time.Minute, 20
	o.Contract = forecaster.Contract{ShortageCost: 20}
	return o
}

// BenchmarkReplay measures what `headstart report` does without --policies.
func BenchmarkReplay(b *testing.B) {
	o := month()
	for b.Loop() {
		if _, err := Run(context.Background(), o); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReplayAll measures what `headstart report --policies all` does.
func BenchmarkReplayAll(b *testing.B) {
	o := month()
	o.Policies = AllPolicies()
	for b.Loop() {
		if _, err := Run(context.Background(), o); err != nil {
			b.Fatal(err)
		}
	}
}
