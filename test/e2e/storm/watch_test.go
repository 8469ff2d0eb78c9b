package storm

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Limits of the invariants.
const (
	// lowest and highest are how far what is served may be from the demand, as multiples of it. The
	// demand is constant, so a plan of it differs by its margin only.
	lowest, highest = 0.99, 1.19
	// oldest is the age of a value that is still served: the horizon of the plans.
	oldest = 2 * time.Hour
	// calmAfter is how long after the last fault of others the tenants' requests may still fail.
	calmAfter = 15 * time.Second
	// Bounds of a replica.
	maxMemoryMiB  = 400
	maxGoroutines = 2500
	// maxQueries a second and replica: every Forecast's poll and evaluation, and what is read again.
	maxQueries = 2 * tenants * perTenant
)

// violations collects what broke an invariant: the first few of each, and their number.
type violations struct {
	mu     sync.Mutex
	counts map[string]int
	first  map[string][]string
}

func (v *violations) add(invariant, format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.counts == nil {
		v.counts, v.first = map[string]int{}, map[string][]string{}
	}
	v.counts[invariant]++
	if len(v.first[invariant]) < 5 {
		v.first[invariant] = append(v.first[invariant], fmt.Sprintf(format, args...))
	}
}

func (v *violations) report(t *testing.T) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for invariant, n := range v.counts {
		t.Errorf("%s: broken %d times:\n  %s", invariant, n, strings.Join(v.first[invariant], "\n  "))
	}
}

// watch checks the invariants from outside until ctx ends.
type watch struct {
	*violations
	w      *world
	client *http.Client
	// shared is since when no fault but the rogue tenant's own is active; nil while one is.
	shared func() (since time.Time, calm bool)
	answers, failures,
	peakMiB, peakGoroutines int
}

func insecureClient() *http.Client {
	return &http.Client{Timeout: requestTime, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
	}}
}

// value is what a door answered.
type value struct {
	Value     resource.Quantity `json:"value"`
	Timestamp metav1.Time       `json:"timestamp"`
}

// ask reads a value of a service at one door of a replica.
func (o *watch) ask(ctx context.Context, address, path string) (value, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+path, nil)
	if err != nil {
		return value{}, err
	}
	req.Header.Set("Authorization", "Bearer "+o.w.Config.BearerToken)
	resp, err := o.client.Do(req)
	if err != nil {
		return value{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return value{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return value{}, fmt.Errorf("%s: %.200s", resp.Status, body)
	}
	var list struct{ Items []value }
	if err := json.Unmarshal(body, &list); err != nil {
		return value{}, fmt.Errorf("%w in %.200s", err, body)
	}
	if len(list.Items) != 1 {
		return value{}, fmt.Errorf("%w: %d", errItems, len(list.Items))
	}
	return list.Items[0], nil
}

var errItems = errors.New("an answer without exactly one item")

func doors(s service) map[string]string {
	return map[string]string{
		"external": "/apis/external.metrics.k8s.io/v1beta1/namespaces/" + s.namespace + "/" + s.name,
		"object": "/apis/custom.metrics.k8s.io/v1beta1/namespaces/" + s.namespace + "/forecasts.headstart.dev/" +
			s.name + "/demand",
	}
}

// doors asks random services at both doors of every replica.
func (o *watch) doors(ctx context.Context, rng *rand.Rand) {
	for ctx.Err() == nil {
		for _, r := range o.w.replicas {
			s := o.w.services[rng.IntN(len(o.w.services))]
			for door, path := range doors(s) {
				o.check(ctx, r, s, door, path)
			}
		}
		pause(ctx, 300*time.Millisecond)
	}
}

func (o *watch) check(ctx context.Context, r *replica, s service, door, path string) {
	asked := time.Now()
	v, err := o.ask(ctx, r.process().Address, path)
	if ctx.Err() != nil {
		return
	}
	which := fmt.Sprintf("%s  %s, %s door, %s/%s", o.w.since(), r.options.Name, door, s.namespace, s.name)
	if errors.Is(err, errItems) {
		o.add("a door never answers with nothing", "%s: %v", which, err)
	}
	if err != nil {
		o.failures++
		if since, calm := o.shared(); calm && asked.Sub(since) > calmAfter && s.tenant != rogue {
			o.add("a tenant's fault ends at its namespace", "%s: %v", which, err)
		}
		return
	}
	o.answers++
	got := v.Value.AsApproximateFloat64()
	if got < lowest*s.demand || got > highest*s.demand {
		o.add("a door never answers 0, a wrong value or another's", "%s: %g, want about %g", which, got, s.demand)
	}
	if age := asked.Sub(v.Timestamp.Time); age > oldest || age < -time.Minute {
		o.add("a door never answers with something stale", "%s: a value of %s", which, v.Timestamp)
	}
}

// hpas looks at what the HPAs want.
func (o *watch) hpas(ctx context.Context) {
	for ctx.Err() == nil {
		request, cancel := context.WithTimeout(ctx, requestTime)
		list, err := o.w.Client.AutoscalingV2().HorizontalPodAutoscalers("").List(request, metav1.ListOptions{})
		cancel()
		if err == nil {
			for i := range list.Items {
				h := &list.Items[i]
				if n := h.Status.DesiredReplicas; n != 0 && n < base {
					o.add("no HPA goes down for a fault", "%s  %s/%s wants %d, want %d", o.w.since(), h.Namespace, h.Name, n, base)
				}
				if n := h.Status.DesiredReplicas; n > base {
					o.add("no HPA goes up for a fault", "%s  %s/%s wants %d, want %d", o.w.since(), h.Namespace, h.Name, n, base)
				}
			}
		}
		pause(ctx, time.Second)
	}
}

var goroutines = regexp.MustCompile(`(?m)^go_goroutines (\d+)`)

// resources looks at the memory, the goroutines and the queries of every replica.
func (o *watch) resources(ctx context.Context) {
	last, at := o.queries(), time.Now()
	for ctx.Err() == nil {
		pause(ctx, 5*time.Second)
		for i, r := range o.w.replicas {
			if mib := residentMiB(r.process().PID()); mib > 0 {
				o.peakMiB = max(o.peakMiB, mib)
				if mib > maxMemoryMiB {
					o.add("memory is bounded", "%s  %s has %d MiB", o.w.since(), r.options.Name, mib)
				}
			}
			if n := o.goroutines(ctx, r); n > 0 {
				o.peakGoroutines = max(o.peakGoroutines, n)
				if n > maxGoroutines {
					o.add("goroutines are bounded", "%s  %s has %d", o.w.since(), r.options.Name, n)
				}
			}
			now := o.queries()
			if rate := float64(now[i]-last[i]) / time.Since(at).Seconds(); rate > maxQueries {
				o.add("queries are bounded", "%s  %s makes %.0f a second", o.w.since(), r.options.Name, rate)
			}
		}
		last, at = o.queries(), time.Now()
	}
}

func (o *watch) queries() []int64 {
	var all []int64
	for _, r := range o.w.replicas {
		var n int64
		for _, p := range r.proxies {
			n += p.requests.Load()
		}
		all = append(all, n)
	}
	return all
}

func (o *watch) goroutines(ctx context.Context, r *replica) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+r.process().Address+"/metrics", nil)
	if err != nil {
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+o.w.Config.BearerToken)
	resp, err := o.client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	m := goroutines.FindSubmatch(body)
	if err != nil || m == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}

// residentMiB returns the memory of a process, and 0 if it is not known.
func residentMiB(pid int) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib / 1024
		}
	}
	return 0
}
