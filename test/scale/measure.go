package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
)

// replica is a running headstart serve.
type replica struct {
	*harness.Headstart
	metrics string // URL
}

func (w *world) measure(ctx context.Context) (row, error) {
	r := row{n: w.n, plannedOf: w.n}
	if w.memory != "" {
		if err := os.Setenv("GOMEMLIMIT", w.memory); err != nil {
			return r, err
		}
	}
	began := time.Now()
	for i := range w.replicas {
		if err := w.serve(ctx, i); err != nil {
			return r, err
		}
	}
	// It is not for Prometheus, which starts again later.
	if err := os.Unsetenv("GOMEMLIMIT"); err != nil {
		return r, err
	}
	leader, err := w.awaitPlans(ctx, &r)
	if err != nil {
		return r, err
	}
	r.cold, r.held, r.shares = time.Since(began), r.owned, w.shares
	if err := sleep(ctx, w.settle); err != nil {
		return r, err
	}
	if err := w.measureSteady(ctx, leader, &r); err != nil {
		return r, err
	}
	if w.rssLimit > 0 {
		if err := w.checkServed(ctx, &r); err != nil {
			return r, err
		}
	}
	if err := w.measureFaults(ctx, leader, &r); err != nil {
		return r, err
	}
	return r, w.checkLimit(r)
}

// measureFaults lets Prometheus be down for a while, and then kills a replica.
func (w *world) measureFaults(ctx context.Context, leader *replica, r *row) error {
	if w.outage > 0 {
		w.prom.Kill()
		time.Sleep(w.outage)
		if err := w.prom.Start(ctx); err != nil {
			return err
		}
		began := time.Now()
		if _, err := w.awaitPlans(ctx, r); err != nil {
			return err
		}
		r.outage = time.Since(began)
	}
	if w.replicas > 1 {
		leader.Kill()
		began := time.Now()
		w.drop(leader)
		r.takeover, r.oldest = 0, 0
		w.died = began
		if _, err := w.awaitPlans(ctx, r); err != nil {
			return err
		}
		r.death = time.Since(began)
	}
	return nil
}

// checkLimit returns an error if a replica has ended, or needed more memory than its limit.
func (w *world) checkLimit(r row) error {
	for _, h := range w.serving {
		select {
		case <-h.Done():
			return fmt.Errorf("%s has ended; the end of its log:\n%s", h.Name(), h.Tail())
		default:
		}
	}
	if w.rssLimit > 0 && r.peak > w.rssLimit {
		return fmt.Errorf("a replica needed %d MiB, and would have been killed at %d MiB: %s", r.peak, w.rssLimit, r)
	}
	return nil
}

func (w *world) drop(dead *replica) {
	var alive []*replica
	for _, h := range w.serving {
		if h != dead {
			alive = append(alive, h)
		}
	}
	w.serving = alive
}

// observeInterval is that of an installation.
const observeInterval = 30 * time.Second

// serve starts a replica with the rates of an installation.
func (w *world) serve(ctx context.Context, i int) error {
	ports, err := controlplane.FreePorts(2)
	if err != nil {
		return err
	}
	address := "127.0.0.1:" + strconv.Itoa(ports[1])
	h, err := harness.Serve(ctx, w.control, w.layout, harness.ServeOptions{
		Name: "headstart-" + strconv.Itoa(i), Port: ports[0], Sources: map[string]string{"default": w.prom.URL},
		HPASync: 15 * time.Second, PlanRefresh: 5 * time.Minute, ObserveInterval: observeInterval, WritesPerHour: 12,
		Args: append([]string{"--metrics-bind-address=" + address}, w.args...),
	})
	if err != nil {
		return err
	}
	w.serving = append(w.serving, &replica{Headstart: h, metrics: "http://" + address + "/metrics"})
	return nil
}

