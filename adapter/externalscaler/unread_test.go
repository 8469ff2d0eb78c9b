package externalscaler

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
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

// eventually waits until the server counts n requests without a message.
func (f *fixture) eventually(t *testing.T, n int64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); f.server.unread.waiting.Load() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d requests wait for their message, want %d", f.server.unread.waiting.Load(), n)
		}
	}
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
			f.eventually(t, 0)
		})
	}
}

// Many requests that are never finished do not keep others from being served.
func TestUnreadRequestsHarmNobody(t *testing.T) {
	f := start(t, func(o *Options) { o.readTimeout, o.maxUnread = time.Hour, 20 })
	f.set(func(f *fakeForecasts) { f.value, f.capacity = 1, 1 })
	ended := f.halfSent(t, 500, "IsActive", false)
	c, trigger := f.client(t), ref("shop", "forecast", "llm")
	for range 20 {
		if _, err := c.IsActive(t.Context(), trigger, grpc.WaitForReady(true)); err != nil {
			t.Errorf("a call beside 500 half-sent ones: %v", err)
		}
	}
	r := f.activity(t, trigger)
	if !r.next() {
		t.Error("a stream beside half-sent calls: not active")
	}
	for range 480 {
		if code := <-ended; code != codes.Canceled {
			t.Fatalf("one beyond the bound ended with %v, want Canceled by the server", code)
		}
	}
	f.eventually(t, 20)
	select {
	case code := <-ended:
		t.Errorf("one within the bound ended with %v", code)
	case <-time.After(2 * hurry):
	}
	r.nothing() // A stream whose message is read is not cut off.
}

func TestConnectionLimit(t *testing.T) {
	f := start(t, func(o *Options) { o.maxConnections = 2 })
	connect := func(patience time.Duration) (net.Conn, error) {
		dialer := &net.Dialer{Timeout: patience}
		config := &tls.Config{
			RootCAs: f.authority.pool(), ServerName: "scaler.test", MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"},
		}
		return tls.DialWithDialer(dialer, "tcp", f.address, config)
	}
	var open net.Conn
	for range 2 {
		conn, err := connect(time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		open = conn
	}
	if conn, err := connect(200 * time.Millisecond); err == nil {
		_ = conn.Close()
		t.Error("a third connection is served, and the limit is 2")
	}
	_ = open.Close()
	conn, err := connect(time.Minute)
	if err != nil {
		t.Fatalf("after one of two has closed: %v", err)
	}
	_ = conn.Close()
}
