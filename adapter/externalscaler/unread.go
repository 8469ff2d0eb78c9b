package externalscaler

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/tap"
)

// unreadKey is the key of a request's [unread] in its context.
type unreadKey struct{}

// unread is a request that waits for its message. By itself gRPC waits without an end.
type unread struct {
	late   *time.Timer // cancels the request
	forget func() bool // the request, when it ends before
}

// admit ends a request whose message is not there within the patience. It refuses none: gRPC would
// then keep the context of the request until the connection ends.
func admit(patience time.Duration) tap.ServerInHandle {
	return func(ctx context.Context, _ *tap.Info) (context.Context, error) {
		ctx, cancel := context.WithCancel(ctx)
		u := &unread{late: time.AfterFunc(patience, cancel)}
		u.forget = context.AfterFunc(ctx, func() { u.late.Stop() })
		return context.WithValue(ctx, unreadKey{}, u), nil
	}
}

// read says that the message of a request is read.
func read(ctx context.Context) {
	if u, ok := ctx.Value(unreadKey{}).(*unread); ok {
		u.forget()
		u.late.Stop()
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
