package bench

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
)

var polled = flag.Duration("polled", 45*time.Second, "time of BenchmarkPolling")

// pollInterval is that of each ScaledObject, which is half of KEDA's default.
const pollInterval = 15 * time.Second

// BenchmarkPolling reports the latency of GetMetrics while KEDA polls as many ScaledObjects of type
// external-push as there are metrics: one connection, both streams of each open, and a poll of each
// every 15 seconds, spread over that time.
func BenchmarkPolling(b *testing.B) {
	layout, c := cluster(b)
	door := startHeadstart(b, layout, c, nowhere, 30*time.Second).scaler
	conn, err := door.dial()
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	for i := range *metrics {
		for _, method := range []string{streamIsActive, streamSpec} {
			if err := open(ctx, conn, method, i); err != nil {
				b.Fatalf("%s of ScaledObject %d: %v", method, i, err)
			}
		}
	}
	for b.Loop() {
		began := time.Now()
		took := pollAll(b, conn, began.Add(*polled))
		r := summarise(took, time.Since(began))
		fmt.Fprintf(os.Stderr, "%d polls: %s\n", len(took), r)
		b.ReportMetric(ms(r.p50), "poll-p50-ms")
		b.ReportMetric(ms(r.p99), "poll-p99-ms")
		b.ReportMetric(ms(r.max), "poll-max-ms")
	}
	b.ReportMetric(0, "ns/op")
}

// open opens a stream and waits for its first message.
func open(ctx context.Context, conn *grpc.ClientConn, method string, i int) error {
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(objectRef(i)); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	var first []byte
	return stream.RecvMsg(&first)
}

// pollAll polls every ScaledObject until the time is over, and returns how long each GetMetrics
// took. As in KEDA, IsActive follows it.
func pollAll(b *testing.B, conn *grpc.ClientConn, until time.Time) []time.Duration {
	b.Helper()
	var (
		objects sync.WaitGroup
		mu      sync.Mutex
		all     []time.Duration
	)
	poll := func(i int) {
		client := scalerCaller{conn, [][]byte{metricsRequest(i)}}
		first := time.Now().Add(pollInterval * time.Duration(i) / time.Duration(*metrics))
		for next := first; next.Before(until); next = next.Add(pollInterval) {
			time.Sleep(time.Until(next))
			began := time.Now()
			err := client.ask(b.Context(), 0)
			took := time.Since(began)
			var active []byte
			if err == nil {
				err = conn.Invoke(b.Context(), isActive, objectRef(i), &active)
			}
			if err != nil {
				b.Errorf("poll of ScaledObject %d: %v", i, err)
				return
			}
			mu.Lock()
			all = append(all, took)
			mu.Unlock()
		}
	}
	for i := range *metrics {
		objects.Go(func() { poll(i) })
	}
	objects.Wait()
	if b.Failed() {
		b.FailNow()
	}
	return all
}
