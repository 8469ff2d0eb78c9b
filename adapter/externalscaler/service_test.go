package externalscaler

import (
	"crypto/tls"
	"errors"
	"math"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"

	"headstart.dev/headstart/adapter"
	"headstart.dev/headstart/adapter/externalscaler/pb"
)

func TestCalls(t *testing.T) {
	noPlan := &adapter.Unavailable{Reason: adapter.ReasonNoPlan, Message: "none was made yet"}
	cases := map[string]struct {
		reason                  string
		namespace               string
		metadata                []string
		value, capacity         float64
		err                     error
		active                  bool
		target                  float64
		activeCode, metricsCode codes.Code
		specCode                codes.Code
		says                    string
	}{
		"served": {
			reason: "value and target are floats", namespace: "shop", metadata: []string{"forecast", "llm"},
			value: 12.345, capacity: 2.5, active: true, target: 2.5,
		},
		"zero": {
			reason: "0 is a value, and is not active", namespace: "shop", metadata: []string{"forecast", "llm"},
			capacity: 2.5, target: 2.5,
		},
		"target of the trigger": {
			reason: "it wins over the capacity", namespace: "shop",
			metadata: []string{"forecast", "llm", "targetValue", "0.5"}, value: 1, capacity: 2, active: true, target: 0.5,
		},
		"at the threshold": {
			reason: "active is above the threshold", namespace: "shop",
			metadata: []string{"forecast", "llm", "activationThreshold", "3"}, value: 3, capacity: 1, target: 1,
		},
		"above the threshold": {
			reason: "active is above the threshold", namespace: "shop",
			metadata: []string{"forecast", "llm", "activationThreshold", "3"},
			value:    3.001, capacity: 1, active: true, target: 1,
		},
		"from the environment": {
			reason: "KEDA sends the value under the key with FromEnv", namespace: "shop",
			metadata: []string{"forecastFromEnv", "llm"}, value: 1, capacity: 1, active: true, target: 1,
		},
		"no value": {
			reason: "the target is known even when the value is not", namespace: "shop",
			metadata: []string{"forecast", "llm"}, capacity: 4, err: noPlan, target: 4,
			activeCode: codes.FailedPrecondition, metricsCode: codes.FailedPrecondition, says: "none was made yet",
		},
		"no capacity": {
			reason: "there is no target to make up", namespace: "shop", metadata: []string{"forecast", "llm"}, value: 1,
			active: true, specCode: codes.FailedPrecondition, says: "spec.capacityPerReplica",
		},
		"fault": {
			reason: "a fault of the program is told from no value", namespace: "shop", metadata: []string{"forecast", "llm"},
			capacity: 1, target: 1, err: errors.New("boom"), activeCode: codes.Internal, metricsCode: codes.Internal,
			says: "boom",
		},
		"another namespace": {
			reason: "a ScaledObject reads Forecasts of its own namespace only", namespace: "bank",
			metadata: []string{"forecast", "llm"}, value: 1, capacity: 1, says: "there is no Forecast bank/llm",
			activeCode: codes.NotFound, metricsCode: codes.NotFound, specCode: codes.NotFound,
		},
		"a namespace in the name": {
			reason: "it must not lead out of the namespace", namespace: "bank", metadata: []string{"forecast", "shop/llm"},
			activeCode: codes.InvalidArgument, metricsCode: codes.InvalidArgument, specCode: codes.InvalidArgument,
			says: "its own namespace only",
		},
		"a namespace in the metadata": {
			reason: "only KEDA says which namespace it asks for", namespace: "bank", metadata: []string{
				"forecast", "llm", "namespace", "shop", "namespaceFromEnv", "shop", "scaledObjectNamespace", "shop",
			},
			value: 1, capacity: 1, says: "there is no Forecast bank/llm",
			activeCode: codes.NotFound, metricsCode: codes.NotFound, specCode: codes.NotFound,
		},
		"no forecast": {
			reason: "it is required", namespace: "shop", says: "set metadata.forecast",
			activeCode: codes.InvalidArgument, metricsCode: codes.InvalidArgument, specCode: codes.InvalidArgument,
		},
		"no namespace": {
			reason: "every ScaledObject has one", metadata: []string{"forecast", "llm"}, says: "no namespace",
			activeCode: codes.InvalidArgument, metricsCode: codes.InvalidArgument, specCode: codes.InvalidArgument,
		},
		"long forecast": {
			reason: "no Forecast has such a name, and a stream would keep it", namespace: "shop",
			metadata: []string{"forecast", strings.Repeat("x", maxName+1)}, says: "has 254",
			activeCode: codes.InvalidArgument, metricsCode: codes.InvalidArgument, specCode: codes.InvalidArgument,
		},
		"long namespace": {
			reason: "there is none, and a stream would keep it", namespace: strings.Repeat("n", maxNamespace+1),
			metadata: []string{"forecast", "llm"}, says: "a namespace of 64 bytes",
			activeCode: codes.InvalidArgument, metricsCode: codes.InvalidArgument, specCode: codes.InvalidArgument,
		},
		"target zero": {
			reason: "an HPA refuses it", namespace: "shop", metadata: []string{"forecast", "llm", "targetValue", "0"},
			activeCode: codes.InvalidArgument, metricsCode: codes.InvalidArgument, specCode: codes.InvalidArgument,
			says: "metadata.targetValue",
		},
		"threshold with a unit": {
			reason: "it is a number", namespace: "shop", metadata: []string{"forecast", "llm", "activationThreshold", "3/s"},
			activeCode: codes.InvalidArgument, metricsCode: codes.InvalidArgument, specCode: codes.InvalidArgument,
			says: "metadata.activationThreshold",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			f.set(func(f *fakeForecasts) { f.value, f.capacity, f.err = tc.value, tc.capacity, tc.err })
			c, trigger := f.client(t), ref(tc.namespace, tc.metadata...)
			check := func(call string, err error, want codes.Code) bool {
				if status.Code(err) != want || (want != codes.OK && !strings.Contains(err.Error(), tc.says)) {
					t.Errorf("%s: %s: error %v, want %v with %q", tc.reason, call, err, want, tc.says)
				}
				return err == nil
			}
			active, err := c.IsActive(t.Context(), trigger)
			if check("IsActive", err, tc.activeCode) && active.GetResult() != tc.active {
				t.Errorf("%s: active %v, want %v", tc.reason, active.GetResult(), tc.active)
			}
			spec, err := c.GetMetricSpec(t.Context(), trigger)
			if check("GetMetricSpec", err, tc.specCode) {
				if got := spec.GetMetricSpecs()[0]; got.GetTargetSizeFloat() != tc.target || got.GetMetricName() != "llm" {
					t.Errorf("%s: spec %v, want the target %v", tc.reason, got, tc.target)
				}
			}
			values, err := c.GetMetrics(t.Context(), &pb.GetMetricsRequest{ScaledObjectRef: trigger, MetricName: "llm"})
			if check("GetMetrics", err, tc.metricsCode) {
				if got := values.GetMetricValues()[0]; got.GetMetricValueFloat() != tc.value || got.GetMetricName() != "llm" {
					t.Errorf("%s: value %v, want %v", tc.reason, got, tc.value)
				}
			}
		})
	}
}

