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

// Everything, as a page: four weeks of minutes, two of which are history.
func BenchmarkPage(b *testing.B) {
	trace := traces.OfficeHours(time.Minute, 28, 1)
	o := report.DefaultOptions()
	o.Series = history.Series{Start: trace.Start, Step: trace.Step, Values: trace.Values}
	o.From, o.Lead, o.Capacity, o.Contract = 14*1440, 10*time.Minute, 20, forecaster.Contract{ShortageCost: 20}
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
