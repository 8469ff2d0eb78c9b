package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/report"
	"headstart.dev/headstart/scheduler"
)

// forecastFlags name a Forecast in a cluster.
type forecastFlags struct {
	name    string
	cluster *clusterFlags
}

func (f *forecastFlags) register(flags *pflag.FlagSet) {
	config := genericclioptions.NewConfigFlags(true)
	f.cluster = &clusterFlags{config: config}
	flags.StringVar(&f.name, "forecast", "", "NAMESPACE/NAME of a Forecast in the cluster: its query, lead, capacity, contract and peaks, with history from --prometheus")
	flags.StringVar(config.KubeConfig, "kubeconfig", "", "kubeconfig of the cluster, for --forecast")
	flags.StringVar(config.Context, "context", "", "context of the kubeconfig, for --forecast")
}

// fromForecast fills in, from a Forecast, what the command line leaves open; given tells what it does not.
func (o *reportOptions) fromForecast(ctx context.Context, c client.Reader, given func(flag string) bool) (report.Peaks, error) {
	namespace, name, ok := strings.Cut(o.forecast.name, "/")
	if !ok || namespace == "" || name == "" {
		return report.Peaks{}, fmt.Errorf("--forecast %q must be NAMESPACE/NAME", o.forecast.name)
	}
	var fc v1alpha1.Forecast
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &fc); err != nil {
		return report.Peaks{}, fmt.Errorf("read forecast %s: %w", o.forecast.name, err)
	}
	if err := o.takeSpec(&fc, given); err != nil {
		return report.Peaks{}, fmt.Errorf("forecast %s: %w", o.forecast.name, err)
	}
	if o.in.input == "" && o.in.prometheus == "" {
		return report.Peaks{}, errors.New("the history of a Forecast is read by you, not by the server: give --prometheus with an address that you can reach, " +
			"such as http://localhost:9090 after kubectl port-forward -n MONITORING service/PROMETHEUS 9090")
	}
	return clusterPeaks(ctx, c, &fc)
}

// takeSpec takes over the fields of the spec, and of the status what the server learned.
func (o *reportOptions) takeSpec(fc *v1alpha1.Forecast, given func(flag string) bool) error {
	spec := &fc.Spec
	var errs []error
	set := func(flag string, into *promDuration, d v1alpha1.Duration) {
		if d == "" || given(flag) {
			return
		}
		errs = append(errs, into.Set(string(d)))
	}
	if d := spec.Demand; d != nil && o.in.input == "" {
		if !given("query") {
			o.in.query = d.Prometheus.Query
		}
		set("step", &o.in.step, d.Resolution)
		set("history", &o.in.history, d.History)
	}
	set("horizon", &o.horizon, spec.Horizon)
	switch {
	case spec.LeadTime.Fixed != nil:
		set("lead", &o.lead, *spec.LeadTime.Fixed)
	case fc.Status.LeadTime != nil:
		set("lead", &o.lead, fc.Status.LeadTime.Value)
	}
	if !given("capacity") {
		switch {
		case spec.CapacityPerReplica != nil:
			o.capacity = spec.CapacityPerReplica.AsApproximateFloat64()
		case fc.Status.CapacityPerReplica != nil:
			o.capacity = fc.Status.CapacityPerReplica.Value.AsApproximateFloat64()
		}
	}
	if o.service == "" {
		o.service = fc.Name
	}
	o.takeContract(spec, given)
	return errors.Join(errs...)
}

// takeContract takes over the contract, and what else is no duration.
func (o *reportOptions) takeContract(spec *v1alpha1.ForecastSpec, given func(flag string) bool) {
	if !given("service-level") && !given("shortage-cost") {
		if l := spec.ProvisionFor.ServiceLevel; l != nil {
			o.serviceLevel = string(*l)
		}
		if k := spec.ProvisionFor.ShortageCost; k != nil {
			o.shortageCost = string(*k)
		}
	}
	if zone := spec.Seasonality.TimeZone; zone != "" && !given("time-zone") {
		o.timeZone = string(zone)
	}
	if !given("calendars") {
		o.calendars = spec.Seasonality.Calendars
	}
}

// clusterPeaks are the PeakSchedules that lift a Forecast, and the Calendars of the cluster.
func clusterPeaks(ctx context.Context, c client.Reader, fc *v1alpha1.Forecast) (report.Peaks, error) {
	out := report.Peaks{Calendars: scheduler.Calendars{}}
	var calendars v1alpha1.CalendarList
	if err := c.List(ctx, &calendars); err != nil {
		return out, fmt.Errorf("list calendars: %w", err)
	}
	for _, cal := range calendars.Items {
		compiled, err := scheduler.CompileCalendar(cal.Name, cal.Spec)
		if err != nil {
			return out, fmt.Errorf("calendar %s: %w", cal.Name, err)
		}
		out.Calendars[cal.Name] = compiled
	}
	var schedules v1alpha1.PeakScheduleList
	if err := c.List(ctx, &schedules, client.InNamespace(fc.Namespace)); err != nil {
		return out, fmt.Errorf("list peak schedules: %w", err)
	}
	for _, s := range schedules.Items {
		if picked, err := picks(&s, fc); err != nil {
			return out, err
		} else if !picked {
			continue
		}
		compiled, err := scheduler.Compile(s.Name, s.Spec, out.Calendars)
		if err != nil {
			return out, fmt.Errorf("peak schedule %s: %w", s.Name, err)
		}
		out.Schedules = append(out.Schedules, compiled)
	}
	return out, nil
}

// picks says whether a PeakSchedule lifts a Forecast.
func picks(s *v1alpha1.PeakSchedule, fc *v1alpha1.Forecast) (bool, error) {
	for _, ref := range s.Spec.ForecastRefs {
		if ref.Name == fc.Name {
			return true, nil
		}
	}
	if s.Spec.ForecastSelector == nil {
		return false, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(s.Spec.ForecastSelector)
	if err != nil {
		return false, fmt.Errorf("peak schedule %s: spec.forecastSelector: %w", s.Name, err)
	}
	return selector.Matches(labels.Set(fc.Labels)), nil
}

// fromCluster does it with the user's own permissions.
func (o *reportOptions) fromCluster(ctx context.Context, given func(flag string) bool) (report.Peaks, error) {
	c, err := o.forecast.cluster.client()
	if err != nil {
		return report.Peaks{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return o.fromForecast(ctx, c, given)
}
