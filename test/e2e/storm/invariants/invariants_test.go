package invariants

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// system is a healthy Headstart on a healthy cluster. A test plants what is wrong with it.
type system struct {
	server   *httptest.Server
	answer   func(s Service) (status int, body string) // of a door
	memory   int
	threads  int
	requests atomic.Int64
	rate     int64 // requests for each look at their number

	hpas         []HPA
	hpaErr       error
	forecast     Forecast
	placeholders int
}

func item(demand float64, age time.Duration) string {
	return fmt.Sprintf(`{"value":"%g","timestamp":%q}`, demand, time.Now().Add(-age).UTC().Format(time.RFC3339))
}

func items(all ...string) string { return `{"items":[` + strings.Join(all, ",") + `]}` }

func healthy(t *testing.T) (*system, *Watch) {
	t.Helper()
	s := &system{
		memory: 200, threads: 500, rate: 1, placeholders: 2,
		hpas:     []HPA{{"tenant", "a", 3, 3}, {"tenant", "b", 3, 3}, {"rogue", "c", 3, 3}, {"tenant", "new", 0, 0}},
		forecast: Forecast{PlannedAt: time.Now()},
	}
	s.answer = func(of Service) (int, string) { return http.StatusOK, items(item(of.Demand*1.05, time.Minute)) }
	w := &Watch{
		Services: []Service{{"tenant", "a", 100, false}, {"tenant", "b", 125, false}, {"rogue", "c", 160, true}},
		Replicas: []Replica{s}, Cluster: s, Timeout: 5 * time.Second,
		Limits: Limits{
			Lowest: 0.99, Highest: 1.19, Oldest: time.Hour, Newest: time.Minute, CalmAfter: 10 * time.Second,
			Replicas: 3, MemoryMiB: 400, Goroutines: 2500, Queries: 100,
		},
		Shared: func() (time.Time, bool) { return time.Now().Add(-time.Minute), true },
		Now:    func() string { return "now" },
	}
	s.server = httptest.NewTLSServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			fmt.Fprintf(out, "go_goroutines %d\n", s.threads)
			return
		}
		for _, of := range w.Services {
			for _, path := range doors(of) {
				if path == r.URL.Path {
					status, body := s.answer(of)
					out.WriteHeader(status)
					fmt.Fprint(out, body)
					return
				}
			}
		}
		http.NotFound(out, r)
	}))
	t.Cleanup(s.server.Close)
	return s, w
}

func (s *system) Name() string                              { return "headstart-0" }
func (s *system) Address() string                           { return s.server.Listener.Addr().String() }
func (s *system) MemoryMiB() int                            { return s.memory }
func (s *system) Requests() int64                           { return s.requests.Add(s.rate) }
func (s *system) HPAs(context.Context) ([]HPA, error)       { return s.hpas, s.hpaErr }
func (s *system) Placeholders(context.Context) (int, error) { return s.placeholders, nil }

func (s *system) Forecast(context.Context, Service) (Forecast, error) { return s.forecast, nil }

// look checks every invariant for a moment.
func look(t *testing.T, w *Watch) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 1))
	for range 12 {
		s := w.Services[rng.IntN(len(w.Services))]
		for door, path := range doors(s) {
			w.check(t.Context(), w.Replicas[0], s, door, path)
		}
	}
	w.lookAtHPAs(t.Context())
	w.lookAtResources(t.Context(), 20*time.Millisecond)
}

