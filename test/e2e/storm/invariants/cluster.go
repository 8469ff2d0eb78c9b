package invariants

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// HPAs looks at what the HPAs want, until ctx ends.
func (w *Watch) HPAs(ctx context.Context) {
	for ctx.Err() == nil {
		w.lookAtHPAs(ctx)
		pause(ctx, time.Second)
	}
}

func (w *Watch) lookAtHPAs(ctx context.Context) {
	request, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	list, err := w.Cluster.HPAs(request)
	if err != nil {
		return // the API server is away
	}
	for _, h := range list {
		switch {
		case h.Desired == 0: // its controller has not looked at it yet
		case h.Desired < w.Limits.Replicas:
			w.add(NoScaleDown, "%s/%s wants %d, want %d", h.Namespace, h.Name, h.Desired, w.Limits.Replicas)
		case h.Desired > w.Limits.Replicas:
			w.add(NoScaleUp, "%s/%s wants %d, want %d", h.Namespace, h.Name, h.Desired, w.Limits.Replicas)
		}
	}
}

// Resources looks at the memory, the goroutines and the queries of every replica, until ctx ends.
func (w *Watch) Resources(ctx context.Context) {
	for ctx.Err() == nil {
		w.lookAtResources(ctx, 5*time.Second)
	}
}

// lookAtResources looks once, and counts queries for a while before.
func (w *Watch) lookAtResources(ctx context.Context, d time.Duration) {
	before, began := make([]int64, len(w.Replicas)), time.Now()
	for i, r := range w.Replicas {
		before[i] = r.Requests()
	}
	pause(ctx, d)
	if ctx.Err() != nil {
		return
	}
	for i, r := range w.Replicas {
		if rate := float64(r.Requests()-before[i]) / time.Since(began).Seconds(); rate > w.Limits.Queries {
			w.add(QueriesBound, "%s makes %.0f a second", r.Name(), rate)
		}
		mib := r.MemoryMiB()
		if mib > w.Limits.MemoryMiB {
			w.add(MemoryBound, "%s has %d MiB", r.Name(), mib)
		}
		n := w.goroutines(ctx, r)
		if n > w.Limits.Goroutines {
			w.add(GoroutinesBound, "%s has %d", r.Name(), n)
		}
		w.see(func(s *Seen) { s.PeakMiB, s.PeakGoroutines = max(s.PeakMiB, mib), max(s.PeakGoroutines, n) })
	}
}

var goroutines = regexp.MustCompile(`(?m)^go_goroutines (\d+)`)

// goroutines returns how many goroutines a replica has; 0 when that is not known.
func (w *Watch) goroutines(ctx context.Context, r Replica) int {
	body, err := w.get(ctx, r, "/metrics", 4<<20)
	m := goroutines.FindSubmatch(body)
	if err != nil || m == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}

// NotCalm returns what is not as in a calm run: every Forecast is Ready with a plan that is newer
// than an instant, every HPA wants what the demand needs, both doors of every replica answer for
// every service, and so many placeholders are held.
func (w *Watch) NotCalm(ctx context.Context, since time.Time, held int) []string {
	var wrong []string
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	list, err := w.Cluster.HPAs(ctx)
	if err != nil {
		add("HPAs: %v", err)
		return wrong
	}
	for _, h := range list {
		if h.Desired != w.Limits.Replicas || h.Current != w.Limits.Replicas {
			add("HPA %s/%s wants %d and has %d", h.Namespace, h.Name, h.Desired, h.Current)
		}
	}
	for _, s := range w.Services {
		f, err := w.Cluster.Forecast(ctx, s)
		if err != nil {
			add("%v", err)
			continue
		}
		if f.NotReady != "" {
			add("%s is not Ready: %s", s, f.NotReady)
		}
		if f.PlannedAt.Before(since) {
			add("%s has no fresh plan", s)
		}
		wrong = append(wrong, w.notServed(ctx, s)...)
		if len(wrong) > 20 {
			return wrong
		}
	}
	if n, err := w.Cluster.Placeholders(ctx); err != nil || n != held {
		add("%d placeholders, %v; want %d", n, err, held)
	}
	return wrong
}

// notServed returns which doors do not answer rightly for a service.
func (w *Watch) notServed(ctx context.Context, s Service) []string {
	var wrong []string
	for _, r := range w.Replicas {
		for door, path := range doors(s) {
			if v, err := w.ask(ctx, r, path); err != nil || !w.right(s, v) {
				wrong = append(wrong, fmt.Sprintf("%s, %s door, %s: %s, %v; want about %g", r.Name(), door, s, &v.Value, err,
					s.Demand))
			}
		}
	}
	return wrong
}

// Left returns what Headstart made and has not removed; nil when that is nothing, within a time.
func (w *Watch) Left(ctx context.Context, within time.Duration) error {
	var n int
	var err error
	for began := time.Now(); ; pause(ctx, min(time.Second, within/10)) {
		if n, err = w.Cluster.Placeholders(ctx); err == nil && n == 0 {
			return nil
		}
		if time.Since(began) >= within || ctx.Err() != nil {
			return errors.Join(err, fmt.Errorf("%d placeholders are left without a WarmPool", n))
		}
	}
}
