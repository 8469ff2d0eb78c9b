package externalscaler

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"headstart.dev/headstart/adapter"
)

// panicking panics for one Forecast.
type panicking struct{ *fakeForecasts }

func (p panicking) Ahead(namespace, name string, from, to time.Time) (adapter.Value, error) {
	if name == "broken" {
		panic("this Forecast is broken")
	}
	return p.fakeForecasts.Ahead(namespace, name, from, to)
}

// A panic is an error of its call. The others are served, and the log does not fill.
func TestPanics(t *testing.T) {
	var logs bytes.Buffer // read when the calls are over
	registry := prometheus.NewRegistry()
	f := start(t, func(o *Options) {
		o.Forecasts = panicking{o.Forecasts.(*fakeForecasts)}
		o.Logger, o.Registerer = slog.New(slog.NewTextHandler(&logs, nil)), registry
	})
	f.set(func(f *fakeForecasts) { f.value, f.capacity = 1, 1 })
	c, broken := f.client(t), ref("shop", "forecast", "broken")
	for range 3 {
		if _, err := c.IsActive(t.Context(), broken); status.Code(err) != codes.Internal {
			t.Errorf("a call: error %v, want Internal", err)
		}
		if err := <-f.activity(t, broken).err; status.Code(err) != codes.Internal {
			t.Errorf("a stream: error %v, want Internal", err)
		}
	}
	if got := f.server.service.streams.count(); got != 0 {
		t.Errorf("%d streams are counted after the panics", got)
	}
	answer, err := c.IsActive(t.Context(), ref("shop", "forecast", "llm"))
	if err != nil || !answer.GetResult() {
		t.Errorf("another call: %v, error %v", answer, err)
	}
	const want = `
# HELP headstart_external_scaler_panics_total Calls and streams of KEDA that ended by a bug of Headstart, by method.
# TYPE headstart_external_scaler_panics_total counter
headstart_external_scaler_panics_total{method="IsActive"} 3
headstart_external_scaler_panics_total{method="StreamIsActive"} 3
`
	const name = "headstart_external_scaler_panics_total"
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), name); err != nil {
		t.Error(err)
	}
	for _, method := range []string{"IsActive", "StreamIsActive"} {
		if n := strings.Count(logs.String(), "method="+method+" "); n != 1 {
			t.Errorf("%d panics of %s are logged, want the first", n, method)
		}
	}
	if !strings.Contains(logs.String(), "guard_test.go") {
		t.Errorf("the log does not say where it panicked:\n%s", logs.String())
	}
}
