package simulator

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"time"
)

// The metrics that the simulator exposes, all with the label service.
const (
	metricRequests = "simulator_requests"
	metricDropped  = "simulator_requests_dropped"
	metricReady    = "simulator_replicas_ready"
	metricLatency  = "simulator_latency_seconds"
)

// Job is the name of the job under which Prometheus must scrape the simulator, so that the
// preloaded counters continue.
const Job = "simulator"

// WriteHistory writes the counters of the services from the demand's begin up to an instant, one
// sample each interval, as OpenMetrics text for promtool. The series are those that Prometheus gets
// by scraping the simulator at address. Those of queues also have their latency and ready replicas,
// which followed demand every twenty intervals.
func WriteHistory(
	path string, d *Demand, services []string, address string, until time.Time, interval time.Duration, queues ...Service,
) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<16)
	fmt.Fprintf(w, "# TYPE %s counter\n", metricRequests)
	for _, service := range services {
		for t := d.Begin; t.Before(until); t = t.Add(interval) {
			fmt.Fprintf(w, "%s_total{instance=%q,job=%q,service=%q} %.3f %.3f\n", metricRequests, address, Job, service,
				d.Total(t),
				float64(t.UnixMilli())/1000)
		}
	}
	for _, service := range queues {
		service.write(w, d, address, until, interval)
	}
	fmt.Fprintln(w, "# EOF")
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	return f.Close()
}

// write writes latency and ready replicas of a service with a queue.
func (svc Service) write(w io.Writer, d *Demand, address string, until time.Time, interval time.Duration) {
	past := Past{Demand: d, Capacity: svc.Capacity, Every: 20 * interval}
	for _, metric := range []string{metricReady, metricLatency} {
		fmt.Fprintf(w, "# TYPE %s gauge\n", metric)
		var q queue
		for t := d.Begin; t.Before(until); t = t.Add(interval) {
			ready := past.Ready(t)
			q.add(interval, d.At(t), ready, svc.Capacity)
			v := float64(ready)
			if metric == metricLatency {
				v = q.latency(t, d.At(t), ready, svc.Capacity, svc.Objective)
			}
			fmt.Fprintf(w, "%s{instance=%q,job=%q,service=%q} %.6f %.3f\n", metric, address, Job, svc.Name, v,
				float64(t.UnixMilli())/1000)
		}
	}
}
