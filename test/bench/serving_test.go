package bench

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// BenchmarkServing reports throughput and latency of both adapters through both APIs, and of the door
// for KEDA, and the ratios between them.
func BenchmarkServing(b *testing.B) {
	layout, c := cluster(b)
	mine := startHeadstart(b, layout, c, nowhere, 30*time.Second)
	theirs := startTestAdapter(b, layout, c)
	targets := []target{mine.external, theirs[0], mine.custom, theirs[1], mine.keda}
	runs := make([][]result, len(targets))
	for b.Loop() {
		for round := range *rounds {
			for k := range targets {
				i := (k + round) % len(targets) // no target is always the first
				if err := targets[i].warmUp(b.Context()); err != nil {
					b.Fatal(err)
				}
				r, err := targets[i].run(b.Context(), *duration, 0)
				if err != nil {
					b.Fatal(err)
				}
				runs[i] = append(runs[i], r)
				// b.Log is cut off after ten lines
				fmt.Fprintf(os.Stderr, "round %d: %-24s %s\n", round+1, targets[i].name, r)
			}
		}
	}
	for i, api := range []string{"external", "custom"} {
		ours, peer := runs[2*i], runs[2*i+1]
		b.ReportMetric(median(ours, throughput), api+"-req/s")
		b.ReportMetric(median(peer, throughput), api+"-test-adapter-req/s")
		b.ReportMetric(median(ours, throughput)/median(peer, throughput), api+"-throughput-ratio")
		b.ReportMetric(ms(median(ours, p99)), api+"-p99-ms")
		b.ReportMetric(ms(median(peer, p99)), api+"-test-adapter-p99-ms")
		b.ReportMetric(ms(median(ours, p99))/ms(median(peer, p99)), api+"-p99-ratio")
	}
	keda := runs[4]
	b.ReportMetric(median(keda, throughput), "keda-req/s")
	b.ReportMetric(median(keda, throughput)/median(runs[0], throughput), "keda-to-external-throughput-ratio")
	b.ReportMetric(ms(median(keda, p99)), "keda-p99-ms")
	b.ReportMetric(0, "ns/op") // an op is the whole benchmark, so its time says nothing
}
