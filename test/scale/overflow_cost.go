package main

import (
	"context"
	"fmt"
	"os"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

func isNotFound(err error) bool { return apierrors.IsNotFound(err) }
func isExists(err error) bool   { return apierrors.IsAlreadyExists(err) }

// overflowCost is what was measured in two clusters, in a steady state.
type overflowCost struct {
	n                  int
	overflows          bool
	cpuA, cpuB         float64 // of headstart, in cores
	apiA               float64 // of the API server of a, in cores
	watches            float64 // of Forecasts of one namespace, open in a
	lists, gets, again float64 // requests of Forecasts of one namespace in a: lists, reads, and watches that began
	writesA, writesB   float64 // status writes a second
	rssB               int     // MiB
	took               time.Duration
}

func (c overflowCost) String() string {
	what := "without overflow"
	if c.overflows {
		what = "with overflow"
	}
	return fmt.Sprintf("%d Forecasts %s, for %s: headstart takes %.4f of a core in a and %.4f in b (resident %d MiB); "+
		"a's API server takes %.3f, has %.0f watches of a namespace's Forecasts, and began %.0f more; "+
		"%.0f lists and %.0f reads of Forecasts from a namespace; %.2f and %.2f status writes/s",
		c.n, what, c.took.Round(time.Second), c.cpuA, c.cpuB, c.rssB, c.apiA, c.watches, c.again, c.lists, c.gets,
		c.writesA, c.writesB)
}

// measureCost waits until all Forecasts are planned, and for two refreshes of the plans more, and
// then measures for o.steady.
func measureCost(ctx context.Context, o options, n int, a, b *site, overflows bool) (overflowCost, error) {
	c := overflowCost{n: n, overflows: overflows}
	for _, s := range []*site{a, b} {
		if err := s.awaitPlans(ctx, o, n, overflows); err != nil {
			return c, fmt.Errorf("cluster %s: %w", s.name, err)
		}
	}
	if err := sleep(ctx, o.settle); err != nil {
		return c, err
	}
	before, err := sampleOverflow(ctx, a, b)
	if err != nil {
		return c, err
	}
	began := time.Now()
	if err := sleep(ctx, o.steady); err != nil {
		return c, err
	}
	after, err := sampleOverflow(ctx, a, b)
	if err != nil {
		return c, err
	}
	c.took = time.Since(began)
	rate := func(of func(overflowSample) float64) float64 { return (of(after) - of(before)) / c.took.Seconds() }
	c.cpuA = rate(func(s overflowSample) float64 { return s.a.sum("process_cpu_seconds_total") })
	c.cpuB = rate(func(s overflowSample) float64 { return s.b.sum("process_cpu_seconds_total") })
	c.apiA = rate(func(s overflowSample) float64 { return s.api.sum("process_cpu_seconds_total") })
	const writes = "headstart_controller_status_writes_total"
	c.writesA = rate(func(s overflowSample) float64 { return s.a.sum(writes) })
	c.writesB = rate(func(s overflowSample) float64 { return s.b.sum(writes) })
	requests := func(verb string) float64 { return after.requests(verb) - before.requests(verb) }
	c.lists, c.gets, c.again = requests("LIST"), requests("GET"), requests("WATCH")
	c.watches = after.api.sum("apiserver_longrunning_requests", `resource="forecasts"`, `scope="namespace"`)
	c.rssB = memoryOf(b.serving.PID(), "VmRSS:")
	return c, nil
}

// sleep waits for a time.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// awaitPlans waits until a replica has planned all Forecasts, and in cluster b has read what
// overflows.
func (s *site) awaitPlans(ctx context.Context, o options, n int, overflows bool) error {
	printed := time.Now()
	for end := time.Now().Add(o.within); time.Now().Before(end); {
		text, err := get(ctx, s.serving.metrics)
		if err != nil {
			return err
		}
		m := parseMetrics(text)
		planned, told := m.count("headstart_forecast_condition", `type="Ready"`, 1), n
		if overflows {
			told = m.count("headstart_forecast_condition", `type="FitsCluster"`, 0)
			if s.name == "b" {
				told = m.count("headstart_forecast_condition", `type="OverflowRead"`, 1)
			}
		}
		if planned >= n && told >= n {
			return nil
		}
		if time.Since(printed) > 15*time.Second {
			printed = time.Now()
			fmt.Fprintf(os.Stderr, "cluster %s: %d of %d planned, the overflow of %d known\n", s.name, planned, n, told)
		}
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
	}
	return errNotPlanned
}

// overflowSample has the metrics of an instant: of headstart in both clusters, and of a's API
// server.
type overflowSample struct{ a, b, api metrics }

func sampleOverflow(ctx context.Context, a, b *site) (s overflowSample, err error) {
	text, err := a.control.Client.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return s, fmt.Errorf("read the metrics of the API server: %w", err)
	}
	s.api = parseMetrics(string(text))
	for site, into := range map[*site]*metrics{a: &s.a, b: &s.b} {
		text, err := get(ctx, site.serving.metrics)
		if err != nil {
			return s, err
		}
		*into = parseMetrics(text)
	}
	return s, nil
}

// requests returns how many requests for the Forecasts of one namespace a's API server has had. Its
// own headstart reads those of all namespaces.
func (s overflowSample) requests(verb string) float64 {
	scope := "namespace"
	if verb == "GET" {
		scope = "resource"
	}
	return s.api.sum("apiserver_request_total", `resource="forecasts"`, `scope="`+scope+`"`, `verb="`+verb+`"`)
}
