package externalscaler

import (
	"context"
	"errors"
	"math"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/utils/clock"

	"headstart.dev/headstart/adapter"
	"headstart.dev/headstart/adapter/externalscaler/pb"
)

// activationAhead is how far ahead of its lead a Forecast is already active. It is KEDA's default
// polling interval: a trigger that is only polled hears of it that much later.
const activationAhead = 30 * time.Second

// Forecasts is where the answers come from. Its methods must be safe for concurrent use, and answer
// from memory.
type Forecasts interface {
	// Ahead returns the most that a Forecast serves from one instant to another. The error is an
	// *adapter.Unavailable when that is not known.
	Ahead(namespace, name string, from, to time.Time) (adapter.Value, error)
	// Capacity returns the demand that one replica serves. The error is an *adapter.Unavailable when
	// that is not known.
	Capacity(namespace, name string) (float64, error)
	// Watch returns a channel that has an element after each change of a Forecast, and a function
	// that ends this.
	Watch(namespace, name string) (changed <-chan struct{}, stop func())
}

// Lookup returns what a Forecast serves now, and counts the request as one of this door. The error
// is an *adapter.Unavailable when there is no value.
type Lookup func(namespace, name string) (adapter.Value, error)

// service implements KEDA's ExternalScaler.
type service struct {
	pb.UnimplementedExternalScalerServer

	forecasts Forecasts
	lookup    Lookup
	clock     clock.PassiveClock
	streams   *streamLimits
	// tick is how often a stream looks whether its state has changed with time.
	tick time.Duration
	// lifetime is about how long a stream lasts. Then KEDA opens it again, at any replica.
	lifetime time.Duration
	// stopping is closed when the server stops.
	stopping chan struct{}
}

// IsActive implements the service.
func (s *service) IsActive(_ context.Context, ref *pb.ScaledObjectRef) (*pb.IsActiveResponse, error) {
	t, err := parseTrigger(ref)
	if err != nil {
		return nil, err
	}
	active, err := s.active(t)
	if err != nil {
		return nil, statusOf(t, err)
	}
	return &pb.IsActiveResponse{Result: active}, nil
}

// active reports whether the workload of a trigger must have a replica.
func (s *service) active(t trigger) (bool, error) {
	now := s.clock.Now()
	value, err := s.forecasts.Ahead(t.namespace, t.forecast, now, now.Add(activationAhead))
	return float64(value.Milli)/1000 > t.threshold, err
}

// GetMetricSpec implements the service.
func (s *service) GetMetricSpec(_ context.Context, ref *pb.ScaledObjectRef) (*pb.GetMetricSpecResponse, error) {
	t, err := parseTrigger(ref)
	if err != nil {
		return nil, err
	}
	target, err := s.target(t)
	if err != nil {
		return nil, statusOf(t, err)
	}
	return specOf(t, target), nil
}

// target returns the demand that one replica serves: that of the trigger, else that of the Forecast.
func (s *service) target(t trigger) (float64, error) {
	if t.target > 0 {
		return t.target, nil
	}
	target, err := s.forecasts.Capacity(t.namespace, t.forecast)
	if err != nil {
		return 0, err
	}
	return math.Min(math.Max(target, minTarget), maxTarget), nil
}

func specOf(t trigger, target float64) *pb.GetMetricSpecResponse {
	return &pb.GetMetricSpecResponse{MetricSpecs: []*pb.MetricSpec{{
		MetricName: t.forecast, TargetSize: int64(math.Max(1, math.Round(target))), TargetSizeFloat: target,
	}}}
}

// GetMetrics implements the service.
func (s *service) GetMetrics(_ context.Context, req *pb.GetMetricsRequest) (*pb.GetMetricsResponse, error) {
	t, err := parseTrigger(req.GetScaledObjectRef())
	if err != nil {
		return nil, err
	}
	if name := req.GetMetricName(); name != t.forecast {
		return nil, invalid("the call asks for metric %.*q, and the trigger has the metric %q only",
			maxName, name, t.forecast)
	}
	value, err := s.lookup(t.namespace, t.forecast)
	if err != nil {
		return nil, statusOf(t, err)
	}
	demand := float64(value.Milli) / 1000
	return &pb.GetMetricsResponse{MetricValues: []*pb.MetricValue{{
		MetricName: t.forecast, MetricValue: int64(math.Ceil(demand)), MetricValueFloat: demand,
	}}}, nil
}

// statusOf turns an error of Forecasts into the gRPC status to answer with.
func statusOf(t trigger, err error) error {
	u, ok := errors.AsType[*adapter.Unavailable](err)
	switch {
	case !ok:
		return status.Errorf(codes.Internal, "serving Forecast %s/%s: %v", t.namespace, t.forecast, err)
	case u.Reason == adapter.ReasonNotFound:
		return status.Errorf(codes.NotFound, "no metric for Forecast %s/%s: %v", t.namespace, t.forecast, u)
	}
	return status.Errorf(codes.FailedPrecondition, "no metric for Forecast %s/%s: %v", t.namespace, t.forecast, u)
}
