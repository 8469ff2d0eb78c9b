// Command scale measures headstart serve with many Forecasts: memory, processor, queries and writes
// a second, and the time until all are planned after a cold start, after the death of a replica and
// after an outage of Prometheus.
//
// It runs on the real control plane and a real Prometheus, with 28 days of history at one minute.
// With several numbers of Forecasts, it prints what one more costs.
//
// With -overflow it measures instead, on two control planes, what overflow to a second cluster
// costs.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"headstart.dev/headstart/test/binaries"
)

// options are the flags.
type options struct {
	forecasts []int
	replicas  int
	steady    time.Duration
	outage    time.Duration
	within    time.Duration
	memory    string
	rssLimit  int // MiB; 0 is none
	args      []string
	overflow  bool
	settle    time.Duration
}

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := measureAll(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "scale: %v\n", err)
		return 1
	}
	return 0
}

func parse() (options, error) {
	var o options
	numbers := flag.String("n", "300", "`NUMBERS` of Forecasts, such as 300 or 300,1000,3000")
	flag.IntVar(&o.replicas, "replicas", 2, "replicas of headstart serve; with one, none dies")
	flag.DurationVar(&o.steady, "steady", 5*time.Minute, "how long to measure once all are planned")
	flag.DurationVar(&o.outage, "outage", 2*time.Minute, "how long Prometheus is down; 0 for no outage")
	flag.DurationVar(&o.within, "within", 30*time.Minute, "how long to wait for plans")
	flag.StringVar(&o.memory, "memory-limit", "", "`GOMEMLIMIT` of each replica, such as 460MiB")
	flag.IntVar(&o.rssLimit, "rss-limit", 0, "`MIB` that a container would have: GOMEMLIMIT is nine tenths of it, "+
		"a replica that needs more counts as killed, and what is served is checked; 0 for none")
	flag.BoolVar(&o.overflow, "overflow", false, "measure instead what it costs that so many Forecasts overflow to a "+
		"second cluster: their plans are of peaks alone, and each flag about faults, memory and replicas is left aside")
	flag.DurationVar(&o.settle, "settle", 0, "how long to wait once all are planned: at first each Forecast may use "+
		"its status writes of an hour within minutes, and plans are spread evenly after a while")
	flag.Parse()
	o.args = flag.Args()
	for text := range strings.SplitSeq(*numbers, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 {
			return o, fmt.Errorf("-n %q: give whole numbers above 0, with commas between them", *numbers)
		}
		o.forecasts = append(o.forecasts, n)
	}
	if o.rssLimit > 0 && o.memory == "" {
		o.memory = fmt.Sprintf("%dMiB", o.rssLimit*9/10)
	}
	if o.replicas < 1 {
		return o, fmt.Errorf("-replicas %d: give at least 1", o.replicas)
	}
	return o, nil
}

func measureAll(ctx context.Context) error {
	o, err := parse()
	if err != nil {
		return err
	}
	layout, err := binaries.FindLayout()
	if err != nil {
		return err
	}
	if o.overflow {
		return measureOverflow(ctx, layout, o)
	}
	var rows []row
	for _, n := range o.forecasts {
		w, err := newWorld(ctx, layout, o, n)
		if err != nil {
			return err
		}
		r, err := w.measure(ctx)
		w.stop()
		if err != nil {
			return err
		}
		rows = append(rows, r)
		fmt.Println(r)
	}
	if len(rows) > 1 {
		slope, intercept := line(rows)
		fmt.Printf("one more Forecast takes %.2f MiB of a replica, which takes %.0f MiB without any\n", slope, intercept)
	}
	return nil
}
