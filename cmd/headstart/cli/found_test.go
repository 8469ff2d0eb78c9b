package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

// shopCluster is an API server with the Forecast shop/web and Services named prometheus, one in each
// of some namespaces, which proxied stands behind.
func shopCluster(t *testing.T, fc *v1alpha1.Forecast, proxied http.Handler, namespaces ...string) (kubeconfig string) {
	t.Helper()
	fc.APIVersion, fc.Kind = "headstart.dev/v1alpha1", "Forecast"
	var services []string
	for _, ns := range namespaces {
		services = append(services, fmt.Sprintf(`{"metadata":{"name":"prometheus","namespace":%q},"spec":{
			"clusterIP":"10.0.0.1","selector":{"app":"prometheus"},"ports":[{"name":"web","port":9090}]}}`, ns))
	}
	resources := func(version string, kinds ...string) string {
		var all []string
		for _, k := range kinds {
			all = append(all, fmt.Sprintf(`{"name":"%ss","namespaced":%t,"kind":%q,"verbs":["get","list"]}`,
				strings.ToLower(k), k != "Calendar", k))
		}
		return fmt.Sprintf(`{"kind":"APIResourceList","apiVersion":"v1","groupVersion":%q,"resources":[%s]}`, version,
			strings.Join(all, ","))
	}
	web, err := json.Marshal(fc)
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string]string{
		"/api": `{"kind":"APIVersions","versions":["v1"]}`, "/apis": `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`,
		"/apis/headstart.dev/v1alpha1": resources("headstart.dev/v1alpha1", "Forecast", "PeakSchedule",
			"Calendar"),
		"/apis/autoscaling/v2": resources("autoscaling/v2", "HorizontalPodAutoscaler"),
		"/apis/headstart.dev/v1alpha1/namespaces/shop/forecasts/web": string(web),
		"/api/v1/services": `{"kind":"ServiceList","apiVersion":"v1","items":[` +
			strings.Join(services, ",") + `]}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before, _, ok := strings.Cut(r.URL.Path, "/services/prometheus:9090/proxy"); ok {
			http.StripPrefix(before+"/services/prometheus:9090/proxy", proxied).ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		answer, ok := answers[r.URL.Path]
		for list, kind := range map[string]string{
			"horizontalpodautoscalers": "HorizontalPodAutoscaler", "peakschedules": "PeakSchedule", "calendars": "Calendar",
		} {
			if strings.HasSuffix(r.URL.Path, "/"+list) {
				group, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/apis/"), "/namespaces")
				group, _, _ = strings.Cut(group, "/"+list)
				answer, ok = fmt.Sprintf(`{"kind":"%sList","apiVersion":%q,"items":[]}`, kind, group), true
			}
		}
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			answer = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return kubeconfigOf(t, server.URL)
}

// logIn refuses every request.
func logIn(w http.ResponseWriter, _ *http.Request) { http.Error(w, "log in", http.StatusUnauthorized) }

// The commands about a Forecast find the one Prometheus of the cluster, say which one it is, and say
// what to give where there is none or several.
func TestPrometheusIsFound(t *testing.T) {
	now := time.Now()
	refuses := http.HandlerFunc(logIn)
	const note = "note: history is from --prometheus monitoring/prometheus:9090, the only one"
	for name, tc := range map[string]struct {
		reason, line string
		proxied      http.Handler
		namespaces   []string
		code         int
		out, err     string
	}{
		"plot": {
			"it draws the demand", "plot shop/web --back 6h",
			wavePrometheus(0),
			[]string{"monitoring"},
			0,
			"█ demand", note,
		},
		"plot nothing": {
			"the plan is drawn, and what to give is said", "plot shop/web",
			nil, nil, 0,
			"note: the demand is not drawn: no Prometheus was found", "",
		},
		"plot several": {
			"the user chooses", "plot shop/web",
			nil,
			[]string{"a", "b"},
			0,
			"choose --prometheus a/prometheus:9090, or", "",
		},
		"plot refused": {
			"it was not asked for, so the plan is drawn all the same", "plot shop/web",
			refuses,
			[]string{"monitoring"},
			0,
			"note: the demand is not drawn: Prometheus rejects the credentials", note,
		},
		"plot asked": {
			"what was asked for must be there", "plot shop/web --prometheus monitoring/prometheus:9090",
			refuses,
			[]string{"monitoring"},
			1,
			"", "rejects the credentials",
		},
		"plot none": {
			"nothing is looked for", "plot shop/web --prometheus none",
			refuses,
			[]string{"monitoring"},
			0,
			"note: the demand is not drawn: give --prometheus", "",
		},
		"report": {
			"it replays the demand", "report shop/web --policies hpa,oracle --headroom=false",
			wavePrometheus(0),
			[]string{"monitoring"},
			0,
			"Dry run of shop/web", note,
		},
		"report none": {
			"it needs the demand", "report shop/web",
			nil, nil, 1,
			"", "the history of demand is needed: no Prometheus was found in the cluster: give --prometheus",
		},
		"report -n": {
			"it says so once", "report -n shop",
			nil,
			[]string{"a", "b"},
			1,
			"", "needed: several Prometheus servers were found",
		},
		"capacity": {
			"it learns", "capacity shop/web --history 4d",
			http.HandlerFunc(busyPrometheus),
			[]string{"monitoring"},
			0,
			"┃ estimate", note,
		},
		"capacity none": {
			"it shows the status", "capacity shop/web",
			nil, nil, 0,
			"how it was learned is not shown: no", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			fc := planned(now)
			if strings.HasPrefix(name, "capacity") {
				fc = learningForecast(now)
			}
			out, stderr, code := headstart(t, tc.line+" --kubeconfig", shopCluster(t, fc, tc.proxied, tc.namespaces...))
			out = strings.Join(strings.Fields(out), " ")
			if code != tc.code || !strings.Contains(out, tc.out) || !strings.Contains(stderr, tc.err) ||
				tc.err == "" && stderr != "" || strings.Contains(stderr, `source "`) {
				t.Errorf("%s: exit %d, want %d\n%s\n%s", tc.reason, code, tc.code, out, stderr)
			}
		})
	}
}

// The page says which Prometheus it reads, and the errors of that are in the words of the flags.
func TestUIFindsPrometheus(t *testing.T) {
	refuses := http.HandlerFunc(logIn)
	ctx, cancel := context.WithCancel(t.Context())
	out, write := io.Pipe()
	ended := make(chan int, 1)
	var stderr strings.Builder
	config := shopCluster(t, planned(time.Now()), refuses, "monitoring")
	go func() {
		ended <- execute(ctx, []string{"headstart", "ui", "--no-open", "--kubeconfig", config},
			Streams{strings.NewReader(""), write, &stderr})
	}()
	lines := bufio.NewReader(out)
	address, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, lines) //nolint:errcheck // until it ends
	r, err := http.Get(strings.TrimSpace(address) + "api/about")
	if err != nil {
		t.Fatal(err)
	}
	about, _ := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if !strings.Contains(string(about), `{"known":true,"text":"monitoring/prometheus:9090"}`) {
		t.Errorf("it is about %s", about)
	}
	cancel()
	code := <-ended
	if code != 0 || !strings.HasPrefix(stderr.String(), "note: history is from --prometheus monitoring/") {
		t.Errorf("it ended with %d: %s", code, stderr.String())
	}
}
