package simulator

import (
	"bufio"
	"fmt"
	"os"
	"time"
)

// The metrics that the simulator exposes, all with the label service.
const (
	metricRequests = "simulator_requests"
	metricDropped  = "simulator_requests_dropped"
)

// Job is the name of the job under which Prometheus must scrape the simulator, so that the
// preloaded counters continue.
const Job = "simulator"

// WriteHistory writes the counters of the services from the demand's begin up to an instant, one
// sample each interval, as OpenMetrics text for promtool. The series are those that Prometheus gets
// by scraping the simulator at address.
func WriteHistory(
	path string, d *Demand, services []string, address string, until time.Time, interval time.Duration,
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
	fmt.Fprintln(w, "# EOF")
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	return f.Close()
}
