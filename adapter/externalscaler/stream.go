package externalscaler

import (
	"context"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"

	"headstart.dev/headstart/adapter/externalscaler/pb"
)

// StreamIsActive implements the service. It sends the present state, and then each change. While the
// state is not known it sends nothing, so that KEDA keeps what it knows.
func (s *service) StreamIsActive(
	ref *pb.ScaledObjectRef, stream grpc.ServerStreamingServer[pb.IsActiveResponse],
) error {
	t, err := parseTrigger(ref)
	if err != nil {
		return err
	}
	state := func() (bool, error) { return s.active(t) }
	return follow(stream.Context(), s, t, state, func(active bool) error {
		return stream.Send(&pb.IsActiveResponse{Result: active})
	})
}

// StreamMetricSpec implements the service. It sends the present target, and then each change.
func (s *service) StreamMetricSpec(
	ref *pb.ScaledObjectRef, stream grpc.ServerStreamingServer[pb.GetMetricSpecResponse],
) error {
	t, err := parseTrigger(ref)
	if err != nil {
		return err
	}
	state := func() (float64, error) { return s.target(t) }
	return follow(stream.Context(), s, t, state, func(target float64) error { return stream.Send(specOf(t, target)) })
}

// follow sends a state when it is known first, and after each change, until the stream ends. It
// looks after each change of the Forecast, and once a tick, because a plan also moves with time.
//
// A stream ends without an error after a while: KEDA then opens it again, which spreads streams over
// the replicas, and does not count as a failure.
func follow[T comparable](
	ctx context.Context, s *service, t trigger, state func() (T, error), send func(T) error,
) error {
	release, err := s.streams.acquire(t.namespace)
	if err != nil {
		return err
	}
	defer release()
	defer followed(ctx)()
	changed, stop := s.forecasts.Watch(t.namespace, t.forecast)
	defer stop()
	tick := time.NewTicker(s.tick)
	defer tick.Stop()
	end := time.NewTimer(s.lifetime/2 + rand.N(s.lifetime/2+1)) //nolint:gosec // spreads load, guards nothing
	defer end.Stop()
	var sent T
	for first := true; ; {
		if now, err := state(); err == nil && (first || now != sent) {
			if err := send(now); err != nil {
				return err
			}
			sent, first = now, false
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.stopping:
			return nil
		case <-end.C:
			return nil
		case <-changed:
		case <-tick.C:
		}
	}
}
