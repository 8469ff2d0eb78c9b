package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// apiServer answers what convert asks: who serves the metrics groups, whether there is KEDA, and the
// version.
type apiServer struct {
	keda  bool
	hangs chan struct{} // if not nil, nothing is answered until it is closed
	asked atomic.Int64
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.asked.Add(1)
	if a.hangs != nil {
		select {
		case <-a.hangs:
		case <-r.Context().Done():
		}
		return
	}
	groups := `{"name":"apiregistration.k8s.io","versions":[{"groupVersion":"apiregistration.k8s.io/v1","version":"v1"}]}`
	if a.keda {
		groups += `,{"name":"keda.sh","versions":[{"groupVersion":"keda.sh/v1alpha1","version":"v1alpha1"}]}`
	}
	answers := map[string]string{
		"/version": `{"major":"1","minor":"31+"}`,
		"/api":     `{"kind":"APIVersions","versions":["v1"]}`,
		"/apis":    `{"kind":"APIGroupList","apiVersion":"v1","groups":[` + groups + `]}`,
		"/apis/apiregistration.k8s.io/v1": `{"kind":"APIResourceList","groupVersion":"apiregistration.k8s.io/v1",
			"resources":[{"name":"apiservices","kind":"APIService","namespaced":false}]}`,
		"/apis/apiregistration.k8s.io/v1/apiservices": `{"kind":"APIServiceList","apiVersion":"apiregistration.k8s.io/v1",
			"items":[]}`,
	}
	if a.keda {
		answers["/apis/keda.sh/v1alpha1"] = `{"kind":"APIResourceList","groupVersion":"keda.sh/v1alpha1",
			"resources":[{"name":"scaledobjects","kind":"ScaledObject","namespaced":true}]}`
		answers["/apis/keda.sh/v1alpha1/scaledobjects"] = `{"kind":"ScaledObjectList","apiVersion":"keda.sh/v1alpha1",
			"items":[]}`
	}
	w.Header().Set("Content-Type", "application/json")
	answer, ok := answers[r.URL.Path]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		answer = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`
	}
	_, _ = w.Write([]byte(answer))
}

// kubeconfigOf writes a kubeconfig for a server.
func kubeconfigOf(t *testing.T, url string) string {
	t.Helper()
	return file(t, "config", strings.ReplaceAll(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "URL"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {}}]
current-context: c
`, "URL", url))
}

const (
	cronHPA      = "convert ../../../scheduler/convert/testdata/cronhpa.yaml"
	scaledObject = "convert ../../../scheduler/convert/testdata/keda.yaml"
)

// A cluster decides what neither the flags nor the input decide, and nothing else.
func TestConvertAsksTheCluster(t *testing.T) {
	for name, tc := range map[string]struct {
		reason      string
		keda        bool
		line        string
		asks        bool
		says, lacks []string
	}{
		"KEDA": {
			"it is the door of that cluster", true, cronHPA, true,
			[]string{"kind: ScaledObject", "note: in the cluster of the kubeconfig KEDA is installed, so the door is keda"},
			[]string{"kind: HorizontalPodAutoscaler"},
		},
		"nothing": {
			"the version counts too", false, cronHPA, true,
			[]string{"type: External", "nobody serves external.metrics.k8s.io", "1.31 refuses tolerance"},
			[]string{`tolerance: "0"`},
		},
		"a version": {
			"the flag wins", false, cronHPA + " --kubernetes 1.35", true, []string{`tolerance: "0"`}, []string{"1.31"},
		},
		"a door": {"the flag wins", true, cronHPA + " --door object", false, []string{"describedObject"}, nil},
		"a ScaledObject": {
			"it stays one", false, scaledObject, false, []string{"kind: ScaledObject"}, []string{"kubeconfig"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := &apiServer{keda: tc.keda}
			web := httptest.NewServer(server)
			defer web.Close()
			stdout, stderr, code := headstart(t, tc.line+" --kubeconfig", kubeconfigOf(t, web.URL))
			if code != 0 {
				t.Errorf("exit code %d", code)
			}
			for _, part := range tc.says {
				if !strings.Contains(stdout+stderr, part) {
					t.Errorf("%s: %q is missing in\n%s%s", tc.reason, part, stdout, stderr)
				}
			}
			for _, part := range tc.lacks {
				if strings.Contains(stdout+stderr, part) {
					t.Errorf("%s: %q is in\n%s%s", tc.reason, part, stdout, stderr)
				}
			}
			if asked := server.asked.Load() > 0; asked != tc.asks {
				t.Errorf("%s: the cluster is asked: %v", tc.reason, asked)
			}
		})
	}
}

// Without a cluster, or with one that does not answer, convert does as it did, and soon.
func TestConvertNeedsNoCluster(t *testing.T) {
	server := &apiServer{hangs: make(chan struct{})}
	web := httptest.NewServer(server)
	defer web.Close()
	defer close(server.hangs)
	gone := httptest.NewServer(server)
	gone.Close()
	for name, tc := range map[string]struct{ reason, kubeconfig, note string }{
		"no kubeconfig": {"there is nobody to ask", file(t, "config", ""), ""},
		"no answer":     {"the server hangs", kubeconfigOf(t, web.URL), "no answer within 3s"},
		"no server":     {"nobody listens", kubeconfigOf(t, gone.URL), "does not say which door is free"},
		"a broken one":  {"it cannot be read", file(t, "config", "{"), "does not say which door is free"},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			stdout, stderr, code := headstart(t, cronHPA+" --kubeconfig", tc.kubeconfig)
			if code != 0 || !strings.Contains(stdout, "type: External") {
				t.Errorf("%s: exit code %d, and no External metric in\n%s%s", tc.reason, code, stdout, stderr)
			}
			if !strings.Contains(stderr, tc.note) || tc.note == "" && strings.Contains(stderr, "kubeconfig") {
				t.Errorf("%s: want the note %q in\n%s", tc.reason, tc.note, stderr)
			}
			if took := time.Since(began); took > time.Minute {
				t.Errorf("%s: it took %s", tc.reason, took)
			}
		})
	}
}
