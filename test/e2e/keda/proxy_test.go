package keda

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"
)

// nameProxy is an HTTP proxy that leads the names of Services to addresses of this machine. KEDA
// finds it in its environment, and needs no DNS.
type nameProxy struct {
	server    *httptest.Server
	addresses chan map[string]string
}

func newNameProxy(t *testing.T) *nameProxy {
	t.Helper()
	p := &nameProxy{addresses: make(chan map[string]string, 1)}
	p.addresses <- map[string]string{}
	p.server = httptest.NewServer(p)
	t.Cleanup(p.server.Close)
	return p
}

func (p *nameProxy) set(name, address string) {
	all := <-p.addresses
	all[name] = address
	p.addresses <- all
}

func (p *nameProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	all := <-p.addresses
	address, ok := all[r.Host]
	p.addresses <- all
	switch {
	case !ok:
		http.Error(w, "unknown name "+r.Host, http.StatusBadGateway)
	case r.Method == http.MethodConnect:
		tunnel(w, address)
	default:
		httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address}).ServeHTTP(w, r)
	}
}

// tunnel answers CONNECT.
func tunnel(w http.ResponseWriter, address string) {
	server, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(context.Background(), "tcp", address)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	if _, err := io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(server, buffered)
		_ = server.Close()
	}()
	_, _ = io.Copy(client, server)
}
