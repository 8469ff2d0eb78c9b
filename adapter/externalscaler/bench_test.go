package externalscaler

import (
	"sync/atomic"
	"testing"

	"headstart.dev/headstart/adapter/externalscaler/pb"
)

// BenchmarkGetMetrics makes calls on a few connections, as fast as they are answered.
func BenchmarkGetMetrics(b *testing.B) {
	f := start(b)
	f.set(func(f *fakeForecasts) { f.value, f.capacity = 12.5, 5 })
	clients := make([]pb.ExternalScalerClient, 8)
	for i := range clients {
		clients[i] = f.client(b)
	}
	request := &pb.GetMetricsRequest{ScaledObjectRef: ref("shop", "forecast", "llm"), MetricName: "llm"}
	var next atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(4)
	b.RunParallel(func(p *testing.PB) {
		c := clients[int(next.Add(1))%len(clients)]
		for p.Next() {
			if _, err := c.GetMetrics(b.Context(), request); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
