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
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	certutil "k8s.io/client-go/util/cert"
	clocktesting "k8s.io/utils/clock/testing"
)

// noon is when the tests take place.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// patience is how long a request and a review of its access may take here: longer than any machine stands still.
const patience = time.Minute

// answer is a value, or the reason for having none.
type answer struct {
	value Value
	err   error
}

// memory is Metrics in a map.
type memory struct {
	mu      sync.RWMutex
	answers map[string]answer
}

func (m *memory) set(namespace, name string, a answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.answers == nil {
		m.answers = map[string]answer{}
	}
	m.answers[namespace+"/"+name] = a
}

func (m *memory) Value(namespace, name string, _ time.Time) (Value, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	a, ok := m.answers[namespace+"/"+name]
	if !ok {
		return Value{}, &Unavailable{Reason: ReasonNotFound, Message: "there is no such Forecast"}
	}
	return a.value, a.err
}

func (m *memory) Names(namespace string, selector labels.Selector) []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var names []string
	for _, key := range slices.Sorted(maps.Keys(m.answers)) {
		if name := key[len(namespace)+1:]; key[:len(namespace)] == namespace && selector.Matches(labels.Set(m.answers[key].value.Labels)) {
			names = append(names, name)
		}
	}
	return names
}

// world is a server under test with everything around it.
type world struct {
	t        *testing.T
	metrics  *memory
	cluster  *cluster
	registry *prometheus.Registry
	server   *Server
	url      string
	client   *http.Client
	stop     context.CancelFunc
	ended    chan error
}

// start runs a server on a loopback port until the test ends.
func start(t *testing.T, change ...func(*Options)) *world {
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
	w := &world{t: t, metrics: &memory{}, cluster: newCluster(t), registry: prometheus.NewRegistry(), ended: make(chan error, 1)}
	opts := Options{
		ExternalMetrics: true,
		CustomMetrics:   true,
		Listener:        listener,
		Cert:            cert,
		Client:          w.cluster.clientset(t, patience),
		Registerer:      w.registry,
		Gatherer:        w.registry,
		Logger:          slog.New(slog.DiscardHandler),
		Clock:           clocktesting.NewFakePassiveClock(noon),
		reviewTimeout:   patience,
		requestTimeout:  patience,
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
	w.client = &http.Client{Timeout: 2 * patience, Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool, ServerName: "localhost"},
		ForceAttemptHTTP2: true,
	}}
	w.url = "https://" + w.server.Addr().String()
	w.run()
	return w
}

func (w *world) run() {
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

// await asks until the answer is 200.
func (w *world) await(path string) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if r, err := w.client.Get(w.url + path); err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return
			}
		}
	}
	w.t.Fatalf("%s is not answered with 200 within a minute", path)
}

// get asks with goodToken.
func (w *world) get(path, accept string) (*http.Response, []byte) {
	w.t.Helper()
	return w.getAs(goodToken, path, accept)
}

func (w *world) getAs(token, path, accept string) (*http.Response, []byte) {
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
