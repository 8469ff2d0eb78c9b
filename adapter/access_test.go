package adapter

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apiserver/pkg/server/healthz"
)

func TestAccess(t *testing.T) {
	w := start(t)
	w.await("/readyz") // it is live a moment earlier
	fill(w.metrics)
	path := externalRoot + "shop/checkout"
	cases := map[string]struct {
		reason string
		token  string
		path   string
		code   int
	}{
		"allowed":           {"a token with permission", goodToken, path, http.StatusOK},
		"not allowed":       {"a token without permission", forbiddenToken, path, http.StatusForbidden},
		"unknown token":     {"a token that does not exist", "made-up", path, http.StatusUnauthorized},
		"no token":          {"anonymous users have no permission", "", path, http.StatusForbidden},
		"live for all":      {"the kubelet has no token", "", "/livez", http.StatusOK},
		"ready for all":     {"the kubelet has no token", "", "/readyz", http.StatusOK},
		"metrics":           {"with permission", goodToken, "/metrics", http.StatusOK},
		"metrics anonymous": {"metrics are not public", "", "/metrics", http.StatusForbidden},
		"shares": {
			"nobody serves them here", goodToken, "/overflow/v1/namespaces/shop/forecasts/web",
			http.StatusNotFound,
		},
		"shares anonymous": {
			"planned shares are not public", "", "/overflow/v1/namespaces/shop/forecasts/web",
			http.StatusForbidden,
		},
		"no profiling": {"it is not served at all", goodToken, "/debug/pprof/", http.StatusNotFound},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if resp, body := w.getAs(tc.token, tc.path, jsonType); resp.StatusCode != tc.code {
				t.Errorf("%s: got %d, want %d: %s", tc.reason, resp.StatusCode, tc.code, body)
			}
		})
	}
}

func TestAccessReviewNamesTheMetric(t *testing.T) {
	w := start(t)
	fill(w.metrics)
	cases := map[string]struct {
		path string
		want authorizationv1.ResourceAttributes
	}{
		"external": {externalRoot + "shop/checkout", authorizationv1.ResourceAttributes{
			Namespace: "shop", Verb: "list",
			Group: "external.metrics.k8s.io", Version: "v1beta1", Resource: "checkout",
		}},
		"custom": {customRoot + "shop/forecasts.headstart.dev/checkout/demand", authorizationv1.ResourceAttributes{
			Namespace: "shop", Verb: "get", Group: "custom.metrics.k8s.io", Version: "v1beta2",
			Resource: "forecasts.headstart.dev", Subresource: "demand", Name: "checkout",
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w.get(tc.path, jsonType)
			got := w.cluster.access().ResourceAttributes
			if got == nil {
				t.Fatal("no access review about a resource was made")
			}
			got.FieldSelector, got.LabelSelector = nil, nil
			if diff := cmp.Diff(tc.want, *got); diff != "" {
				t.Errorf("access review (-want +got):\n%s", diff)
			}
		})
	}
}

// A permission is cached for a minute. So a busy autoscaler costs the API server little, and
// metrics are still served while the API server does not answer reviews.
func TestReviewsAreCachedAndOffThePath(t *testing.T) {
	w := start(t)
	fill(w.metrics)
	path := externalRoot + "shop/checkout"
	w.get(path, jsonType)
	tokens, accesses := w.cluster.tokenReviews.Load(), w.cluster.accessReviews.Load()
	w.cluster.hang.Store(true)
	for range 100 {
		// A request without permission is never served.
		if resp, body := w.get(path, jsonType); resp.StatusCode != http.StatusOK {
			t.Fatalf("got %d: %s", resp.StatusCode, body)
		}
	}
	if w.cluster.tokenReviews.Load() != tokens || w.cluster.accessReviews.Load() != accesses {
		t.Error("access was reviewed again within a minute")
	}
}

// A request ends although its access review is never answered.
func TestHangingReviewEnds(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	w := start(t, func(o *Options) {
		o.Client, o.ReviewClient = c.clientset(t, testTimeout), c.clientset(t, reviewTimeout)
		o.reviewTimeout, o.requestTimeout = 0, 0
	})
	fill(w.metrics)
	c.hang.Store(true)
	began := time.Now()
	resp, body := w.get(externalRoot+"shop/checkout", jsonType)
	if resp.StatusCode == http.StatusOK {
		t.Errorf("served without permission: %s", body)
	}
	if resp.Header.Get("Retry-After") != "" {
		t.Errorf("asks for a retry after %s s", resp.Header.Get("Retry-After"))
	}
	if took := time.Since(began); took > 4*requestTimeout { // the machine may pause in between
		t.Errorf("the answer took %s, want at most %s", took, requestTimeout)
	}
}