// awaitPlans waits until the replicas have planned every Forecast, or have too little memory for
// that. It returns the one that planned the most.
func (w *world) awaitPlans(ctx context.Context, r *row) (*replica, error) {
	ctx, cancel := context.WithTimeout(ctx, w.within)
	defer cancel()
	printed := time.Now()
	for {
		asked := time.Now()
		var busiest *replica
		r.planned, r.owned, r.overloaded, w.shares = 0, 0, 0, nil
		overloaded, known := false, 0
		for _, h := range w.serving {
			text, err := get(ctx, h.metrics)
			if err != nil {
				continue
			}
			m := parseMetrics(text)
			planned := m.count("headstart_forecast_condition", `type="HistoryReady"`, 1)
			r.planned += planned
			w.shares = append(w.shares, planned)
			r.overloaded += m.count("headstart_forecast_condition", `type="Overloaded"`, 1)
			known += w.lookAtPlans(m, r)
			if planned > r.owned {
				busiest, r.owned = h, planned
			}
			overloaded = overloaded || m.sum("headstart_controller_overload_level") >= 3
		}
		if r.takeover == 0 && known >= w.n && !w.died.IsZero() {
			r.takeover = time.Since(w.died)
		}
		took := time.Since(asked)
		w.lookAtMemory(r)
		if busiest != nil && (r.planned >= w.n || overloaded) {
			return busiest, nil
		}
		if time.Since(printed) > 15*time.Second {
			printed = time.Now()
			fmt.Fprintf(os.Stderr, "%d of %d planned, %d of them by one replica\n", r.planned, w.n, r.owned)
		}
		select {
		case <-ctx.Done():
			return nil, errors.New("not all Forecasts were planned within " + w.within.String())
		case <-time.After(max(time.Second, pagePause*took)):
		}
	}
}

// pagePause is how many times as long as the pages of metrics took is waited before the next look.
// With 3,000 Forecasts a page each second took nearly as much of a core as the fits.
const pagePause = 15

const mib = 1 << 20

// horizon is that of the Forecasts, and the age of a plan that ends now.
const horizon = 24 * time.Hour

// lookAtPlans returns of how many Forecasts a replica has a plan, and notes the age of the oldest
// since the death of a replica. A plan is up to a step older than its status says.
func (w *world) lookAtPlans(m metrics, r *row) (known int) {
	for series, end := range m {
		if !has(series, "headstart_forecast_plan_end_timestamp_seconds", nil) {
			continue
		}
		known++
		if age := horizon - time.Until(time.Unix(int64(end), 0)); !w.died.IsZero() {
			r.oldest = max(r.oldest, age)
		}
	}
	return known
}

// lookAtMemory notes the most memory that a replica has needed so far.
func (w *world) lookAtMemory(r *row) {
	for _, h := range w.serving {
		r.peak = max(r.peak, memoryOf(h.PID(), "VmHWM:"))
	}
}

// memoryOf returns a figure of a process in MiB; 0 where it is not known.
func memoryOf(pid int, figure string) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, figure); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib / 1024
		}
	}
	return 0
}

// measureSteady measures for a while in which nothing happens. It does not ask the replicas
// meanwhile, since a page of metrics takes them as long as many Forecasts do.
func (w *world) measureSteady(ctx context.Context, leader *replica, r *row) error {
	before, err := w.sample(ctx, leader)
	if err != nil {
		return err
	}
	began := time.Now()
	for time.Since(began) < w.steady {
		time.Sleep(min(time.Second, w.steady))
		for _, h := range w.serving {
			if resident := float64(memoryOf(h.PID(), "VmRSS:")); h == leader {
				r.rss = max(r.rss, resident)
			} else {
				r.follower = max(r.follower, resident)
			}
		}
		w.lookAtMemory(r)
	}
	seconds := time.Since(began).Seconds()
	now, err := w.sample(ctx, leader)
	if err != nil {
		return err
	}
	r.heap, r.cpu = now.heap, (now.cpu-before.cpu)/seconds
	r.queries, r.requests = (now.queries-before.queries)/seconds, (now.requests-before.requests)/seconds
	r.writes = (now.writes - before.writes) / seconds
	r.polls = (now.polls - before.polls) / seconds * observeInterval.Seconds() / float64(w.n)
	return nil
}

// sample has counters and gauges of an instant.
type sample struct{ heap, cpu, queries, requests, writes, polls float64 }

func (w *world) sample(ctx context.Context, leader *replica) (sample, error) {
	var s sample
	for _, h := range w.serving {
		text, err := get(ctx, h.metrics)
		if err != nil {
			return s, err
		}
		m := parseMetrics(text)
		s.requests += m.sum("rest_client_requests_total")
		s.writes += m.sum("headstart_controller_status_writes_total")
		s.polls += m.sum("headstart_observed_polls_total")
		if h == leader {
			s.cpu, s.heap = m.sum("process_cpu_seconds_total"), m.sum("go_memstats_heap_alloc_bytes")/mib
		}
	}
	text, err := get(ctx, w.prom.URL+"/metrics")
	m := parseMetrics(text)
	for _, handler := range []string{"/api/v1/query", "/api/v1/query_range"} {
		s.queries += m.sum("prometheus_http_requests_total", `handler="`+handler+`"`)
	}
	return s, err
}
