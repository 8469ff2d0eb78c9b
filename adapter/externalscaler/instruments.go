package externalscaler

import (
	"context"
	"fmt"
	"path"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// instruments are the metrics of the server.
type instruments struct {
	calls, panics, closed *prometheus.CounterVec
}

// newInstruments makes the metrics and registers them, unless reg is nil.
func newInstruments(reg prometheus.Registerer, streams *streamLimits) (*instruments, error) {
	i := &instruments{calls: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "headstart_external_scaler_calls_total",
		Help: "Calls of KEDA that are not streams, by method and by code of the answer.",
	}, []string{"method", "code"}), panics: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "headstart_external_scaler_panics_total",
		Help: "Calls and streams of KEDA that ended by a bug of Headstart, by method.",
	}, []string{"method"}), closed: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "headstart_external_scaler_closed_connections_total",
		Help: "Connections that were closed because there were too many of them (connections), or too many " +
			"calls that their clients did not finish (unfinished).",
	}, []string{"reason"})}
	open := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "headstart_external_scaler_streams",
		Help: "Open streams of KEDA; a trigger of type external-push has two.",
	}, func() float64 { return float64(streams.count()) })
	if reg == nil {
		return i, nil
	}
	for _, c := range []prometheus.Collector{i.calls, i.panics, i.closed, open} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics of the external scaler: %w", err)
		}
	}
	return i, nil
}

// unary counts the calls.
func (i *instruments) unary(
	ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (any, error) {
	answer, err := handler(ctx, req)
	i.calls.WithLabelValues(path.Base(info.FullMethod), status.Code(err).String()).Inc()
	return answer, err
}