// A violation that is planted in each invariant is found, and is found as one of that invariant.
func TestPlantedViolations(t *testing.T) {
	always := func(status int, body string) func(Service) (int, string) {
		return func(Service) (int, string) { return status, body }
	}
	for name, tc := range map[string]struct {
		plant func(s *system, w *Watch)
		want  []string
	}{
		"nothing": {func(*system, *Watch) {}, nil},
		"an empty list": {
			func(s *system, _ *Watch) { s.answer = always(http.StatusOK, items()) },
			[]string{NeverNothing, TenantsApart},
		},
		"two items": {
			func(s *system, _ *Watch) { s.answer = always(http.StatusOK, items(item(1, 0), item(1, 0))) },
			[]string{NeverNothing, TenantsApart},
		},
		"0": {func(s *system, _ *Watch) { s.answer = always(http.StatusOK, items(item(0, 0))) }, []string{NeverWrong}},
		"a neighbour's value": {
			func(s *system, _ *Watch) { s.answer = always(http.StatusOK, items(item(125, 0))) }, []string{NeverWrong},
		},
		"half of the demand": {
			func(s *system, _ *Watch) {
				s.answer = func(of Service) (int, string) { return http.StatusOK, items(item(of.Demand/2, 0)) }
			}, []string{NeverWrong},
		},
		"a value of yesterday": {
			func(s *system, _ *Watch) {
				s.answer = func(of Service) (int, string) { return http.StatusOK, items(item(of.Demand, 24*time.Hour)) }
			}, []string{NeverStale},
		},
		"a value of tomorrow": {
			func(s *system, _ *Watch) {
				s.answer = func(of Service) (int, string) { return http.StatusOK, items(item(of.Demand, -24*time.Hour)) }
			}, []string{NeverStale},
		},
		"errors of a tenant while only the rogue does harm": {
			func(s *system, _ *Watch) {
				s.answer = func(of Service) (int, string) {
					if of.Name == "b" {
						return http.StatusNotFound, "no"
					}
					return http.StatusOK, items(item(of.Demand, 0))
				}
			}, []string{TenantsApart},
		},
		"errors of the rogue": {
			func(s *system, _ *Watch) {
				s.answer = func(of Service) (int, string) {
					if of.Rogue {
						return http.StatusNotFound, "no"
					}
					return http.StatusOK, items(item(of.Demand, 0))
				}
			}, nil,
		},
		"errors during a fault of others": {
			func(s *system, w *Watch) {
				s.answer = always(http.StatusNotFound, "no")
				w.Shared = func() (time.Time, bool) { return time.Now(), false }
			}, nil,
		},
		"errors right after a fault of others": {
			func(s *system, w *Watch) {
				s.answer = always(http.StatusNotFound, "no")
				w.Shared = func() (time.Time, bool) { return time.Now().Add(-time.Second), true }
			}, nil,
		},
		"an HPA that goes down": {func(s *system, _ *Watch) { s.hpas[1].Desired = 2 }, []string{NoScaleDown}},
		"an HPA that goes up":   {func(s *system, _ *Watch) { s.hpas[1].Desired = 4 }, []string{NoScaleUp}},
		"an API server that is away": {
			func(s *system, _ *Watch) { s.hpas[1].Desired, s.hpaErr = 2, errors.New("away") }, nil,
		},
		"memory":     {func(s *system, _ *Watch) { s.memory = 401 }, []string{MemoryBound}},
		"goroutines": {func(s *system, _ *Watch) { s.threads = 2501 }, []string{GoroutinesBound}},
		"queries":    {func(s *system, _ *Watch) { s.rate = 1000 }, []string{QueriesBound}},
	} {
		t.Run(name, func(t *testing.T) {
			s, w := healthy(t)
			tc.plant(s, w)
			look(t, w)
			slices.Sort(tc.want)
			if got := w.Broken(); !slices.Equal(got, tc.want) {
				t.Errorf("found %q, want %q\n%s", got, tc.want, strings.Join(w.Report(), "\n"))
			}
			if len(w.Report()) != len(tc.want) {
				t.Errorf("%d invariants are reported, want %d", len(w.Report()), len(tc.want))
			}
		})
	}
}

// Whatever is not as in a calm run is found.
func TestNotCalm(t *testing.T) {
	for name, tc := range map[string]struct {
		plant func(s *system, w *Watch)
		want  string // in what is found; "" for nothing
	}{
		"calm":                      {func(s *system, _ *Watch) { s.hpas = s.hpas[:3] }, ""},
		"an HPA that was not found": {func(*system, *Watch) {}, "HPA tenant/new wants 0"},
		"an HPA on its way":         {func(s *system, _ *Watch) { s.hpas = []HPA{{"tenant", "a", 3, 2}} }, "has 2"},
		"no HPAs":                   {func(s *system, _ *Watch) { s.hpaErr = errors.New("away") }, "away"},
		"not Ready": {
			func(s *system, _ *Watch) { s.hpas, s.forecast.NotReady = nil, "NoSource" }, "tenant/a is not Ready: NoSource",
		},
		"an old plan": {
			func(s *system, _ *Watch) { s.hpas, s.forecast.PlannedAt = nil, time.Now().Add(-time.Hour) }, "no fresh plan",
		},
		"no plan": {func(s *system, _ *Watch) { s.hpas, s.forecast.PlannedAt = nil, time.Time{} }, "no fresh plan"},
		"a door that fails": {
			func(s *system, _ *Watch) {
				s.hpas = nil
				s.answer = func(Service) (int, string) { return http.StatusNotFound, "no" }
			}, "404",
		},
		"a wrong value": {
			func(s *system, _ *Watch) {
				s.hpas = nil
				s.answer = func(Service) (int, string) { return http.StatusOK, items(item(7, 0)) }
			}, "want about 100",
		},
		"placeholders": {func(s *system, _ *Watch) { s.hpas, s.placeholders = nil, 3 }, "3 placeholders"},
	} {
		t.Run(name, func(t *testing.T) {
			s, w := healthy(t)
			tc.plant(s, w)
			got := strings.Join(w.NotCalm(t.Context(), time.Now().Add(-time.Minute), 2), "\n")
			if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("found %q, want %q", got, tc.want)
			}
		})
	}
}

func TestLeft(t *testing.T) {
	s, w := healthy(t)
	if err := w.Left(t.Context(), 50*time.Millisecond); err == nil {
		t.Error("two placeholders are left, and nobody says so")
	}
	s.placeholders = 0
	if err := w.Left(t.Context(), 50*time.Millisecond); err != nil {
		t.Error(err)
	}
}

// The loops check what one look checks, until they are ended.
func TestLoops(t *testing.T) {
	s, w := healthy(t)
	s.hpas[0].Desired = 1
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { w.Doors(ctx, rand.New(rand.NewPCG(1, 1))) })
	all.Go(func() { w.HPAs(ctx) })
	all.Go(func() { w.Resources(ctx) })
	all.Wait()
	if got := w.Broken(); w.Seen().Answers == 0 || !slices.Equal(got, []string{NoScaleDown}) {
		t.Errorf("%+v was seen, and %q broken", w.Seen(), got)
	}
}
