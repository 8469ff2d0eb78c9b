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

// row is what was measured with n Forecasts.
type row struct {
	n                  int
	rss, heap, cpu     float64 // of the replica that plans the most: MiB, MiB, cores
	follower           float64 // resident memory of another replica, MiB
	queries            float64 // of all replicas, a second
	requests, writes   float64 // of all replicas to the API server, a second
	cold, death        time.Duration
	outage             time.Duration
	overloaded         int
	planned, plannedOf int
	owned, held        int // planned by the replica that plans the most: now, and when it was measured
}

func (r row) String() string {
	seconds := func(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 0, 64) + " s" }
	return fmt.Sprintf("%d Forecasts: resident %.0f MiB (heap %.0f, another replica %.0f), %.3f of a core, "+
		"%.1f queries/s, %.1f API requests/s of which %.2f status writes/s; "+
		"%d of %d planned %s after a cold start (%d overloaded), %s after the death of a replica, "+
		"%s after the outage of Prometheus",
		r.n, r.rss, r.heap, r.follower, r.cpu, r.queries, r.requests, r.writes,
		r.planned, r.plannedOf, seconds(r.cold), r.overloaded, seconds(r.death), seconds(r.outage))
}

// line returns slope and intercept of a replica's resident memory over the Forecasts that it plans:
// the least squares.
func line(rows []row) (slope, intercept float64) {
	var n, x, y, xx, xy float64
	for _, r := range rows {
		f := float64(r.held)
		n, x, y, xx, xy = n+1, x+f, y+r.rss, xx+f*f, xy+f*r.rss
	}
	slope = (n*xy - x*y) / (n*xx - x*x)
	return slope, (y - slope*x) / n
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
	leader, err := w.awaitPlans(ctx, "HistoryReady", &r)
	if err != nil {
		return r, err
	}
	r.cold, r.held = time.Since(began), r.owned
	if err := w.measureSteady(ctx, leader, &r); err != nil {
		return r, err
	}
	if w.outage > 0 {
		w.prom.Kill()
		time.Sleep(w.outage)
		if err := w.prom.Start(ctx); err != nil {
			return r, err
		}
		began = time.Now()
		if _, err := w.awaitPlans(ctx, "HistoryReady", &r); err != nil {
			return r, err
		}
		r.outage = time.Since(began)
	}
	if w.replicas > 1 {
		leader.Kill()
		began = time.Now()
		w.drop(leader)
		if _, err := w.awaitPlans(ctx, "HistoryReady", &r); err != nil {
			return r, err
		}
		r.death = time.Since(began)
	}
	return r, nil
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

// serve starts a replica with the rates of an installation.
func (w *world) serve(ctx context.Context, i int) error {
	ports, err := controlplane.FreePorts(2)
	if err != nil {
		return err
	}
	address := "127.0.0.1:" + strconv.Itoa(ports[1])
	h, err := harness.Serve(ctx, w.control, w.layout, harness.ServeOptions{
		Name: "headstart-" + strconv.Itoa(i), Port: ports[0], Sources: map[string]string{"default": w.prom.URL},
		HPASync: 15 * time.Second, PlanRefresh: 5 * time.Minute, ObserveInterval: 30 * time.Second, WritesPerHour: 12,
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
func (w *world) awaitPlans(ctx context.Context, kind string, r *row) (*replica, error) {
	ctx, cancel := context.WithTimeout(ctx, w.within)
	defer cancel()
	printed := time.Now()
	for {
		var busiest *replica
		r.planned, r.owned = 0, 0
		overloaded := false
		for _, h := range w.serving {
			text, err := get(ctx, h.metrics)
			if err != nil {
				continue
			}
			m := parseMetrics(text)
			planned := m.count("headstart_forecast_condition", `type="`+kind+`"`, 1)
			r.planned += planned
			if planned > r.owned {
				busiest, r.owned = h, planned
			}
			overloaded = overloaded || m.sum("headstart_controller_overload_level") >= 3
		}
		r.overloaded = w.n - r.planned
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
		case <-time.After(time.Second):
		}
	}
}

const mib = 1 << 20

// measureSteady measures for a while in which nothing happens.
func (w *world) measureSteady(ctx context.Context, leader *replica, r *row) error {
	before, err := w.sample(ctx, leader)
	if err != nil {
		return err
	}
	began := time.Now()
	for time.Since(began) < w.steady {
		time.Sleep(5 * time.Second)
		now, err := w.sample(ctx, leader)
		if err != nil {
			return err
		}
		r.rss, r.heap, r.follower = max(r.rss, now.rss), max(r.heap, now.heap), max(r.follower, now.follower)
		seconds := time.Since(began).Seconds()
		r.cpu = (now.cpu - before.cpu) / seconds
		r.queries, r.requests = (now.queries-before.queries)/seconds, (now.requests-before.requests)/seconds
		r.writes = (now.writes - before.writes) / seconds
	}
	return nil
}

// sample has counters and gauges of an instant.
type sample struct{ rss, heap, cpu, follower, queries, requests, writes float64 }

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
		if h != leader {
			s.follower = max(s.follower, m.sum("process_resident_memory_bytes")/mib)
			continue
		}
		s.rss, s.cpu = m.sum("process_resident_memory_bytes")/mib, m.sum("process_cpu_seconds_total")
		s.heap = m.sum("go_memstats_heap_alloc_bytes") / mib
	}
	text, err := get(ctx, w.prom.URL+"/metrics")
	m := parseMetrics(text)
	for _, handler := range []string{"/api/v1/query", "/api/v1/query_range"} {
		s.queries += m.sum("prometheus_http_requests_total", `handler="`+handler+`"`)
	}
	return s, err
}

// metrics are the lines of a page of metrics: series and values.
type metrics map[string]float64

func parseMetrics(text string) metrics {
	m := metrics{}
	for line := range strings.Lines(text) {
		i := strings.LastIndexByte(strings.TrimSpace(line), ' ')
		if i < 0 || line[0] == '#' {
			continue
		}
		if v, err := strconv.ParseFloat(strings.TrimSpace(line[i:]), 64); err == nil {
			m[line[:i]] = v
		}
	}
	return m
}

// has reports whether a series is of this metric and has these labels.
func has(series, name string, labels []string) bool {
	metric, rest, _ := strings.Cut(series, "{")
	if metric != name {
		return false
	}
	for _, label := range labels {
		if !strings.Contains(rest, label) {
			return false
		}
	}
	return true
}

func (m metrics) sum(name string, labels ...string) (sum float64) {
	for series, v := range m {
		if has(series, name, labels) {
			sum += v
		}
	}
	return sum
}

// count returns how many series have this value.
func (m metrics) count(name, label string, value float64) (n int) {
	for series, v := range m {
		if has(series, name, []string{label}) && v == value {
			n++
		}
	}
	return n
}
