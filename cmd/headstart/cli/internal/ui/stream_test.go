package ui

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/explain"
	"headstart.dev/headstart/cmd/headstart/cli/internal/ui/model"
	"headstart.dev/headstart/cmd/headstart/cli/internal/ui/whatif"
	"headstart.dev/headstart/controller"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/history"
)

// fakeCluster has Forecasts that a test changes.
type fakeCluster struct {
	mu      sync.Mutex
	objects model.Objects
	changed chan struct{}
}

func newFakeCluster() *fakeCluster {
	c := &fakeCluster{changed: make(chan struct{})}
	for _, name := range []string{"chat", "web"} {
		c.objects.Forecasts = append(c.objects.Forecasts, testForecast(name))
	}
	return c
}

// testForecast has a query, so that it can be replayed.
func testForecast(name string) v1alpha1.Forecast {
	capacity, level := resource.MustParse("5"), v1alpha1.Decimal("0.95")
	fc := v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	fc.Spec.Demand = &v1alpha1.DemandSource{
		Prometheus: v1alpha1.PrometheusQuery{Query: "demand"}, Resolution: "30m", History: "14d",
	}
	fc.Spec.TargetRef = v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name}
	fc.Spec.CapacityPerReplica, fc.Spec.ProvisionFor.ServiceLevel = &capacity, &level
	return fc
}

func (c *fakeCluster) Snapshot() model.Objects {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.objects
}

func (c *fakeCluster) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

func (c *fakeCluster) set(list []v1alpha1.Forecast) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.objects.Forecasts = list
	close(c.changed)
	c.changed = make(chan struct{})
}

func noStarts(context.Context, *v1alpha1.Forecast) (gpuwarm.Breakdown, error) {
	return gpuwarm.Breakdown{}, errors.New("you may not list pods")
}

// wave answers each query with a daily wave and noise. It waits for the gate where there is one.
type wave struct{ gate chan struct{} }

func (w wave) Range(
	ctx context.Context, _ string, from, to time.Time, step time.Duration, progress func(done, total int),
) (history.Series, history.Notes, error) {
	if w.gate != nil {
		select {
		case <-w.gate:
		case <-ctx.Done():
			return history.Series{}, history.Notes{}, ctx.Err()
		}
	}
	s := history.Series{Start: history.FloorTo(from, step), Step: step}
	for t := s.Start; t.Before(to.Add(-step)); t = t.Add(step) {
		i := float64(t.Unix()) / 60
		s.Values = append(s.Values, 60-40*math.Cos(2*math.Pi*i/1440)+15*math.Sin(i*i))
	}
	progress(1, 1)
	return s, history.Notes{}, nil
}

func newStudy(t *testing.T) *whatif.Study { return studyOf(t, wave{}) }

