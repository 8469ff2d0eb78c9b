package prometheus_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"headstart.dev/headstart/cmd/headstart/cli/internal/prometheus"
	"headstart.dev/headstart/history"
)

// What the API server says itself is no answer of Prometheus, and the error says what to do.
func TestAnswersOfTheAPIServer(t *testing.T) {
	status := `{"kind":"Status","apiVersion":"v1","status":"Failure","message":%q}`
	for name, tc := range map[string]struct {
		reason, service string
		code            int
		body            string
		want            history.Kind
		says            []string
	}{
		"forbidden": {
			"POST and GET are refused", "prometheus:9090", 403, fmt.Sprintf(status, "services is forbidden"),
			history.ErrUnauthorized,
			[]string{"get on services/proxy", "kubectl port-forward -n monitoring service/prometheus 9090:9090"},
		},
		"missing": {
			"no such Service", "prometheus:9090", 404, fmt.Sprintf(status, "services not found"), history.ErrNotPrometheus,
			[]string{"there is no service prometheus in namespace monitoring", "kubectl get services -n monitoring"},
		},
		"no endpoints": {
			"no pod is Ready", "https:prometheus:web", 503, fmt.Sprintf(status, "no endpoints available"),
			history.ErrUnavailable,
			[]string{"service prometheus in", "port web", "no endpoints available"},
		},
		"other": {
			"a text of the server is bounded, and has no controls", "prometheus:9090", 500,
			`{"kind":"Status","message":"\u001b[2J` + strings.Repeat("x", 1000) + `"}`, history.ErrUnavailable,
			[]string{"HTTP 500", "xxx…"},
		},
		"of Prometheus": {
			"Prometheus answers, and its own words are shown", "prometheus:9090", 400,
			`{"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}`, history.ErrBadQuery,
			[]string{"unexpected end"},
		},
		"large": {
			"what is no Status is left as it is", "prometheus:9090", 400, strings.Repeat(" ", 20<<10) +
				`{"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}`, history.ErrBadQuery,
			[]string{"unexpected end"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.code)
				fmt.Fprint(w, tc.body)
			}))
			defer api.Close()
			_, err := read(t, "monitoring/"+tc.service, api.URL)
			if !errors.Is(err, tc.want) || strings.Contains(fmt.Sprint(err), "\x1b") || len(fmt.Sprint(err)) > 600 {
				t.Fatalf("%s: got %v, want a short text of the kind %s", tc.reason, err, tc.want)
			}
			for _, part := range tc.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s: %q does not say %q", tc.reason, err, part)
				}
			}
		})
	}
}

// A user who may get services/proxy, and not create, is answered.
func TestGetIsEnough(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"kind":"Status","message":"you may not create"}`)
			return
		}
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[]}}`)
	}))
	defer api.Close()
	if _, err := read(t, "monitoring/prometheus:9090", api.URL); !errors.Is(err, history.ErrNoSeries) {
		t.Errorf("got %v, want an answer without a series", err)
	}
}

func read(t *testing.T, name, api string) (history.Series, error) {
	t.Helper()
	address, transport, err := prometheus.ThroughAPIServer(name, &rest.Config{Host: api})
	if err != nil {
		t.Fatal(err)
	}
	source, err := history.NewSource(history.SourceConfig{URL: address, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 18, 9, 0, 0, 0, time.UTC)
	series, _, err := source.Range(t.Context(), "demand", now.Add(-time.Hour), now, time.Minute, nil)
	return series, err
}
