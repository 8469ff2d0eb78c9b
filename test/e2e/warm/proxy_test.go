package warm

import (
	"bytes"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"headstart.dev/headstart/test/controlplane"
)

// proxy is between the warmer and the API server. It records the requests, and can reject writes.
type proxy struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
	refuses  bool
}

// request is one request, in the terms of RBAC. namespace is empty for cluster-scoped resources and
// for requests of all namespaces.
type request struct {
	at                               time.Time
	verb, group, resource, namespace string
	status                           int
	body                             string // of a response that denies the request
}

func (r request) writes() bool {
	return r.verb != "get" && r.verb != "list" && r.verb != "watch"
}

// counted reports whether the warmer itself made the request. Watches and Events are made by the
// libraries.
func (r request) counted() bool {
	return r.verb != "watch" && r.resource != "events" && r.resource != ""
}

func newProxy(t *testing.T, cp *controlplane.ControlPlane) *proxy {
	t.Helper()
	target, err := url.Parse(cp.Config.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(rest.AnonymousClientConfig(cp.Config))
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{}
	forward := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: transport, FlushInterval: -1,
		ModifyResponse: p.remember,
	}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := parseRequest(r)
		p.mu.Lock()
		refuse := p.refuses && a.writes()
		if refuse {
			a.status = http.StatusServiceUnavailable
			p.requests = append(p.requests, a)
		}
		p.mu.Unlock()
		if refuse {
			http.Error(w, "etcd is away", http.StatusServiceUnavailable)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	p.EnableHTTP2 = true
	p.StartTLS()                               // client-go sends no token without TLS
	t.Cleanup(func() { _ = p.Config.Close() }) // not the server's own Close, which waits for the watches to end
	return p
}

func (p *proxy) remember(r *http.Response) error {
	a := parseRequest(r.Request)
	a.status = r.StatusCode
	if r.StatusCode == http.StatusForbidden {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		a.body = string(body)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, a)
	return nil
}

// refuse sets whether the API server rejects writes.
func (p *proxy) refuse(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = yes
}

// since returns the requests since a time.
func (p *proxy) since(t time.Time) []request {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []request
	for _, a := range p.requests {
		if a.at.After(t) {
			out = append(out, a)
		}
	}
	return out
}

// parseRequest parses a request of the Kubernetes API.
func parseRequest(r *http.Request) request {
	a := request{at: time.Now()}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		a.group, parts = parts[1], parts[3:]
	default:
		return a // discovery
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		a.namespace, parts = parts[1], parts[2:]
	}
	a.resource = parts[0]
	if len(parts) > 2 {
		a.resource += "/" + parts[2]
	}
	named := len(parts) > 1
	switch r.Method {
	case http.MethodGet:
		a.verb = "list"
		if named {
			a.verb = "get"
		} else if r.URL.Query().Get("watch") != "" {
			a.verb = "watch"
		}
	case http.MethodPost:
		a.verb = "create"
	case http.MethodPut:
		a.verb = "update"
	case http.MethodPatch:
		a.verb = "patch"
	case http.MethodDelete:
		a.verb = "delete"
	}
	return a
}

// through rewrites a kubeconfig to use the proxy, with the same account.
func (p *proxy) through(kubeconfig string) (string, error) {
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return "", err
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw})
	for _, c := range config.Clusters {
		c.Server, c.CertificateAuthorityData = p.URL, ca
	}
	path := filepath.Join(filepath.Dir(kubeconfig), "proxied.kubeconfig")
	return path, clientcmd.WriteToFile(*config, path)
}
