package adapter

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	cmv1beta1 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta1"
	cmv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	emv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
	cmaserver "sigs.k8s.io/custom-metrics-apiserver/pkg/apiserver"
)

const (
	externalRoot = "/apis/external.metrics.k8s.io/v1beta1/namespaces/"
	customRoot   = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/"
	protobuf     = "application/vnd.kubernetes.protobuf"
	jsonType     = "application/json"
)

var planned = noon.Add(-4 * time.Minute)

func fill(m *fakeMetrics) {
	checkout := Value{Milli: 900, ComputedAt: planned, Labels: map[string]string{"team": "a", "tier": "gold"}}
	m.set("shop", "checkout", answer{value: checkout})
	m.set("shop", "idle", answer{value: Value{Milli: 0, ComputedAt: planned, Labels: map[string]string{"team": "b"}}})
	m.set("shop", "status", answer{value: Value{Milli: 1, ComputedAt: planned}})
	m.set("shop", "finalize", answer{value: Value{Milli: 2, ComputedAt: planned}})
	m.set("shop", "huge", answer{value: Value{Milli: math.MaxInt64, ComputedAt: planned}})
	m.set("shop", "negative", answer{value: Value{Milli: -5, ComputedAt: planned}})
	m.set("shop", "future", answer{value: Value{Milli: 7000, ComputedAt: noon.Add(time.Hour)}})
	m.set("shop", "over", answer{
		err:   &Unavailable{Reason: ReasonPlanExpired, Message: "its plan ended at 11:00"},
		value: Value{Labels: map[string]string{"team": "c"}},
	})
	m.set("shop", "new", answer{err: &Unavailable{Reason: ReasonNoPlan, Message: "no plan was made yet"}})
	m.set("shop", "broken", answer{err: errors.New("a bug")})
}

// item is what the tests compare of one value in an answer.
type item struct {
	Object, Metric, Value string
	Time                  time.Time
}

// decode returns the items of an answer, of any kind of list.
func decode(t *testing.T, resp *http.Response, body []byte) []item {
	t.Helper()
	obj, err := runtime.Decode(cmaserver.Codecs.UniversalDeserializer(), body)
	if err != nil {
		t.Fatalf("cannot decode %s %q: %v", resp.Header.Get("Content-Type"), body, err)
	}
	var items []item
	switch list := obj.(type) {
	case *emv1beta1.ExternalMetricValueList:
		for _, i := range list.Items {
			items = append(items, item{Metric: i.MetricName, Value: i.Value.String(), Time: i.Timestamp.UTC()})
		}
	case *cmv1beta2.MetricValueList:
		for _, i := range list.Items {
			o := i.DescribedObject
			items = append(items, item{
				Object: o.APIVersion + " " + o.Kind + " " + o.Namespace + "/" + o.Name,
				Metric: i.Metric.Name, Value: i.Value.String(), Time: i.Timestamp.UTC(),
			})
		}
	case *cmv1beta1.MetricValueList:
		for _, i := range list.Items {
			o := i.DescribedObject
			items = append(items, item{
				Object: o.APIVersion + " " + o.Kind + " " + o.Namespace + "/" + o.Name,
				Metric: i.MetricName, Value: i.Value.String(), Time: i.Timestamp.UTC(),
			})
		}
	default:
		t.Fatalf("answer is a %T", obj)
	}
	return items
}

func TestValues(t *testing.T) {
	w := start(t)
	fill(w.metrics)
	object := func(name string) string { return "headstart.dev/v1alpha1 Forecast shop/" + name }
	cases := map[string]struct {
		reason string
		path   string
		want   []item
	}{
		"external": {
			"a Forecast is an external metric of its own name, to a thousandth", externalRoot + "shop/checkout",
			[]item{{"", "checkout", "900m", planned}},
		},
		"external zero": {
			"a forecast of 0 is 0", externalRoot + "shop/idle", []item{{"", "idle", "0", planned}},
		},
		"external selector": {
			"a selector that matches changes nothing",
			externalRoot + "shop/checkout?labelSelector=team%3Da%2Ctier+in+(gold,silver)",
			[]item{{"", "checkout", "900m", planned}},
		},
		"external huge": {
			"saturates below what the autoscaler turns into 0", externalRoot + "shop/huge",
			[]item{{"", "huge", "9200T", planned}},
		},
		"external negative": {
			"never negative", externalRoot + "shop/negative", []item{{"", "negative", "0", planned}},
		},
		"external future": {
			"never computed in the future", externalRoot + "shop/future", []item{{"", "future", "7", noon}},
		},
		"custom by name": {
			"the Object metric demand", customRoot + "shop/forecasts.headstart.dev/checkout/demand",
			[]item{{object("checkout"), "demand", "900m", planned}},
		},
		"custom older version": {
			"both versions are served alike",
			strings.Replace(customRoot, "v1beta2", "v1beta1", 1) + "shop/forecasts.headstart.dev/checkout/demand",
			[]item{{object("checkout"), "demand", "900m", planned}},
		},
		"custom metric selector": {
			"applies to the Forecast's labels",
			customRoot + "shop/forecasts.headstart.dev/checkout/demand?metricLabelSelector=team%3Da",
			[]item{{object("checkout"), "demand", "900m", planned}},
		},
		"custom by selector": {
			"those that match", customRoot + "shop/forecasts.headstart.dev/*/demand?labelSelector=team+in+(a,b,c)",
			[]item{{object("checkout"), "demand", "900m", planned}, {object("idle"), "demand", "0", planned}},
		},
	}
	for name, tc := range cases {
		for _, accept := range []string{jsonType, protobuf} {
			t.Run(name+" "+accept, func(t *testing.T) {
				resp, body := w.get(tc.path, accept)
				if resp.StatusCode != http.StatusOK {
					t.Fatalf("%s: status %d: %s", tc.reason, resp.StatusCode, body)
				}
				if got := resp.Header.Get("Content-Type"); got != accept {
					t.Errorf("content type %q, want %q", got, accept)
				}
				if diff := cmp.Diff(tc.want, decode(t, resp, body)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
				}
			})
		}
	}
}