func TestAggregatorIsTrusted(t *testing.T) {
	ca, caPEM, caKey := newCA(t)
	c := newCluster(t)
	c.trustAggregator(caPEM)
	w := start(t, func(o *Options) {
		o.Client, o.ReviewClient = c.clientset(t, testTimeout), c.clientset(t, testTimeout)
	})
	fill(w.metrics)
	ask := func(commonName, user string) int {
		transport := w.client.Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.Certificates = []tls.Certificate{clientCert(t, ca, caKey, commonName)}
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+externalRoot+"shop/checkout", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Remote-User", user)
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	w.await("/readyz") // from now on no request of the aggregator may fail
	if got := ask("front-proxy", goodToken); got != http.StatusOK {
		t.Errorf("the aggregator, for a user with permission: got %d", got)
	}
	if got := ask("front-proxy", forbiddenToken); got != http.StatusForbidden {
		t.Errorf("the aggregator, for a user without permission: got %d", got)
	}
	if got := ask("someone-else", goodToken); got != http.StatusForbidden && got != http.StatusUnauthorized {
		t.Errorf("another certificate of that CA must not speak for users: got %d", got)
	}
}

func TestReadyMeansSynced(t *testing.T) {
	var mu sync.Mutex
	problem := errors.New("caches are not synced")
	check := healthz.NamedCheck("caches", func(*http.Request) error {
		mu.Lock()
		defer mu.Unlock()
		return problem
	})
	w := start(t, func(o *Options) { o.ReadyChecks = []healthz.HealthChecker{check} })
	if resp, _ := w.getAs("", "/readyz", ""); resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("ready with empty caches: %d", resp.StatusCode)
	}
	if resp, _ := w.getAs("", "/livez", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("not live while caches fill: %d", resp.StatusCode)
	}
	mu.Lock()
	problem = nil
	mu.Unlock()
	w.await("/readyz")
}

func TestMetricsAreGatheredOnce(t *testing.T) {
	w := start(t)
	fill(w.metrics)
	w.get(externalRoot+"shop/checkout", jsonType)
	w.get(externalRoot+"shop/over", jsonType)
	w.get(customRoot+"shop/forecasts.headstart.dev/new/demand", jsonType)
	_, body := w.get("/metrics", "")
	for _, want := range []string{
		`headstart_adapter_values_total{api="external",result="Served"} 1`,
		`headstart_adapter_values_total{api="external",result="PlanExpired"} 1`,
		`headstart_adapter_values_total{api="custom",result="NoPlan"} 1`,
		`headstart_adapter_value_age_seconds_sum{api="external"} 240`,
		`headstart_adapter_lookup_duration_seconds_count{api="external"} 1`,
		"\nprocess_cpu_seconds_total ",
		"\napiserver_request_total{",
	} {
		if n := bytes.Count(body, []byte(want)); want[0] != '\n' && n != 1 || n == 0 {
			t.Errorf("/metrics has %q %d times", want, n)
		}
	}
}

func newCA(t *testing.T) (*x509.Certificate, []byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "aggregator-ca"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key
}

func clientCert(t *testing.T, ca *x509.Certificate, caKey *ecdsa.PrivateKey, commonName string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: commonName},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Values change during many requests. Every answer is one of the values, never a mixture.
func TestConcurrentChanges(t *testing.T) {
	w := start(t)
	fill(w.metrics)
	done := make(chan struct{})
	var writer, readers sync.WaitGroup
	writer.Go(func() {
		for i := int64(0); ; i++ {
			select {
			case <-done:
				return
			default:
				w.metrics.set("shop", "checkout", answer{value: Value{Milli: 1000 * (i%7 + 1), ComputedAt: planned}})
				extra := fmt.Sprintf("extra-%d", i%50)
				w.metrics.set("shop", extra, answer{value: Value{Milli: i, ComputedAt: planned}})
			}
		}
	})
	allowed := []string{"900m", "1", "2", "3", "4", "5", "6", "7"}
	for range 8 {
		readers.Go(func() {
			for range 50 {
				resp, body := w.get(externalRoot+"shop/checkout", protobuf)
				if resp.StatusCode != http.StatusOK {
					t.Errorf("status %d", resp.StatusCode)
					return
				}
				if got := decode(t, resp, body); len(got) != 1 || !slices.Contains(allowed, got[0].Value) {
					t.Errorf("got %v", got)
				}
			}
		})
	}
	readers.Wait()
	close(done)
	writer.Wait()
}
