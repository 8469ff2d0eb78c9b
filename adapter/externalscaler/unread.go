package externalscaler

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/tap"
)

// hurry is how long a request waits for its message when too many others wait. KEDA sends both at
// once.
const hurry = 200 * time.Millisecond

// unreadRequests bounds the requests that wait for their message. By itself gRPC waits for a message
// without an end, and a client with such requests fills the memory.
type unreadRequests struct {
	// most is how many may wait for as long as patience.
	most     int64
	patience time.Duration
	waiting  atomic.Int64
}

// readKey is the key of a function in the context of a request, which is called when its message is
// read.
type readKey struct{}

// admit counts a request until its message is read, or the request ends. It is a
// [tap.ServerInHandle]. It never refuses a request itself: gRPC would then keep the context of the
// request until the connection ends.
func (u *unreadRequests) admit(ctx context.Context, _ *tap.Info) (context.Context, error) {
	patience := u.patience
	if u.waiting.Add(1) > u.most {
		patience = min(patience, hurry)
	}
	ctx, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(patience, cancel)
	done := sync.OnceFunc(func() {
		late.Stop()
		u.waiting.Add(-1)
	})
	forget := context.AfterFunc(ctx, done)
	return context.WithValue(ctx, readKey{}, func() {
		forget()
		done()
	}), nil
}

// read says that the message of a request is read.
func read(ctx context.Context) {
	if done, ok := ctx.Value(readKey{}).(func()); ok {
		done()
	}
}

// readUnary calls [read] for a call: gRPC has read its message.
func readUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	read(ctx)
	return handler(ctx, req)
}

// readStream calls [read] for a stream, when it has read its message.
func readStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return handler(srv, readingStream{stream})
}

type readingStream struct{ grpc.ServerStream }

// RecvMsg implements [grpc.ServerStream].
func (s readingStream) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	read(s.Context())
	return err
}
