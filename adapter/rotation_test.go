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
	const service, namespace, name = "headstart", "headstart-system", "v1beta1.external.metrics.k8s.io"
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c := clientfake.NewClientBuilder().WithScheme(scheme).
		WithObjects(apiService(name, "external.metrics.k8s.io", namespace, service)).Build()
	clock := clocktesting.NewFakePassiveClock(time.Now())
	manager := func() *certs.Manager {
		m, err := certs.New(c, certs.Options{
			Namespace: namespace, Service: service, Secret: "tls", ExtraNames: []string{"localhost", "127.0.0.1"},
			APIServices: []string{name}, CAValidity: 4 * 24 * time.Hour, Validity: 2 * 24 * time.Hour,
			Overlap: 2 * time.Hour, Interval: time.Minute, Clock: clock, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		return m
	}
	trusted := func() *x509.CertPool {
		var u unstructured.Unstructured
		u.SetAPIVersion("apiregistration.k8s.io/v1")
		u.SetKind("APIService")
		if err := c.Get(t.Context(), client.ObjectKey{Name: name}, &u); err != nil {
			t.Error(err)
		}
		encoded, _, _ := unstructured.NestedString(u.Object, "spec", "caBundle")
		bundle, _ := base64.StdEncoding.DecodeString(encoded)
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(bundle)
		return pool
	}
	managers := []*certs.Manager{manager(), manager()}
	fixtures := make([]*fixture, len(managers))
	for i, m := range managers {
		fixtures[i] = start(t, func(o *Options) { o.Cert = m })
		fill(fixtures[i].metrics)
	}

	var (
		requests sync.WaitGroup
		done     = make(chan struct{})
		served   = make([]atomic.Int64, len(fixtures))
		seen     sync.Map
	)
	for i, w := range fixtures {
		requests.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				serial, err := fetchOnce(w.url+externalRoot+"shop/checkout", &tls.Config{
					RootCAs: trusted(), Time: clock.Now, ServerName: service + "." + namespace + ".svc",
				})
				if err != nil {
					t.Errorf("after %d requests: %v", served[i].Load(), err)
					return
				}
				seen.Store(serial, true)
				served[i].Add(1)
			}
		})
	}
	for range 6 * 24 { // six days in steps of an hour: two CAs
		clock.SetTime(clock.Now().Add(time.Hour))
		for _, m := range managers {
			if err := m.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		// The request that is under way ends and a whole one follows it, of each replica: none
		// lasts for more than a step.
		for i := range served {
			for before := served[i].Load(); served[i].Load() < before+2 && !t.Failed(); {
				time.Sleep(time.Millisecond)
			}
		}
	}
	close(done)
	requests.Wait()
	certificates := 0
	seen.Range(func(any, any) bool { certificates++; return true })
	if certificates < 4 {
		t.Errorf("%d and %d requests saw %d certificates, want at least 4: nothing was rotated",
			served[0].Load(), served[1].Load(), certificates)
	}
	t.Logf("%d and %d requests over %d certificates, none failed", served[0].Load(), served[1].Load(), certificates)
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
