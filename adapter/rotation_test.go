package adapter

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	clientfake "sigs.k8s.io/controller-runtime/pkg/client/fake"

	"headstart.dev/headstart/adapter/certs"
)

// Two replicas serve over TLS while their certificates are renewed and their CA is replaced,
// several times. A client opens a new connection for each request, and trusts the bundle that is
// then in the APIService. No request may fail.
func TestRotationUnderLoad(t *testing.T) {
	r := newRotation(t)
	fixtures := make([]*fixture, len(r.managers))
	for i, m := range r.managers {
		fixtures[i] = start(t, func(o *Options) { o.Cert = m })
		fill(fixtures[i].metrics)
	}
	var (
		requests sync.WaitGroup
		done     = make(chan struct{})
		served   = make([]atomic.Int64, len(fixtures))
		serials  sync.Map
	)
	for i, w := range fixtures {
		requests.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				serial, err := fetchOnce(w.url+externalRoot+"shop/checkout", r.clientConfig())
				if err != nil {
					t.Errorf("after %d requests: %v", served[i].Load(), err)
					return
				}
				serials.Store(serial, true)
				served[i].Add(1)
			}
		})
	}
	for range 6 * 24 { // six days in steps of an hour: two CAs
		r.advance(time.Hour)
		// Each replica finishes the current request and then a whole one, so none lasts for more
		// than a step.
		for i := range served {
			for before := served[i].Load(); served[i].Load() < before+2 && !t.Failed(); {
				time.Sleep(time.Millisecond)
			}
		}
	}
	close(done)
	requests.Wait()
	certificates := 0
	serials.Range(func(any, any) bool { certificates++; return true })
	if certificates < 4 {
		t.Errorf("%d and %d requests saw %d certificates, want at least 4: nothing was rotated",
			served[0].Load(), served[1].Load(), certificates)
	}
	t.Logf("%d and %d requests over %d certificates, none failed", served[0].Load(), served[1].Load(), certificates)
}

// rotation is two replicas' certificates, with an APIService and a clock.
type rotation struct {
	t        *testing.T
	client   client.Client
	clock    *clocktesting.FakePassiveClock
	managers []*certs.Manager
}

const (
	rotationNamespace  = "headstart-system"
	rotationService    = "headstart"
	rotationAPIService = "v1beta1.external.metrics.k8s.io"
)

func newRotation(t *testing.T) *rotation {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	registered := apiService(rotationAPIService, "external.metrics.k8s.io", rotationNamespace, rotationService)
	r := &rotation{
		t: t, clock: clocktesting.NewFakePassiveClock(time.Now()),
		client: clientfake.NewClientBuilder().WithScheme(scheme).WithObjects(registered).Build(),
	}
	for range 2 {
		m, err := certs.New(r.client, certs.Options{
			Namespace: rotationNamespace, Service: rotationService, Secret: "tls",
			ExtraNames:  []string{"localhost", "127.0.0.1"},
			APIServices: []string{rotationAPIService}, CAValidity: 4 * 24 * time.Hour, Validity: 2 * 24 * time.Hour,
			Overlap: 2 * time.Hour, Interval: time.Minute, Clock: r.clock, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.managers = append(r.managers, m)
	}
	return r
}

// advance moves the clock, and then syncs every replica.
func (r *rotation) advance(d time.Duration) {
	r.t.Helper()
	r.clock.SetTime(r.clock.Now().Add(d))
	for _, m := range r.managers {
		if err := m.Sync(r.t.Context()); err != nil {
			r.t.Fatal(err)
		}
	}
}

// clientConfig is that of a client which trusts the bundle that is now in the APIService.
func (r *rotation) clientConfig() *tls.Config {
	var u unstructured.Unstructured
	u.SetAPIVersion("apiregistration.k8s.io/v1")
	u.SetKind("APIService")
	if err := r.client.Get(r.t.Context(), client.ObjectKey{Name: rotationAPIService}, &u); err != nil {
		r.t.Error(err)
	}
	encoded, _, _ := unstructured.NestedString(u.Object, "spec", "caBundle")
	bundle, _ := base64.StdEncoding.DecodeString(encoded)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(bundle)
	return &tls.Config{
		RootCAs: pool, Time: r.clock.Now, ServerName: rotationService + "." + rotationNamespace + ".svc",
	}
}

// fetchOnce asks over a connection of its own and returns the serial number of the certificate that
// it got.
func fetchOnce(url string, config *tls.Config) (string, error) {
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+goodToken)
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d: %s", resp.StatusCode, body)
	}
	return resp.TLS.PeerCertificates[0].SerialNumber.String(), nil
}