// A call for another metric than the trigger's is refused: it would get the wrong value.
func TestOtherMetric(t *testing.T) {
	f := start(t)
	_, err := f.client(t).GetMetrics(t.Context(), &pb.GetMetricsRequest{
		ScaledObjectRef: ref("shop", "forecast", "llm"), MetricName: "other",
	})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("error %v, want InvalidArgument", err)
	}
}

// Without a reference at all, or with one that is too large, a call fails with a status.
func TestBadCalls(t *testing.T) {
	f := start(t)
	c := f.client(t)
	if _, err := c.GetMetrics(t.Context(), &pb.GetMetricsRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("an empty call: error %v", err)
	}
	large := ref("shop", "forecast", strings.Repeat("x", 2*maxMessage))
	if _, err := c.IsActive(t.Context(), large); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a call of %d bytes: error %v", 2*maxMessage, err)
	}
}

func TestClientCertificates(t *testing.T) {
	f := start(t, func(o *Options) { o.ClientCA = o.Cert.(*authority) })
	f.set(func(f *fakeForecasts) { f.capacity = 1 })
	trigger := ref("shop", "forecast", "llm")
	if _, err := f.client(t).IsActive(t.Context(), trigger); status.Code(err) != codes.Unavailable {
		t.Errorf("without a certificate: error %v, want Unavailable", err)
	}
	with := func(a *authority) func(*tls.Config) {
		_, _, certPEM, keyPEM := a.sign(t, "keda")
		pair, err := tls.X509KeyPair(certPEM, keyPEM)
		if err != nil {
			t.Fatal(err)
		}
		return func(c *tls.Config) { c.Certificates = []tls.Certificate{pair} }
	}
	if _, err := f.client(t, with(newAuthority(t))).IsActive(t.Context(), trigger); status.Code(err) != codes.Unavailable {
		t.Errorf("with the certificate of another CA: error %v, want Unavailable", err)
	}
	if _, err := f.client(t, with(f.authority)).IsActive(t.Context(), trigger); err != nil {
		t.Errorf("with a certificate: %v", err)
	}
}

// What a message repeats of a call is short, however long the value is. A trigger keeps no space.
func TestLongValues(t *testing.T) {
	long := strings.Repeat(" x", 4000)
	for _, metadata := range [][]string{
		{KeyForecast, long}, {KeyForecast, "llm", KeyTarget, long}, {KeyForecast, "llm", KeyThreshold, long}, nil,
	} {
		r := ref("shop", metadata...)
		r.Name = long
		if _, err := parseTrigger(r); status.Code(err) != codes.InvalidArgument || len(err.Error()) > 1000 {
			t.Errorf("%.40q: an error of %d bytes with the code %v", metadata, len(err.Error()), status.Code(err))
		}
	}
	longest := ref(strings.Repeat("n", maxNamespace), KeyForecast, strings.Repeat("x", maxName))
	if _, err := parseTrigger(longest); err != nil {
		t.Errorf("the longest names: %v", err)
	}
	r := ref("shop", KeyForecast, strings.Repeat(" ", 4000)+"llm"+strings.Repeat(" ", 4000))
	if got, err := parseTrigger(r); err != nil || got.forecast != "llm" {
		t.Errorf("a name in much space: %q, error %v", got.forecast, err)
	}
}

// Every number that is accepted can be sent on: it is finite, and a target is above 0 in
// thousandths. Nothing panics.
func TestMetadataNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target := rapid.OneOf(rapid.String(), rapid.Map(rapid.Float64(), text)).Draw(t, "target")
		threshold := rapid.OneOf(rapid.String(), rapid.Map(rapid.Float64(), text)).Draw(t, "threshold")
		got, err := parseTrigger(ref("shop", KeyForecast, "llm", KeyTarget, target, KeyThreshold, threshold))
		if err != nil {
			if status.Code(err) != codes.InvalidArgument {
				t.Fatalf("error %v", err)
			}
			return
		}
		if got.target != 0 && int64(got.target*1000) < 1 {
			t.Fatalf("target %v is 0 in thousandths", got.target)
		}
		for _, v := range []float64{got.target, got.threshold} {
			if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
				t.Fatalf("read %+v", got)
			}
		}
	})
}
