package prometheus_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
	"pgregory.net/rapid"

	"headstart.dev/headstart/cmd/headstart/cli/internal/prometheus"
)

// service returns a Service with labels, the name of its pods, and ports.
func service(place string, label map[string]string, pods string, ports ...corev1.ServicePort) corev1.Service {
	namespace, name, _ := strings.Cut(place, "/")
	s := corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: label},
		Spec:       corev1.ServiceSpec{ClusterIP: "10.0.0.1", Ports: ports},
	}
	if pods != "" {
		s.Spec.Selector = map[string]string{"pods": pods}
	}
	return s
}

func headless(s corev1.Service) corev1.Service {
	s.Spec.ClusterIP = corev1.ClusterIPNone
	return s
}

func port(name string, number int32) corev1.ServicePort {
	return corev1.ServicePort{Name: name, Port: number}
}

// named are the labels that most installations have.
func named(name, component string) map[string]string {
	out := map[string]string{"app.kubernetes.io/name": name}
	if component != "" {
		out["app.kubernetes.io/component"] = component
	}
	return out
}

// cluster is an API server that has Services. It lists them by selectors, as a real one does.
type cluster struct {
	services []corev1.Service
	// allowed are the namespaces in which Services may be listed; "" is all of them.
	allowed  string
	requests []string
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.requests = append(c.requests, r.URL.Path)
	namespace, ok := strings.CutPrefix(strings.TrimSuffix(r.URL.Path, "/services"), "/api/v1/namespaces/")
	if !ok {
		namespace = ""
	}
	w.Header().Set("Content-Type", "application/json")
	if c.allowed != "" && c.allowed != namespace {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","message":"no","code":403}`)
		return
	}
	byLabel, err := labels.Parse(r.FormValue("labelSelector"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	byField, err := fields.ParseSelector(r.FormValue("fieldSelector"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out := corev1.ServiceList{TypeMeta: metav1.TypeMeta{Kind: "ServiceList", APIVersion: "v1"}}
	for _, s := range c.services {
		known := fields.Set{"metadata.name": s.Name, "metadata.namespace": s.Namespace}
		if (namespace == "" || s.Namespace == namespace) && byLabel.Matches(labels.Set(s.Labels)) && byField.Matches(known) {
			out.Items = append(out.Items, s)
		}
	}
	_ = json.NewEncoder(w).Encode(out)
}

// find looks for a Prometheus in the cluster, for a user of the namespace shop.
func (c *cluster) find(t *testing.T, f prometheus.Flags) (prometheus.Flags, string) {
	t.Helper()
	api := httptest.NewServer(c)
	defer api.Close()
	f.Cluster = func() (*rest.Config, error) { return &rest.Config{Host: api.URL}, nil }
	return f, f.Find(t.Context(), "shop")
}

// The Prometheus of the usual installations is found, each one once.
func TestFind(t *testing.T) {
	stack := service("monitoring/stack-prometheus", map[string]string{"app": "kube-prometheus-stack-prometheus"}, "stack",
		port("http-web", 9090), port("reloader-web", 8080))
	operated := headless(service("monitoring/prometheus-operated", map[string]string{"operated-prometheus": "true"},
		"operated", port("http-web", 9090)))
	community := service("metrics/prometheus-server", named("prometheus", "server"), "server", port("http", 80))
	https := "https"
	for name, tc := range map[string]struct {
		reason   string
		services []corev1.Service
		allowed  string
		at       string
		says     []string
	}{
		"stack": {
			"the chart kube-prometheus-stack, and the headless Service of the operator",
			[]corev1.Service{operated, stack},
			"",
			"monitoring/stack-prometheus:9090",
			[]string{"--prometheus monitoring/stack-prometheus:9090", "only one"},
		},
		"operator": {
			"the operator alone", []corev1.Service{operated}, "", "monitoring/prometheus-operated:9090", []string{"only one"},
		},
		"community": {
			"the chart prometheus, with its other parts",
			[]corev1.Service{
				community, headless(service("metrics/prometheus-server-headless", named("prometheus", "server"), "server",
					port("http", 9090))),
				service("metrics/prometheus-pushgateway", named("prometheus-pushgateway", ""), "gateway", port("http", 9091)),
				service("metrics/sidecar", named("prometheus", "thanos-sidecar"), "server", port("http", 10902)),
			},
			"", "metrics/prometheus-server:80",
			[]string{"only one"},
		},
		"kube-prometheus": {
			"the name of its port is web, and it has a reloader",
			[]corev1.Service{service("monitoring/prometheus-k8s", named("prometheus", "prometheus"), "k8s",
				port("reloader-web", 8080), port("web", 9090))},
			"", "monitoring/prometheus-k8s:9090", nil,
		},
		"by hand": {
			"a Service of this name, whose pods somebody else says",
			[]corev1.Service{service("tools/prometheus", nil, "", port("", 9090))},
			"", "tools/prometheus:9090", nil,
		},
		"TLS": {
			"its port says that it wants TLS",
			[]corev1.Service{service("secure/prometheus", nil, "x", corev1.ServicePort{Port: 443, AppProtocol: &https})},
			"",
			"secure/https:prometheus:443", nil,
		},
		"two labels": {
			"a Service that two selections have", []corev1.Service{
				service("m/prometheus", map[string]string{"app": "prometheus", "app.kubernetes.io/name": "prometheus"}, "x",
					port("web", 9090)),
			}, "", "m/prometheus:9090", nil,
		},
		"several": {
			"the user must choose",
			[]corev1.Service{stack, community},
			"", "",
			[]string{
				"several", "choose --prometheus metrics/prometheus-server:80, or --prometheus monitoring/stack-prometheus:9090",
			},
		},
		"none": {
			"no Service of these names",
			[]corev1.Service{service("shop/web", nil, "web", port("http", 80))},
			"", "",
			[]string{"no Prometheus was found in the cluster", "give --prometheus with NAMESPACE/SERVICE:PORT"},
		},
		"no port": {
			"it may be any of these ports",
			[]corev1.Service{service("m/prometheus", nil, "x", port("a", 1), port("b", 2))},
			"",
			"",
			[]string{"no Prometheus was found"},
		},
		"elsewhere": {
			"the API server does not reach an ExternalName",
			[]corev1.Service{{
				ObjectMeta: metav1.ObjectMeta{Namespace: "m", Name: "prometheus"},
				Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, Ports: []corev1.ServicePort{port("", 9090)}},
			}},
			"", "",
			[]string{"no Prometheus was found"},
		},
		"one namespace": {
			"the user may list Services in his own namespace alone",
			[]corev1.Service{community, service("shop/prometheus", nil, "x", port("web", 9090))},
			"shop",
			"shop/prometheus:9090",
			[]string{"in namespace shop, the only one in which you may list services"},
		},
		"forbidden": {
			"he may not list Services at all",
			[]corev1.Service{community},
			"nowhere", "",
			[]string{"you may not list services in all namespaces nor in namespace shop", "give --prometheus with"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := cluster{services: tc.services, allowed: tc.allowed}
			f, note := c.find(t, prometheus.Flags{})
			if f.At != tc.at || f.Given() != (tc.at != "") || f.Found != (tc.at != "") {
				t.Errorf("%s: found %q, want %q", tc.reason, f.At, tc.at)
			}
			for _, part := range tc.says {
				if !strings.Contains(note, part) {
					t.Errorf("%s: %q does not say %q", tc.reason, note, part)
				}
			}
			for _, path := range c.requests {
				if !strings.HasSuffix(path, "/services") {
					t.Errorf("%s: it asks for %s, and not only for the list of Services", tc.reason, path)
				}
			}
		})
	}
}

// Nothing is looked for where it is said what to read, or that nothing is to be read.
func TestFindDoesNotLook(t *testing.T) {
	for _, at := range []string{"http://localhost:9090", "monitoring/prometheus:9090", "none"} {
		c := cluster{services: []corev1.Service{service("m/prometheus", nil, "x", port("web", 9090))}}
		if f, note := c.find(t, prometheus.Flags{At: at}); f.At != at || note != "" || len(c.requests) > 0 {
			t.Errorf("--prometheus %s: it says %q after %q", at, note, c.requests)
		}
	}
	var f prometheus.Flags
	if note := f.Find(t.Context(), ""); note != "" || f.Given() {
		t.Errorf("without a cluster: %q", note)
	}
}

// A search ends where the API server does not answer.
func TestFindEnds(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer api.Close()
	f := prometheus.Flags{Cluster: func() (*rest.Config, error) { return &rest.Config{Host: api.URL}, nil }}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if note := f.Find(ctx, "shop"); f.Given() || !strings.Contains(note, "no Prometheus could be looked for") {
		t.Errorf("it says %q", note)
	}
}

// Whatever Services there are: what is found is one of them and can be read, and many are not all
// named.
func TestFindAnything(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		name := rapid.StringMatching(`[a-z][a-z0-9-]{0,10}[a-z0-9]`)
		all := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) corev1.Service {
			s := service(name.Draw(r, "namespace")+"/"+rapid.OneOf(name, rapid.Just("prometheus")).Draw(r, "name"), nil, "")
			s.Labels = rapid.SampledFrom([]map[string]string{
				nil, named("prometheus", ""), named("prometheus", "server"), named("prometheus", "exporter"),
				{"app": "prometheus"},
				{"operated-prometheus": "true"},
			}).Draw(r, "labels")
			s.Spec.Selector = rapid.SampledFrom([]map[string]string{nil, {"a": "b"}, {"a": "c"}}).Draw(r, "selector")
			s.Spec.ClusterIP = rapid.SampledFrom([]string{"", "None", "10.0.0.1"}).Draw(r, "address")
			for range rapid.IntRange(0, 3).Draw(r, "ports") {
				s.Spec.Ports = append(s.Spec.Ports, port(rapid.SampledFrom([]string{"", "web", "https", "x"}).Draw(r, "port"),
					rapid.Int32Range(1, 65535).Draw(r, "number")))
			}
			return s
		}), 0, 30).Draw(r, "services")
		f, note := (&cluster{services: all}).find(t, prometheus.Flags{})
		if len(note) > 1000 {
			r.Errorf("a note of %d bytes", len(note))
		}
		if !f.Given() {
			return
		}
		if _, err := f.Source(); err != nil {
			r.Errorf("found %q, which cannot be read: %v", f.At, err)
		}
		namespace, rest, _ := strings.Cut(f.At, "/")
		found, _, _ := strings.Cut(strings.TrimPrefix(rest, "https:"), ":")
		for _, s := range all {
			if s.Namespace == namespace && s.Name == found {
				return
			}
		}
		r.Errorf("found %q, which is not there", f.At)
	})
}
