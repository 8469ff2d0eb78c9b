package app

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/grpclog"
)

// Before every Forecast is read, nothing is served: "there is no such Forecast" would be wrong.
func TestOnceSynced(t *testing.T) {
	var looks atomic.Int32
	served := false
	err := onceSynced(func() bool { return looks.Add(1) > 1 }, func(context.Context) error {
		served = looks.Load() > 1
		return nil
	})(t.Context())
	if err != nil || !served {
		t.Errorf("error %v, served after the Forecasts are read: %v", err, served)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	err = onceSynced(func() bool { return false }, func(context.Context) error {
		t.Error("it serves though it ends before it has read the Forecasts")
		return nil
	})(done)
	if err != nil {
		t.Error(err)
	}
}

func TestScalerFlags(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*options)
		want   string
	}{
		"KEDA alone": {
			"no metrics API group is needed",
			func(o *options) { o.scaler.enabled = true },
			"",
		},
		"nothing": {
			"there must be something to serve",
			func(*options) {},
			"--external-scaler",
		},
		"client CA": {
			"it protects nothing without the scaler",
			func(o *options) { o.customMetrics, o.scaler.clientCA = true, "ca.crt" },
			"need --external-scaler",
		},
		"port": {
			"there is no such port",
			func(o *options) { o.scaler.enabled, o.scaler.port = true, 0 },
			"--external-scaler-port 0",
		},
		"name": {
			"the certificate is for it",
			func(o *options) { o.scaler.enabled, o.scaler.serviceName = true, "" },
			"service-name",
		},
		"config map": {
			"a namespace is part of it",
			func(o *options) { o.scaler.enabled, o.scaler.configMaps = true, []string{"ca"} },
			"NAMESPACE/NAME",
		},
		"config map2": {
			"it has two parts",
			func(o *options) { o.scaler.enabled, o.scaler.configMaps = true, []string{"a/b/c"} },
			`"a/b/c"`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := defaultOptions()
			o.namespace = "headstart-system"
			tc.change(&o)
			err := o.validate()
			if (err == nil) != (tc.want == "") || (err != nil && !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%s: error %v, want one with %q", tc.reason, err, tc.want)
			}
		})
	}
}

// A client can cause warnings of gRPC as often as it likes.
func TestQuietGRPC(t *testing.T) {
	var out bytes.Buffer
	quietGRPC(&out)
	defer quietGRPC(os.Stderr)
	grpclog.Info("an info")
	grpclog.Warning("a warning")
	grpclog.Error("an error")
	if got := out.String(); !strings.Contains(got, "an error") || strings.Contains(got, "warning") {
		t.Errorf("the log is %q, want the error alone", got)
	}
}
