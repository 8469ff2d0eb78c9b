package externalscaler

import (
	"context"
	"log/slog"
	"path"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/utils/clock"
)

// panicLogInterval is the least time between two panics of a method that are logged. KEDA calls
// again and again, and a stack is long.
const panicLogInterval = 10 * time.Minute

// guard turns a panic of a handler into an error of that call. By itself gRPC ends the process, and
// every door with it.
type guard struct {
	logger *slog.Logger
	clock  clock.PassiveClock
	panics *prometheus.CounterVec

	mu     sync.Mutex
	logged map[string]time.Time // by method
}

func newGuard(logger *slog.Logger, c clock.PassiveClock, panics *prometheus.CounterVec) *guard {
	return &guard{logger: logger, clock: c, panics: panics, logged: map[string]time.Time{}}
}

func (g *guard) unary(
	ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (_ any, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = g.caught(info.FullMethod, fault)
		}
	}()
	return handler(ctx, req)
}

func (g *guard) stream(
	srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler,
) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = g.caught(info.FullMethod, fault)
		}
	}()
	return handler(srv, stream)
}

// caught counts a panic, logs it, and returns the error of the call. Only methods of the service
// have handlers, so there are few names.
func (g *guard) caught(fullMethod string, fault any) error {
	method := path.Base(fullMethod)
	g.panics.WithLabelValues(method).Inc()
	if g.logNow(method) {
		g.logger.Error("a call of KEDA panicked: please report this as a bug", "method", method, "panic", fault,
			"stack", string(debug.Stack()))
	}
	return status.Error(codes.Internal, "Headstart has a bug: its log has the details")
}

// logNow reports whether a panic of a method is logged.
func (g *guard) logNow(method string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock.Now()
	if last, ok := g.logged[method]; ok && now.Sub(last) < panicLogInterval {
		return false
	}
	g.logged[method] = now
	return true
}
