package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/render"
	"headstart.dev/headstart/scheduler"
)

// forecastFlags name Forecasts in a cluster.
type forecastFlags struct {
	name    string
	cluster *clusterFlags
	history promDuration    // of the spec: what a fit looks back on, whatever is read
	periods []time.Duration // of the spec
}

func (f *forecastFlags) register(flags *pflag.FlagSet) {
	config := genericclioptions.NewConfigFlags(true)
	f.cluster = &clusterFlags{config: config}
	flags.StringVar(&f.name, "forecast", "", "NAMESPACE/NAME of a Forecast in the cluster; the same as an argument")
	flags.StringVarP(config.Namespace, "namespace", "n", "", "namespace of the Forecasts; without a name, all that are in it")
	flags.StringVar(config.KubeConfig, "kubeconfig", "", "kubeconfig of the cluster, for Forecasts")
	flags.StringVar(config.Context, "context", "", "context of the kubeconfig, for Forecasts")
}

// args refuses what is rather a file.
func (f *forecastFlags) args(_ *cobra.Command, args []string) error {
	for _, a := range args {
		if _, err := os.Stat(a); err == nil {
			return fmt.Errorf("unexpected argument %q: a file is given as --input %s", a, a)
		}
	}
	if f.name != "" && len(args) > 0 {
		return errors.New("give --forecast or names, not both")
	}
	return nil
}

// one is the name of the one Forecast that was asked for; "" without any.
func (f *forecastFlags) one(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return f.name
}

// several says whether a report about more than one was asked for.
func (f *forecastFlags) several(args []string, given func(flag string) bool) bool {
	return len(args) > 1 || len(args) == 0 && f.name == "" && given("namespace")
}

// clusterWait bounds what is read from the cluster.
const clusterWait = 30 * time.Second

// get reads a Forecast with the user's own permissions.
func (f *forecastFlags) get(ctx context.Context, c client.Reader, name string) (*v1alpha1.Forecast, error) {
	ctx, cancel := context.WithTimeout(ctx, clusterWait)
	defer cancel()
	namespace, err := f.cluster.namespace()
	if err != nil {
		return nil, err
	}
	list, err := forecasts(ctx, c, namespace, []string{name})
	if err != nil {
		return nil, err
	}
	return &list[0], nil
}

// all reads the named Forecasts, or all of the namespace.
func (f *forecastFlags) all(ctx context.Context, c client.Reader, names []string) ([]v1alpha1.Forecast, string, error) {
	ctx, cancel := context.WithTimeout(ctx, clusterWait)
	defer cancel()
	namespace, err := f.cluster.namespace()
	if err != nil {
		return nil, "", err
	}
	list, err := forecasts(ctx, c, namespace, names)
	if err != nil {
		return nil, "", err
	}
	title := "namespace " + namespace
	if len(names) > 0 {
		title = strings.Join(names, ", ")
	}
	if len(list) == 0 {
		return nil, "", fmt.Errorf("there is no Forecast in namespace %s", namespace)
	}
	slices.SortFunc(list, func(a, b v1alpha1.Forecast) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	return list, title, nil
}

// runSeveral reports on several Forecasts. One that cannot be replayed does not keep the others from it: it is named in the report, and
// the exit code says so.
func (o *reportOptions) runSeveral(ctx context.Context, streams Streams, now time.Time, args []string, given func(string) bool, write func(render.Document) error) error {
	switch {
	case o.in.input != "":
		return errors.New("--input is one series: name the Forecast that it is the history of")
	case o.decisions != "" || o.plans != "":
		return errors.New("--decisions and --plans are those of one Forecast: name it alone")
	}
	c, err := o.forecast.cluster.client()
	if err != nil {
		return err
	}
	list, title, err := o.forecast.all(ctx, c, args)
	if err != nil {
		return err
	}
	var reports []report.Bundled
	var failed []string
	for i := range list {
		one := *o
		bundled := report.Bundled{Name: list[i].Namespace + "/" + list[i].Name}
		made, err := one.replay(ctx, streams, now, c, &list[i], given)
		if bundled.Report = made; err != nil {
			if ctx.Err() != nil {
				return err
			}
			bundled.NotRun = err.Error()
			failed = append(failed, fmt.Sprintf("%s: %v", bundled.Name, err))
		}
		reports = append(reports, bundled)
	}
	if len(failed) == len(list) {
		return errors.New(strings.Join(failed, "; "))
	}
	if err := write(render.Bundle(report.NewBundle(title, reports))); err != nil {
		return err
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d Forecasts could not be replayed: %s", len(failed), len(list), strings.Join(failed, "; "))
	}
	return nil
}

// fromForecast fills in, from a Forecast, what the command line leaves open; given tells what it does not.
func (o *reportOptions) fromForecast(ctx context.Context, c client.Reader, fc *v1alpha1.Forecast, given func(flag string) bool) (report.Peaks, error) {
	name := fc.Namespace + "/" + fc.Name
	if err := o.takeSpec(fc, given); err != nil {
		return report.Peaks{}, fmt.Errorf("forecast %s: %w", name, err)
	}
	switch {
	case o.in.input == "" && o.in.prometheus == "":
		return report.Peaks{}, errors.New("the history of a Forecast is read by you, not by the server: give --prometheus with an address that you can reach, " +
			"such as http://localhost:9090 after kubectl port-forward -n MONITORING service/PROMETHEUS 9090")
	case o.in.input == "" && o.in.query == "":
		return report.Peaks{}, fmt.Errorf("forecast %s has no query, and serves its peaks alone: there is no demand to replay; give --query", name)
	case o.capacity == 0:
		return report.Peaks{}, fmt.Errorf("forecast %s does not know what one replica serves: give --capacity, or set spec.capacityPerReplica", name)
	}
	ctx, cancel := context.WithTimeout(ctx, clusterWait)
	defer cancel()
	return clusterPeaks(ctx, c, fc)
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
	if d := spec.Demand; d != nil && d.History != "" {
		errs = append(errs, o.forecast.history.Set(string(d.History)))
	}
	o.forecast.periods = nil
	for _, p := range spec.Seasonality.Periods {
		d, err := p.Parse()
		errs = append(errs, err)
		o.forecast.periods = append(o.forecast.periods, d)
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
	if err := c.List(ctx, &calendars); forbidden(err, "calendars", &out) != nil {
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
	if err := c.List(ctx, &schedules, client.InNamespace(fc.Namespace)); forbidden(err, "peak schedules", &out) != nil {
		return out, fmt.Errorf("list peak schedules: %w", err)
	}
	for _, s := range schedules.Items {
		matcher, err := s.ForecastMatcher()
		if !matcher.Matches(fc) {
			if err != nil {
				out.Warnings = append(out.Warnings, fmt.Sprintf("PeakSchedule %s is left out, as on the server: %v", s.Name, err))
			}
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

// forbidden turns an error about missing permission into a warning: what the user may not read is left out, and said.
func forbidden(err error, what string, into *report.Peaks) error {
	if !apierrors.IsForbidden(err) {
		return err
	}
	into.Warnings = append(into.Warnings, fmt.Sprintf("you may not list %s (the role headstart-view may), so they are left out: %v", what, err))
	return nil
}
