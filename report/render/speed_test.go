package render

import (
	"context"
	"io"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/report"
	"headstart.dev/headstart/testdata/traces"
)

// BenchmarkPage measures a page with all policies, of four weeks of minutes.
func BenchmarkPage(b *testing.B) {
	trace := traces.OfficeHours(time.Minute, 28, 1)
	o := report.DefaultOptions()
	o.Series = history.Series{Start: trace.Start, Step: trace.Step, Values: trace.Values}
	o.From, o.Lead, o.Capacity = 14*1440, 10*time.Minute, 20
	o.Contract = forecaster.Contract{ShortageCost: 20}
	o.Policies, o.Headroom = report.AllPolicies(), true
	for b.Loop() {
		r, err := report.Run(context.Background(), o)
		if err != nil {
			b.Fatal(err)
		}
		if err := Report(r).HTML(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
