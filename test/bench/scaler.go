package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// The methods of KEDA's contract that are measured.
const (
	getMetrics     = "/externalscaler.ExternalScaler/GetMetrics"
	isActive       = "/externalscaler.ExternalScaler/IsActive"
	streamIsActive = "/externalscaler.ExternalScaler/StreamIsActive"
	streamSpec     = "/externalscaler.ExternalScaler/StreamMetricSpec"
)

// scaler is the door for KEDA, as KEDA dials it.
type scaler struct {
	address string
	tls     *tls.Config
}

// dial returns a connection. Messages are encoded here, by the numbers of the contract's fields, so
// that this module needs no generated code of the product.
func (s scaler) dial() (*grpc.ClientConn, error) {
	return grpc.NewClient(s.address, grpc.WithTransportCredentials(credentials.NewTLS(s.tls.Clone())),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin":{}}]}`),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{})))
}

// target makes GetMetrics for as many ScaledObjects as there are metrics.
func (s scaler) target(name string) target {
	requests := make([][]byte, *metrics)
	for i := range requests {
		requests[i] = metricsRequest(i)
	}
	return target{name: name, size: len(requests), connect: func() (caller, error) {
		conn, err := s.dial()
		return scalerCaller{conn, requests}, err
	}}
}

type scalerCaller struct {
	conn     *grpc.ClientConn
	requests [][]byte
}

func (c scalerCaller) close() { _ = c.conn.Close() }

func (c scalerCaller) ask(ctx context.Context, i int) error {
	var answer []byte
	if err := c.conn.Invoke(ctx, getMetrics, c.requests[i], &answer); err != nil {
		return err
	}
	_, err := metricValue(answer)
	return err
}

// objectRef encodes the ScaledObjectRef of a trigger that reads the i-th Forecast.
func objectRef(i int) []byte {
	b := appendString(nil, 1, metric(i))
	b = appendString(b, 2, namespace)
	for _, pair := range [][2]string{
		{"scalerAddress", "headstart-scaler.headstart-system.svc:9443"}, {"enableTLS", "true"}, {"forecast", metric(i)},
	} {
		b = protowire.AppendTag(b, 3, protowire.BytesType)
		b = protowire.AppendBytes(b, appendString(appendString(nil, 1, pair[0]), 2, pair[1]))
	}
	return b
}

// metricsRequest encodes a GetMetricsRequest.
func metricsRequest(i int) []byte {
	b := protowire.AppendTag(nil, 1, protowire.BytesType)
	b = protowire.AppendBytes(b, objectRef(i))
	return appendString(b, 2, metric(i))
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

// metricValue decodes metricValueFloat of the only MetricValue of a GetMetricsResponse.
func metricValue(answer []byte) (float64, error) {
	field, kind, n := protowire.ConsumeTag(answer)
	if n < 0 || field != 1 || kind != protowire.BytesType {
		return 0, errors.New("the answer has no metric")
	}
	message, n := protowire.ConsumeBytes(answer[n:])
	if n < 0 {
		return 0, protowire.ParseError(n)
	}
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return 0, protowire.ParseError(n)
		}
		message = message[n:]
		if field == 3 && kind == protowire.Fixed64Type {
			bits, n := protowire.ConsumeFixed64(message)
			return math.Float64frombits(bits), protowire.ParseError(min(n, 0))
		}
		if n = protowire.ConsumeFieldValue(field, kind, message); n < 0 {
			return 0, protowire.ParseError(n)
		}
		message = message[n:]
	}
	return 0, errors.New("the metric has no value")
}

// rawCodec leaves messages as they are: a []byte to send, and a *[]byte to receive into.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("a message of type %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("a message of type %T", v)
	}
	*b = data.Materialize()
	return nil
}
