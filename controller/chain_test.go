package controller

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/clusters"
	"headstart.dev/headstart/planner/plan"
)

// forecastServer serves the Forecasts of a fixture as an API server does: lists, and watches
// without end.
type forecastServer struct {
	fixture *fixture
	done    <-chan struct{}
}

func (s forecastServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/apis/headstart.dev/v1alpha1/namespaces/shop/forecasts" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	list := v1alpha1.ForecastList{}
	read := func() error { return s.fixture.client.List(r.Context(), &list, client.InNamespace("shop")) }
	if r.URL.Query().Get("watch") == "" {
		if err := read(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		list.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "ForecastList"}
		list.ResourceVersion = "1"
		_ = json.NewEncoder(w).Encode(list)
		return
	}
	sent := map[string]string{}
	for {
		if read() != nil {
			return
		}
		for i := range list.Items {
			fc := &list.Items[i]
			if sent[fc.Name] == fc.ResourceVersion {
				continue
			}
			sent[fc.Name] = fc.ResourceVersion
			fc.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Forecast"}
			_ = json.NewEncoder(w).Encode(map[string]any{"type": "MODIFIED", "object": fc})
		}
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-s.done:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// fixtureClock tells the time of a fixture. Its tickers and timers are real.
type fixtureClock struct {
	clock.RealClock
	fixture *fixture
}

func (c fixtureClock) Now() time.Time                  { return c.fixture.clock.Now() }
func (c fixtureClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// ring is clusters in a ring: each can read the Forecasts of the one before, from its API server.
type ring []*fixture

// newRing returns one cluster for each of these Forecasts, in each of which up to 20 replicas of 10
// fit. The first one has a peak of 500.
func newRing(t *testing.T, all ...*v1alpha1.Forecast) ring {
	t.Helper()
	done, servers := make(chan struct{}), []*httptest.Server{}
	var out ring
	for i, fc := range all {
		fc.UID = types.UID(fmt.Sprintf("uid-%d", i))
		objects := []client.Object{deployment(), fc, peaksHPA("web", 1, 20)}
		if i == 0 {
			objects = append(objects, noonPeak("web"))
		}
		f := newFixture(t, nil, objects...)
		server := httptest.NewTLSServer(forecastServer{f, done})
		t.Cleanup(server.Close)
		out, servers = append(out, f), append(servers, server)
	}
	t.Cleanup(func() { close(done) })
	for i, f := range out {
		f.overflows = readerOf(t, f, servers[(i+len(out)-1)%len(out)])
	}
	return out
}

// readerOf returns Clusters that know a server as cluster before.
func readerOf(t *testing.T, f *fixture, server *httptest.Server) *clusters.Clusters {
	t.Helper()
	dir := t.TempDir()
	config := clientcmdapi.NewConfig()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	config.Clusters["x"] = &clientcmdapi.Cluster{Server: server.URL, CertificateAuthorityData: ca}
	config.AuthInfos["x"] = &clientcmdapi.AuthInfo{Token: "x"}
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "x", AuthInfo: "x"}
	config.CurrentContext = "x"
	path := filepath.Join(dir, "clusters.yaml")
	text := "clusters:\n- {name: before, kubeconfig: x.yaml, namespaces: [shop]}\n"
	if err := clientcmd.WriteToFile(*config, filepath.Join(dir, "x.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := clusters.New(clusters.Options{
		Path: path, Reload: time.Hour, Clock: fixtureClock{fixture: f}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = c.Start(t.Context()) }()
	go func() {
		for {
			select {
			case <-t.Context().Done():
				return
			case <-c.Changes(): // The test reconciles all the time.
			}
		}
	}()
	t.Cleanup(func() { <-ended })
	return c
}

// until reconciles all clusters, for two minutes at most, until check finds nothing wrong in any.
func (r ring) until(t *testing.T, check func(cluster int, f *fixture) error) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		var wrong error
		for i, f := range r {
			f.step(t, "web", time.Second)
			if err := check(i, f); err != nil {
				wrong = errors.Join(wrong, fmt.Errorf("cluster %d: %w", i, err))
			}
		}
		switch {
		case wrong == nil:
			return
		case time.Now().After(end):
			t.Fatal(wrong)
		}
	}
}

// awaitPeaks waits until the overflow is read and this is planned at the peak in each cluster, of
// which up to 200 fit.
func (r ring) awaitPeaks(t *testing.T, want ...float64) {
	t.Helper()
	r.until(t, func(i int, f *fixture) error {
		status, reason := f.get(t, "web").Status, f.condition(t, "web", v1alpha1.ConditionOverflowRead).Reason
		if i > 0 && reason != "Read" {
			return fmt.Errorf("OverflowRead has the reason %q", reason)
		}
		if status.Plan == nil {
			return errors.New("no plan")
		}
		decoded, err := plan.Decode(*status.Plan)
		if err != nil {
			return err
		}
		noon := f.clock.Now().Truncate(24 * time.Hour).Add(13 * time.Hour)
		if got, _ := decoded.At(noon); got != want[i] {
			return fmt.Errorf("%v is planned at the peak, want %v", got, want[i])
		}
		return nil
	})
}

// setOverflowOf sets or removes spec.overflowOf of a Forecast that exists.
func (f *fixture) setOverflowOf(t *testing.T, of *v1alpha1.OverflowReference) {
	t.Helper()
	fc := f.get(t, "web")
	fc.Spec.OverflowOf = of
	fc.Generation++
	if err := f.client.Update(t.Context(), fc); err != nil {
		t.Fatal(err)
	}
}

// Three clusters in a chain, of which each reads the one before from its API server: each serves
// what fits, and the next one plans the rest. When the first one takes the overflow of the last,
// all three refuse it and say so, and go on once the cycle is broken.
func TestChainAndCycleOfThreeClusters(t *testing.T) {
	before := &v1alpha1.OverflowReference{Cluster: "before", Forecast: "shop/web"}
	var all []*v1alpha1.Forecast
	for i := range 3 {
		fc := peaksForecast("web", 0)
		if i > 0 {
			fc.Spec.OverflowOf = before
		}
		all = append(all, fc)
	}
	r := newRing(t, all...)
	r.awaitPeaks(t, 500, 300, 100)

	r[0].setOverflowOf(t, before)
	r.until(t, func(i int, f *fixture) error {
		reason := f.condition(t, "web", v1alpha1.ConditionOverflowRead).Reason
		if p := f.get(t, "web").Status.Plan; reason != "Cycle" || i > 0 && p != nil {
			return fmt.Errorf("OverflowRead has the reason %q, and the plan is %v", reason, p)
		}
		return nil
	})

	r[0].setOverflowOf(t, nil)
	r.awaitPeaks(t, 500, 300, 100)
}
