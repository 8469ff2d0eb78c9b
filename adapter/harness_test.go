package adapter

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	certutil "k8s.io/client-go/util/cert"
	clocktesting "k8s.io/utils/clock/testing"
)

// noon is the time of the fake clock.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// testTimeout replaces the timeouts of requests and reviews: longer than a busy machine pauses.
const testTimeout = time.Minute

// answer is a value, or the reason for having none.
type answer struct {
	value Value
	err   error
}

// fakeMetrics is Metrics in a map.
type fakeMetrics struct {
	mu      sync.RWMutex
	answers map[string]answer
}

func (m *fakeMetrics) set(namespace, name string, a answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.answers == nil {
		m.answers = map[string]answer{}
	}
	m.answers[namespace+"/"+name] = a
}

func (m *fakeMetrics) Value(namespace, name string, _ time.Time) (Value, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	a, ok := m.answers[namespace+"/"+name]
	if !ok {
		return Value{}, &Unavailable{Reason: ReasonNotFound, Message: "there is no such Forecast"}
	}
	return a.value, a.err
}

func (m *fakeMetrics) Names(namespace string, selector labels.Selector) []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var names []string
	for _, key := range slices.Sorted(maps.Keys(m.answers)) {
		name, found := strings.CutPrefix(key, namespace+"/")
		if found && selector.Matches(labels.Set(m.answers[key].value.Labels)) {
			names = append(names, name)
		}
	}
	return names
}

// fixture is a server under test, with a fake API server and a client.
type fixture struct {
	t        *testing.T
	metrics  *fakeMetrics
	cluster  *cluster
	registry *prometheus.Registry
	server   *Server
	url      string
	client   *http.Client
	stop     context.CancelFunc
	ended    chan error
}

// start runs a server on a loopback port until the test ends.
func start(t *testing.T, change ...func(*Options)) *fixture {
	t.Helper()
	certPEM, keyPEM, err := certutil.GenerateSelfSignedCertKey("localhost", []net.IP{net.IPv4(127, 0, 0, 1)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := dynamiccertificates.NewStaticCertKeyContent("test", certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &fixture{
		t: t, metrics: &fakeMetrics{}, cluster: newCluster(t), registry: prometheus.NewRegistry(),
		ended: make(chan error, 1),
	}
	opts := Options{
		ExternalMetrics: true,
		CustomMetrics:   true,
		Listener:        listener,
		Cert:            cert,
		Client:          w.cluster.clientset(t, testTimeout),
		ReviewClient:    w.cluster.clientset(t, testTimeout),
		Registerer:      w.registry,
		Gatherer:        w.registry,
		Logger:          slog.New(slog.DiscardHandler),
		Clock:           clocktesting.NewFakePassiveClock(noon),
		reviewTimeout:   testTimeout,
		requestTimeout:  testTimeout,
	}
	for _, f := range change {
		f(&opts)
	}
	if w.server, err = New(opts, w.metrics); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	if content, _ := opts.Cert.CurrentCertKeyContent(); len(content) > 0 {
		pool.AppendCertsFromPEM(content)
	}
	w.client = &http.Client{Timeout: 2 * testTimeout, Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool, ServerName: "localhost"},
		ForceAttemptHTTP2: true,
	}}
	w.url = "https://" + w.server.Addr().String()
	w.run()
	return w
}

func (w *fixture) run() {
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	go func() { w.ended <- w.server.Run(ctx) }()
	w.t.Cleanup(func() {
		w.client.CloseIdleConnections()
		cancel()
		if err := <-w.ended; err != nil {
			w.t.Errorf("server ended with an error: %v", err)
		}
	})
	w.await("/livez")
}

// await requests path until the answer is 200.
func (w *fixture) await(path string) {
	w.t.Helper()
	for deadline := time.Now().Add(testTimeout); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if r, err := w.client.Get(w.url + path); err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return
			}
		}
	}
	w.t.Fatalf("%s is not answered with 200 within a minute", path)
}

// get requests path with goodToken.
func (w *fixture) get(path, accept string) (*http.Response, []byte) {
	w.t.Helper()
	return w.getAs(goodToken, path, accept)
}

func (w *fixture) getAs(token, path, accept string) (*http.Response, []byte) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.url+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp, body
}
