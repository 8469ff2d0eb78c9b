package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"headstart.dev/headstart/test/binaries"
	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
	"headstart.dev/headstart/test/simulator"
)

const (
	namespace = "demo"
	reactive  = "reactive"
	headstart = "headstart"

	capacity    = 10.0 // requests per second of one replica
	peak        = 200.0
	stepsPerDay = 150
	historyDays = 14
	setUp       = 75 * time.Second
)

// options are the flags.
type options struct {
	day    time.Duration
	days   int
	trace  string
	warmUp time.Duration
	plain  bool
	keep   bool
}

func defaultOptions() options {
	return options{day: 5 * time.Minute, days: 2, warmUp: 15 * time.Second}
}

func (o *options) flags(f *flag.FlagSet) {
	f.DurationVar(&o.day, "day", o.day, "how long a day lasts")
	f.IntVar(&o.days, "days", o.days, "how many days are shown")
	f.StringVar(&o.trace, "trace", o.trace,
		"CSV file (plain or .gz, timestamp,value) to replay instead of the built-in demand; its last days are shown")
	f.DurationVar(&o.warmUp, "warm-up", o.warmUp, "how long a replica takes from creation to ready")
	f.BoolVar(&o.plain, "plain", o.plain, "write plain lines instead of a live view")
	f.BoolVar(&o.keep, "keep-state", o.keep, "leave the state folder with all logs in place")
}

func (o options) validate() error {
	var errs []error
	if o.day < 4*time.Minute || o.day > 24*time.Hour {
		errs = append(errs, fmt.Errorf("-day %s: must be from 4m to 24h, since Prometheus scrapes once a second", o.day))
	}
	if o.days < 1 {
		errs = append(errs, fmt.Errorf("-days %d: must be at least 1", o.days))
	}
	if o.warmUp < 4*time.Second || o.warmUp > setUp/2 {
		errs = append(errs, fmt.Errorf("-warm-up %s: must be from 4s to %s", o.warmUp, setUp/2))
	}
	return errors.Join(errs...)
}

// scenario is the demand of some days past and of the days to be shown.
type scenario struct {
	options
	step     time.Duration
	values   []float64
	pastDays int
	sale     *sale // on the last day
}

// sale is a peak that the history does not show, but that people know in advance.
type sale struct {
	offset, duration time.Duration // from the start of the first day that is shown
	atLeast          float64
}

func (o options) scenario() (scenario, error) {
	s := scenario{options: o, pastDays: historyDays, step: max(2*time.Second, (o.day / stepsPerDay).Truncate(time.Second))}
	perDay := int(o.day / s.step)
	s.day = time.Duration(perDay) * s.step
	if o.trace == "" {
		s.values = simulator.DefaultWeek(historyDays+o.days, perDay).Values()
		s.addSale(perDay)
		return s, nil
	}
	trace, err := simulator.ReadTrace(o.trace)
	if err != nil {
		return s, err
	}
	if s.values, err = trace.Fit(historyDays+o.days, perDay, peak); err != nil {
		return s, fmt.Errorf("replay %s: %w", o.trace, err)
	}
	if s.pastDays = len(s.values)/perDay - o.days; s.pastDays < 2 {
		return s,
			fmt.Errorf("replay %s: it has %d whole days, of which %d are shown: at least two more are needed to learn from",
				o.trace, len(s.values)/perDay, o.days)
	}
	// A recorded trace has no sale. A peak of two hours is declared anyway, to be seen in the metric.
	s.sale = &sale{s.hours(24*(o.days-1) + 12), s.hours(2), 0.6 * peak}
	return s, nil
}

// addSale multiplies the demand in the evening of the last day by three.
func (s *scenario) addSale(perDay int) {
	first := len(s.values) - perDay + perDay*19/24
	steps := perDay * 3 / 24
	top := 0.0
	for i := first; i < first+steps; i++ {
		s.values[i] *= 3
		top = max(top, s.values[i])
	}
	begin := time.Duration(first-s.pastDays*perDay) * s.step
	s.sale = &sale{begin, time.Duration(steps) * s.step, float64(int(top/10+1)) * 10}
}

// hours returns a number of hours of the compressed day.
func (s scenario) hours(n int) time.Duration { return time.Duration(n) * s.day / 24 }

// length returns the time that is shown.
func (s scenario) length() time.Duration { return time.Duration(s.days) * s.day }

func (s scenario) world(layout binaries.Layout, log io.Writer) harness.WorldOptions {
	cp := controlplane.DefaultOptions(layout.Bin)
	cp.Log, cp.KeepState = log, s.keep
	service := harness.Service{
		Namespace: namespace, Capacity: capacity, Min: 1, Max: 40, ScaleDownWindow: 15 * time.Second,
		WarmUp:       controlplane.WarmUp{Create: s.warmUp / 4, Load: s.warmUp - s.warmUp/4},
		ProvisionFor: `{serviceLevel: "0.9"}`, Step: s.step, Horizon: s.day, DefaultLead: 30 * time.Second,
		History: time.Duration(s.pastDays)*s.day + setUp,
	}
	a, b := service, service
	a.Name, a.Mode = reactive, "DryRun"
	b.Name, b.Mode = headstart, "Active"
	return harness.WorldOptions{
		Layout: layout, Log: log, ControlPlane: cp, Step: s.step, Values: s.values,
		Past: len(s.values) - int(s.length()/s.step), SetUp: setUp, Services: []harness.Service{a, b},
	}
}

// peakYAML declares the sale to Headstart's service. The reactive service has no use for it.
func (s scenario) peakYAML(start time.Time) string {
	begin := start.Add(s.sale.offset).UTC().Format("2006-01-02T15:04:05")
	return fmt.Sprintf(`
apiVersion: headstart.dev/v1alpha1
kind: PeakSchedule
metadata: {name: sale, namespace: %s}
spec:
  forecastRefs: [{name: %s}]
  timeZone: UTC
  windows:
  - {name: sale, start: %q, duration: %ds, demand: {atLeast: "%.0f"}}
`, namespace, headstart, begin, int(s.sale.duration.Seconds()), s.sale.atLeast)
}
