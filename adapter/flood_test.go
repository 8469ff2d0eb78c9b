package adapter

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// front asks as the aggregator does, with a client certificate, for a user who may.
func front(w *fixture, cert tls.Certificate) func(path string) (int, error) {
	transport := w.client.Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.Certificates = []tls.Certificate{cert}
	w.t.Cleanup(transport.CloseIdleConnections)
	return func(path string) (int, error) {
		req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.url+path, nil)
		if err != nil {
			return 0, err
		}
		req.Header.Set("X-Remote-User", goodToken)
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
}

// flood sends 1,000 made-up tokens a second to the handlers until stop is called. There is no TLS:
// the attacker pays for handshakes, and a test machine cannot make so many.
type flood struct {
	sent, served, refused atomic.Int64
	end                   chan struct{}
	attackers             sync.WaitGroup
}

func (f *flood) start(t *testing.T, handler http.Handler) {
	const atOnce = 64
	began := time.Now()
	f.end = make(chan struct{})
	for a := range atOnce {
		f.attackers.Go(func() {
			for i := 0; ; i++ { // one a millisecond, all together
				select {
				case <-f.end:
					return
				case <-time.After(time.Until(began.Add(time.Duration(i*atOnce+a) * time.Millisecond))):
					f.attack(t, handler, fmt.Sprintf("made-up-%d-%d", a, i))
				}
			}
		})
	}
}

func (f *flood) attack(t *testing.T, handler http.Handler, token string) {
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, externalRoot+"shop/checkout", nil)
	req.RemoteAddr = "10.0.0.9:4711"
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("X-Remote-User", goodToken) // which only the aggregator may set
	answer := httptest.NewRecorder()
	f.sent.Add(1)
	defer endOfAborted(t)
	handler.ServeHTTP(answer, req)
	switch answer.Code {
	case http.StatusOK:
		f.served.Add(1)
	case http.StatusUnauthorized:
		f.refused.Add(1)
	}
}

// endOfAborted stands for the part of net/http's server that a direct call of a handler leaves out:
// the end of a request whose time limit passed while its answer was being written.
func endOfAborted(t *testing.T) {
	//nolint:errorlint // net/http panics with this very value, and nothing wraps it
	if err := recover(); err != nil && err != http.ErrAbortHandler {
		t.Errorf("the handler panicked: %v", err)
	}
}

// A pod without credentials sends 1,000 made-up tokens a second, whose reviews get no answer. The
// aggregator, which needs an access review for each of its requests, does not notice.
func TestTokenFloodDelaysNoFrontProxyRequest(t *testing.T) {
	ca, caPEM, caKey := newCA(t)
	c := newCluster(t)
	c.trustAggregator(caPEM)
	w := start(t, func(o *Options) {
		o.Client, o.ReviewClient = c.clientset(t, testTimeout), c.clientset(t, testTimeout)
	})
	fill(w.metrics)
	w.await("/readyz")
	ask := front(w, clientCert(t, ca, caKey, "front-proxy"))
	c.hangTokens.Store(true)
	began := time.Now()
	var f flood
	f.start(t, w.server.generic.Handler)
	var slowest time.Duration
	for i := 0; time.Since(began) < 3*time.Second || f.refused.Load() < 2000; i++ {
		asked := time.Now()
		// Each path needs an access review of its own: 404 is the answer to a user who may.
		code, err := ask(fmt.Sprintf("%sshop/other-%d", externalRoot, i))
		if err != nil || code != http.StatusNotFound {
			t.Fatalf("front-proxy request %d during the flood: %d, %v", i, code, err)
		}
		slowest = max(slowest, time.Since(asked))
	}
	close(f.end)
	c.hangTokens.Store(false) // a review that begins from now on is answered
	reviews, took := c.tokenReviews.Load(), time.Since(began)
	c.server.CloseClientConnections() // ends the reviews that hang
	f.attackers.Wait()
	t.Logf("%d made-up tokens in %s, %d refused at once; %d reviews; slowest front-proxy request %s",
		f.sent.Load(), took, f.refused.Load(), reviews, slowest)
	if most := 10 + 2*int64(took/time.Second+1); reviews > most {
		t.Errorf("%d token reviews in %s for one address, want at most %d", reviews, took, most)
	}
	// The machine may stand still in between. A request that waits for a review waits for a minute.
	if slowest > 20*time.Second {
		t.Errorf("a front-proxy request took %s", slowest)
	}
	if f.served.Load() > 0 {
		t.Errorf("%d requests were served to made-up tokens", f.served.Load())
	}
}
