// Package invariants checks from outside that Headstart does no harm, whatever happens to it: to an
// HPA, to a neighbour, or for good. A storm of faults uses it.
package invariants

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// The invariants, by the name that a report has.
const (
	NeverNothing    = "a door never answers with nothing"
	NeverWrong      = "a door never answers 0, a wrong value or another's"
	NeverStale      = "a door never answers with something stale"
	TenantsApart    = "a tenant's fault ends at its namespace"
	NoScaleDown     = "no HPA goes down for a fault"
	NoScaleUp       = "no HPA goes up for a fault"
	MemoryBound     = "memory is bounded"
	GoroutinesBound = "goroutines are bounded"
	QueriesBound    = "queries are bounded"
)

// Service is one Forecast with its HPA. Its demand is constant, and differs so much from every
// other's that a value tells whose it is.
type Service struct {
	Namespace, Name string
	Demand          float64
	// Rogue reports whether it belongs to the tenant that does harm.
	Rogue bool
}

func (s Service) String() string { return s.Namespace + "/" + s.Name }

// Replica is a running server of Headstart.
type Replica interface {
	Name() string
	// Address is where its doors are.
	Address() string
	// MemoryMiB is its resident memory; 0 when that is not known.
	MemoryMiB() int
	// Requests is how many queries it has sent to Prometheus.
	Requests() int64
}

// HPA is what an HPA wants, and what it has.
type HPA struct {
	Namespace, Name  string
	Desired, Current int32
}

// Forecast is the status of a Forecast.
type Forecast struct {
	// NotReady is why the condition Ready is not True; "" when it is.
	NotReady string
	// PlannedAt is when its plan was made; zero without one.
	PlannedAt time.Time
}

// Cluster is what the API server knows.
type Cluster interface {
	HPAs(ctx context.Context) ([]HPA, error)
	Forecast(ctx context.Context, s Service) (Forecast, error)
	// Placeholders is how many pods hold nodes.
	Placeholders(ctx context.Context) (int, error)
}

// Limits are what the invariants allow.
type Limits struct {
	// Lowest and Highest are how far what is served may be from the demand, as multiples of it. The
	// demand is constant, so a plan of it differs by its margin only.
	Lowest, Highest float64
	// Oldest is the age of a value that is still served, and Newest how far in the future it may be:
	// the clock of the replica that made it may be ahead.
	Oldest, Newest time.Duration
	// CalmAfter is how long after the last fault of others the tenants' requests may still fail.
	CalmAfter time.Duration
	// Replicas is what each HPA wants.
	Replicas int32
	// Bounds of a replica. Queries are a second.
	MemoryMiB, Goroutines int
	Queries               float64
}

// Watch checks the invariants. Its methods may run beside each other.
type Watch struct {
	Services []Service
	Replicas []Replica
	Cluster  Cluster
	Limits   Limits
	// Token authenticates at the doors, and Timeout bounds a request.
	Token   string
	Timeout time.Duration
	// Shared is since when no fault but the rogue tenant's own is active; not calm while one is.
	Shared func() (since time.Time, calm bool)
	// Now is the time in reports.
	Now func() string

	once   sync.Once
	client *http.Client

	mu     sync.Mutex
	seen   Seen
	counts map[string]int
	first  map[string][]string
}

// Seen is what a Watch has seen.
type Seen struct{ Answers, Failures, PeakMiB, PeakGoroutines int }

// Seen returns what was seen so far.
func (w *Watch) Seen() Seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}

func (w *Watch) see(look func(*Seen)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	look(&w.seen)
}

// add records that an invariant was broken.
func (w *Watch) add(invariant, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.counts == nil {
		w.counts, w.first = map[string]int{}, map[string][]string{}
	}
	w.counts[invariant]++
	if len(w.first[invariant]) < 5 {
		w.first[invariant] = append(w.first[invariant], w.Now()+"  "+fmt.Sprintf(format, args...))
	}
}

// Broken returns the invariants that were broken, sorted by name.
func (w *Watch) Broken() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	names := make([]string, 0, len(w.counts))
	for name := range w.counts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Report says how often each invariant was broken, and how for the first few times.
func (w *Watch) Report() []string {
	var out []string
	for _, name := range w.Broken() {
		out = append(out, fmt.Sprintf("%s: broken %d times:\n  %s", name, w.counts[name],
			strings.Join(w.first[name], "\n  ")))
	}
	return out
}

func (w *Watch) http() *http.Client {
	w.once.Do(func() {
		w.client = &http.Client{Timeout: w.Timeout, Transport: &http.Transport{
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
		}}
	})
	return w.client
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