func studyOf(t *testing.T, source whatif.Source) *whatif.Study {
	t.Helper()
	reader := fake.NewClientBuilder().WithScheme(controller.NewScheme()).Build()
	s, err := whatif.New(whatif.Options{Reader: reader, Source: source, From: "a test"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// served is a page that is served at a real port.
type served struct {
	t       *testing.T
	cluster *fakeCluster
	base    string
}

func newServed(t *testing.T, study *whatif.Study) served {
	t.Helper()
	table, err := explain.Load()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := served{t: t, cluster: newFakeCluster(), base: fmt.Sprintf("http://%s/secret/", l.Addr())}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(ctx, l, "secret", Options{
			Cluster: s.cluster, Context: "prod-eu", Conditions: table, Study: study, Now: time.Now, Starts: noStarts,
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// follow reads the events of a stream until the test ends.
func (s served) follow(path string) *reader {
	s.t.Helper()
	r, err := http.Get(s.base + path)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = r.Body.Close() })
	if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != "text/event-stream" {
		s.t.Fatalf("%s: %s, %s", path, r.Status, r.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, 16<<20)
	return &reader{t: s.t, lines: lines, close: func() { _ = r.Body.Close() }}
}

type reader struct {
	t     *testing.T
	lines *bufio.Scanner
	close func()
}

// next returns the next event, and reads its data into out.
func (r *reader) next(out any) (name string) {
	r.t.Helper()
	for r.lines.Scan() {
		if text, ok := strings.CutPrefix(r.lines.Text(), "event: "); ok {
			name = text
		}
		if data, ok := strings.CutPrefix(r.lines.Text(), "data: "); ok {
			if err := json.Unmarshal([]byte(data), out); err != nil {
				r.t.Fatalf("%s: %v in %s", name, err, data)
			}
			return name
		}
	}
	r.t.Fatal("the stream has ended")
	return ""
}

// The fleet is sent as a whole once, and then what has changed.
func TestFleetSendsChanges(t *testing.T) {
	s := newServed(t, newStudy(t))
	events := s.follow("api/fleet")
	type change struct {
		Full bool
		Rows []struct{ ID, Mode string }
		Gone []string
	}
	ids := func(c change) (out []string) {
		for _, r := range c.Rows {
			out = append(out, r.ID+" "+r.Mode)
		}
		return out
	}
	var got change
	events.next(&got)
	if diff := cmp.Diff([]string{"shop/chat Active", "shop/web Active"}, ids(got)); diff != "" || !got.Full {
		t.Errorf("at first: -want, +got:\n%s", diff)
	}
	web := testForecast("web")
	web.Spec.Mode = v1alpha1.ForecastDryRun
	s.cluster.set([]v1alpha1.Forecast{web})
	for got = (change{}); len(got.Rows) == 0; events.next(&got) { // a tick may come between
		got = change{}
		events.next(&got)
		if len(got.Rows) > 0 {
			break
		}
	}
	want := change{Rows: []struct{ ID, Mode string }{{"shop/web", "DryRun"}}, Gone: []string{"shop/chat"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after a change: -want, +got:\n%s", diff)
	}
}

// A service that is deleted is said to be missing, and comes back.
func TestServiceComesAndGoes(t *testing.T) {
	s := newServed(t, newStudy(t))
	events := s.follow("api/service?forecast=shop/web")
	var got map[string]any
	for i, step := range []struct {
		list []v1alpha1.Forecast
		want string
	}{{nil, "service"}, {[]v1alpha1.Forecast{}, "missing"}, {[]v1alpha1.Forecast{testForecast("web")}, "service"}} {
		if i > 0 {
			s.cluster.set(step.list)
		}
		if name := events.next(&got); name != step.want || got["id"] != "shop/web" {
			t.Fatalf("step %d: the event %s about %v, want %s", i, name, got["id"], step.want)
		}
	}
}

// What a page may ask, and what is refused with words.
func TestRefusals(t *testing.T) {
	s := newServed(t, newStudy(t))
	for name, tc := range map[string]struct {
		reason, path, says string
		want               int
	}{
		"Zone":     {"no such zone", "api/week?zone=Mars/Base", "Mars/Base", 400},
		"Time":     {"not a time", "api/week?zone=UTC&from=soon", "soon", 400},
		"FarAway":  {"schedules end in 2199", "api/week?zone=UTC&from=99999999999", "2198", 400},
		"Forecast": {"no such Forecast", "api/demand?forecast=shop/none", "shop/none", 404},
		"Lead":     {"not a duration", "api/whatif?forecast=shop/web&lead=soon&days=7", "soon", 400},
		"Days":     {"not a number", "api/whatif?forecast=shop/web&days=x", "days", 400},
		"Pods":     {"no permission", "api/starts?forecast=shop/web", "you may not list pods", 200},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.Get(s.base + tc.path)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			text := make([]byte, 4096)
			n, _ := r.Body.Read(text)
			if r.StatusCode != tc.want || !strings.Contains(string(text[:n]), tc.says) {
				t.Errorf("%s: %d %s", tc.reason, r.StatusCode, text[:n])
			}
		})
	}
}

// More pages than there may be are refused, until one is closed.
func TestStreamsAreBounded(t *testing.T) {
	s := newServed(t, newStudy(t))
	var last *reader
	for range maxStreams {
		last = s.follow("api/fleet")
		last.next(&struct{}{})
	}
	status := func() int {
		r, err := http.Get(s.base + "api/fleet")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		return r.StatusCode
	}
	if got := status(); got != http.StatusTooManyRequests {
		t.Errorf("one more is answered with %d", got)
	}
	last.close()
	for deadline := time.Now().Add(time.Minute); status() != http.StatusOK; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("after one was closed, there is still no place")
		}
	}
}

// A question is answered: progress, the setting of now and the other one, and a manifest.
func TestWhatIf(t *testing.T) {
	s := newServed(t, newStudy(t))
	events := s.follow("api/whatif?forecast=shop/web&serviceLevel=0.8&days=3")
	for {
		var got struct {
			What     string
			Message  string
			Now      whatif.Outcome
			Asked    whatif.Outcome
			Manifest string
			Wide     string
		}
		switch name := events.next(&got); name {
		case "progress":
			continue
		case "failed":
			t.Fatal(got.Message)
		}
		if !strings.Contains(got.Now.Setting, "0.95") || !strings.Contains(got.Asked.Setting, "0.8") ||
			got.Asked.Hours <= 0 || got.Asked.Hours >= got.Now.Hours || got.Asked.Plan == nil {
			t.Errorf("now %+v, asked %+v", got.Now, got.Asked)
		}
		if !strings.Contains(got.Manifest, `serviceLevel: "0.8"`) || !strings.HasPrefix(got.Wide, "<svg") {
			t.Errorf("the manifest %s and the picture %.40s", got.Manifest, got.Wide)
		}
		return
	}
}

// A newer question ends the one before, which hears why.
func TestNewerQuestionEndsTheOneBefore(t *testing.T) {
	gate := make(chan struct{})
	s := newServed(t, studyOf(t, wave{gate}))
	first := s.follow("api/whatif?forecast=shop/web&serviceLevel=0.8&days=3")
	second := s.follow("api/whatif?forecast=shop/web&serviceLevel=0.9&days=3")
	var got struct {
		Message string
		Asked   whatif.Outcome
	}
	if name := first.next(&got); name != "failed" || !strings.Contains(got.Message, "another question") {
		t.Errorf("the first one ends with %s: %s", name, got.Message)
	}
	close(gate)
	for name := ""; name != "result"; {
		if name = second.next(&got); name == "failed" {
			t.Fatal(got.Message)
		}
	}
	if !strings.Contains(got.Asked.Setting, "0.9") {
		t.Errorf("the second one is about %s", got.Asked.Setting)
	}
}
