package externalscaler

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"headstart.dev/headstart/adapter/externalscaler/pb"
)

// halfSent opens requests that the client does not finish. It returns where each says how it ended.
func (f *fixture) halfSent(t *testing.T, n int, method string, message bool) <-chan codes.Code {
	t.Helper()
	config := &tls.Config{RootCAs: f.authority.pool(), ServerName: "scaler.test", MinVersion: tls.VersionTLS12}
	conn, err := grpc.NewClient(f.address, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	ended := make(chan codes.Code, n)
	for range n {
		desc := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
		stream, err := conn.NewStream(ctx, desc, "/externalscaler.ExternalScaler/"+method)
		if err != nil {
			t.Fatal(err)
		}
		if message {
			err := stream.SendMsg(ref("shop", "forecast", "llm"))
			if err != nil && !errors.Is(err, io.EOF) { // It may have ended already.
				t.Fatal(err)
			}
		}
		go func() { ended <- status.Code(stream.RecvMsg(&pb.IsActiveResponse{})) }()
	}
	return ended
}

func TestUnreadRequestsEnd(t *testing.T) {
	for name, tc := range map[string]struct {
		reason, method string
		message        bool
	}{
		"call":                  {"a call without a message", "IsActive", false},
		"stream":                {"a stream without a message", "StreamIsActive", false},
		"stream with a message": {"gRPC waits for the end of what the client sends", "StreamIsActive", true},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, func(o *Options) { o.readTimeout = 100 * time.Millisecond })
			ended := f.halfSent(t, 50, tc.method, tc.message)
			for i := range 50 {
				if code := <-ended; code != codes.Canceled {
					t.Fatalf("%s: %d ended with %v, want Canceled by the server", tc.reason, i, code)
				}
			}
			f.unfinished(t, 0)
		})
	}
}

// Many requests that are never finished do not keep others from being served. Those beyond the bound
// cost their connection.
func TestUnreadRequestsHarmNobody(t *testing.T) {
	f := start(t, func(o *Options) { o.readTimeout, o.maxUnfinished = time.Hour, 100 })
	f.set(func(f *fakeForecasts) { f.value, f.capacity = 1, 1 })
	f.holdCalls(t, 50, false)
	f.unfinished(t, 50)
	c, trigger := f.client(t), ref("shop", "forecast", "llm")
	for range 20 {
		if _, err := c.IsActive(t.Context(), trigger, grpc.WaitForReady(true)); err != nil {
			t.Errorf("a call beside 50 half-sent ones: %v", err)
		}
	}
	r := f.activity(t, trigger)
	if !r.next() {
		t.Error("a stream beside half-sent calls: not active")
	}
	awaitClosed(t, f.holdCalls(t, 60, false)) // It has more than the other one.
	f.unfinished(t, 50)
	r.nothing() // A stream whose message is read is not cut off.
}