func TestNoValue(t *testing.T) {
	w := start(t)
	fill(w.metrics)
	cases := map[string]struct {
		reason string
		path   string
		code   int32
		cause  Reason
		says   string
	}{
		"unknown": {
			"unknown is not zero", externalRoot + "shop/nothing", 404, ReasonNotFound, "no such Forecast",
		},
		"other namespace": {
			"a Forecast is its namespace's", externalRoot + "other/checkout", 404, ReasonNotFound, "no such Forecast",
		},
		"status": {
			"the path of a namespace's subresource is never a metric", externalRoot + "shop/status", 404,
			ReasonNotFound, "no such Forecast",
		},
		"finalize": {
			"the path of a namespace's subresource is never a metric", externalRoot + "shop/finalize", 404,
			ReasonNotFound, "no such Forecast",
		},
		"plan expired": {
			"a plan that has ended is not served", externalRoot + "shop/over", 404, ReasonPlanExpired,
			"its plan ended at 11:00",
		},
		"no plan": {
			"nothing to serve yet", externalRoot + "shop/new", 404, ReasonNoPlan, "no plan was made yet",
		},
		"selector mismatch": {
			"a selector that excludes it hides it", externalRoot + "shop/checkout?labelSelector=team%3Dz", 404,
			ReasonNotFound, "do not match the metric's selector",
		},
		"custom unknown": {
			"as external", customRoot + "shop/forecasts.headstart.dev/nothing/demand", 404, ReasonNotFound,
			"no such Forecast",
		},
		"custom plan expired": {
			"as external", customRoot + "shop/forecasts.headstart.dev/over/demand", 404, ReasonPlanExpired,
			"its plan ended",
		},
		"custom selector mismatch": {
			"as external", customRoot + "shop/forecasts.headstart.dev/checkout/demand?metricLabelSelector=team%3Dz",
			404, ReasonNotFound, "do not match",
		},
		"custom none matches": {
			"never an empty list", customRoot + "shop/forecasts.headstart.dev/*/demand?labelSelector=team%3Dz", 404,
			ReasonNotFound, "matches no Forecast",
		},
		"custom none has a value": {
			"never an empty list", customRoot + "shop/forecasts.headstart.dev/*/demand?labelSelector=team%3Dc", 404,
			ReasonPlanExpired, "its plan ended",
		},
		"custom other metric": {
			"demand is the only one", customRoot + "shop/forecasts.headstart.dev/checkout/latency", 404, ReasonNotFound,
			"ask for namespaces/NAMESPACE/forecasts.headstart.dev/NAME/demand",
		},
		"custom other resource": {
			"Forecasts are the only ones", customRoot + "shop/pods/checkout/demand", 404, ReasonNotFound, "ask for",
		},
		"custom cluster scope": {
			"Forecasts are namespaced", "/apis/custom.metrics.k8s.io/v1beta2/forecasts.headstart.dev/checkout/demand",
			404, ReasonNotFound, "ask for",
		},
		"fault": {
			"a fault of ours is a typed Status too", externalRoot + "shop/broken", 500, "", "a bug",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			resp, body := w.get(tc.path, jsonType)
			var status metav1.Status
			if err := json.Unmarshal(body, &status); err != nil {
				t.Fatalf("%s: not a Status: %s", tc.reason, body)
			}
			if status.Kind != "Status" || status.Code != tc.code || int32(resp.StatusCode) != tc.code {
				t.Errorf("%s: HTTP %d, body %s, want a Status with code %d", tc.reason, resp.StatusCode, body, tc.code)
			}
			if !strings.Contains(status.Message, tc.says) {
				t.Errorf("message %q does not say %q", status.Message, tc.says)
			}
			if tc.cause != "" && (status.Details == nil || len(status.Details.Causes) != 1 ||
				Reason(status.Details.Causes[0].Type) != tc.cause) {
				t.Errorf("details %v do not name the cause %s", status.Details, tc.cause)
			}
			if status.Details != nil && status.Details.RetryAfterSeconds != 0 || resp.Header.Get("Retry-After") != "" {
				t.Errorf("Retry-After is set, which an autoscaler's worker would sleep on: %v", status.Details)
			}
		})
	}
}

// Without an API group the server has its probes, and looks values up for the external scaler, which
// counts them beside those of the metrics APIs.
func TestForKEDAAlone(t *testing.T) {
	w := start(t, func(o *Options) { o.ExternalMetrics, o.CustomMetrics = false, false })
	fill(w.metrics)
	if resp, body := w.get("/readyz", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("/readyz answers %s: %s", resp.Status, body)
	}
	if resp, _ := w.get(externalRoot+"shop/checkout", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("the external metrics answer %s without their group", resp.Status)
	}
	value, err := w.server.ValueForKEDA("shop", "checkout")
	if err != nil || value.Milli <= 0 {
		t.Errorf("value %+v, error %v", value, err)
	}
	var u *Unavailable
	if _, err := w.server.ValueForKEDA("shop", "nosuch"); !errors.As(err, &u) || u.Reason != ReasonNotFound {
		t.Errorf("error %v, want %s", err, ReasonNotFound)
	}
	_, metrics := w.get("/metrics", "")
	for _, line := range []string{
		`headstart_adapter_values_total{api="keda",result="Served"} 1`,
		`headstart_adapter_values_total{api="keda",result="NotFound"} 1`,
	} {
		if !strings.Contains(string(metrics), line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
}
