package clusters

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/clock"

	"headstart.dev/headstart/api/v1alpha1"
)

// apiServer answers lists and watches of Forecasts, counts them, and can be away.
type apiServer struct {
	*httptest.Server
	// answer answers in place of the server, if it is not nil.
	answer         func(w http.ResponseWriter, r *http.Request, watches bool)
	mu             sync.Mutex
	lists, watches int
	away           bool
	objects        []v1alpha1.Forecast
	events         chan *v1alpha1.Forecast
}

func newAPIServer(t *testing.T, names ...string) *apiServer {
	s := &apiServer{events: make(chan *v1alpha1.Forecast, 10)}
	for _, name := range names {
		fc := remote()
		fc.TypeMeta = metav1.TypeMeta{APIVersion: "headstart.dev/v1alpha1", Kind: "Forecast"}
		fc.Namespace, fc.Name, fc.ResourceVersion = "shop", name, "1"
		s.objects = append(s.objects, *fc)
	}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.CloseClientConnections)
	return s
}

func (s *apiServer) counts() (lists, watches int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lists, s.watches
}

func (s *apiServer) setAway(away bool) {
	s.mu.Lock()
	s.away = away
	s.mu.Unlock()
	s.CloseClientConnections()
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	watches := r.URL.Query().Get("watch") != ""
	if s.answer != nil {
		s.answer(w, r, watches)
		return
	}
	initial := r.URL.Query().Get("sendInitialEvents") == "true"
	s.mu.Lock()
	away := s.away
	switch {
	case away || initial:
	case watches:
		s.watches++
	default:
		s.lists++
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case away:
		w.WriteHeader(http.StatusBadGateway)
	case initial: // as a server without streaming lists
		w.WriteHeader(http.StatusUnprocessableEntity)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
			Reason: metav1.StatusReasonInvalid, Code: http.StatusUnprocessableEntity,
		})
	case !watches:
		_ = json.NewEncoder(w).Encode(v1alpha1.ForecastList{
			TypeMeta: metav1.TypeMeta{APIVersion: "headstart.dev/v1alpha1", Kind: "ForecastList"},
			ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: s.objects,
		})
	default:
		w.(http.Flusher).Flush()
		for {
			select {
			case <-r.Context().Done():
				return
			case fc := <-s.events:
				_ = json.NewEncoder(w).Encode(map[string]any{"type": "MODIFIED", "object": fc})
				w.(http.Flusher).Flush()
			}
		}
	}
}

// follow returns Clusters that know the server as cluster a.
func (s *apiServer) follow(t *testing.T) *Clusters {
	t.Helper()
	c := s.configure(t, 0)
	begin(t, c)
	go func() {
		for {
			select {
			case <-t.Context().Done():
				return
			case <-c.Changes():
			}
		}
	}()
	return c
}

// begin runs Start until the end of the test.
func begin(t *testing.T, c *Clusters) {
	done := make(chan struct{})
	go func() { defer close(done); _ = c.Start(t.Context()) }()
	t.Cleanup(func() { <-done })
}

// configure returns Clusters that know the server as cluster a. It may take so long to answer.
func (s *apiServer) configure(t *testing.T, answer time.Duration) *Clusters {
	t.Helper()
	dir := t.TempDir()
	config := clientcmdapi.NewConfig()
	config.Clusters["a"] = &clientcmdapi.Cluster{Server: s.URL, CertificateAuthorityData: pemOf(s.Certificate())}
	config.AuthInfos["a"] = &clientcmdapi.AuthInfo{Token: "x"}
	config.Contexts["a"] = &clientcmdapi.Context{Cluster: "a", AuthInfo: "a"}
	config.CurrentContext = "a"
	if err := clientcmd.WriteToFile(*config, filepath.Join(dir, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "clusters.yaml")
	text := "clusters:\n- {name: a, kubeconfig: a.yaml, namespaces: [shop]}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{
		Path: path, Reload: 100 * time.Millisecond, Clock: clock.RealClock{}, Logger: slog.New(slog.DiscardHandler),
		Answer: answer,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// eventually polls for minutes until ok is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

func here(i int) types.NamespacedName {
	return types.NamespacedName{Namespace: "shop", Name: fmt.Sprintf("here-%d", i)}
}

// A hundred Forecasts of one namespace need one list and one watch, and nothing is polled. The watch
// ends with the last of them.
func TestOneWatchForANamespace(t *testing.T) {
	const forecasts = 100
	var names []string
	for i := range forecasts {
		names = append(names, fmt.Sprintf("far-%d", i))
	}
	s := newAPIServer(t, names...)
	c := s.follow(t)
	read := func(i int) Reading {
		r, err := c.Of(here(i), Reference{"a", "shop", names[i]})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for i := range forecasts {
		eventually(t, "a Forecast is not read", func() bool { return read(i).Forecast != nil })
	}
	time.Sleep(time.Second) // time for polls, if there were any
	if lists, watches := s.counts(); lists != 1 || watches != 1 {
		t.Errorf("%d lists and %d watches, want one of each", lists, watches)
	}
	if segments := read(0).Forecast.Status.Plan.Segments; segments != nil {
		t.Errorf("the whole plan is kept: %v", segments)
	}

	changed := remote()
	changed.TypeMeta = metav1.TypeMeta{APIVersion: "headstart.dev/v1alpha1", Kind: "Forecast"}
	changed.Namespace, changed.Name, changed.ResourceVersion = "shop", names[7], "2"
	changed.Spec.Unit = "tokens/s"
	s.events <- changed
	eventually(t, "a change is not seen", func() bool { return read(7).Forecast.Spec.Unit == "tokens/s" })

	for i := range forecasts {
		c.Forget(here(i))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.watches) != 0 {
		t.Errorf("%d watches go on without a Forecast", len(c.watches))
	}
}

// While the link is away that is told, with since when, and what was seen is kept. Then it goes on.
func TestLinkAwayAndBack(t *testing.T) {
	s := newAPIServer(t, "web")
	c := s.follow(t)
	read := func() Reading {
		r, err := c.Of(here(0), Reference{"a", "shop", "web"})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	eventually(t, "it is not read", func() bool { return read().Forecast != nil })
	before := time.Now()
	s.setAway(true)
	eventually(t, "nobody notices that the link is away", func() bool { return reasonOf(read().Err) == LinkAway })
	if r := read(); r.Forecast == nil || r.Since.Before(before) {
		t.Errorf("away since %s with %v, want since %s with what was seen", r.Since, r.Forecast, before)
	}
	s.setAway(false)
	eventually(t, "nobody notices that the link is back", func() bool { return read().Err == nil })
}
