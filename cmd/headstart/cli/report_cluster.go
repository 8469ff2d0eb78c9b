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
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	fleets "headstart.dev/headstart/cmd/headstart/cli/internal/fleet"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/render"
)

// forecastFlags say which Forecasts of a cluster to report on.
type forecastFlags struct {
	name    string
	cluster *clusterFlags
	// settings of the Forecast and its HPA; nil without a Forecast.
	settings *planner.Settings
	// hpa scales the target of the Forecast today; nil without one.
	hpa *report.HPA
}

func (f *forecastFlags) register(flags *pflag.FlagSet) {
	config := &connection{}
	f.cluster = &clusterFlags{config: config}
	flags.StringVar(&f.name, "forecast", "",
		"`NAMESPACE/NAME` of a Forecast in the cluster; the same as the argument")
	flags.StringVarP(&config.overrides.Context.Namespace, "namespace", "n", "",
		"namespace of the Forecasts; without a name, all its Forecasts")
	flags.BoolVarP(&f.cluster.allNamespaces, "all-namespaces", "A", false, "report on the Forecasts of every namespace")
	flags.StringVar(&config.kubeconfig, "kubeconfig", "", "kubeconfig `FILE` of the cluster with the Forecasts")
	flags.StringVar(&config.overrides.CurrentContext, "context", "", "context in the kubeconfig")
}

// args rejects the name of a file, and names that are given twice.
func (f *forecastFlags) args(_ *cobra.Command, args []string) error {
	for _, a := range args {
		if _, err := os.Stat(a); err == nil {
			return fmt.Errorf("unexpected argument %q: to read a file, write --input %s", a, a)
		}
	}
	if f.name != "" && len(args) > 0 {
		return errors.New("give --forecast or names, not both")
	}
	return nil
}

// one returns the name of the Forecast to report on; "" without any.
func (f *forecastFlags) one(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return f.name
}

// several reports whether to report on more than one Forecast.
func (f *forecastFlags) several(args []string, given func(flag string) bool) bool {
	return len(args) > 1 || len(args) == 0 && f.name == "" && (given("namespace") || f.cluster.allNamespaces)
}

// clusterWait limits how long reading the cluster may take in total.
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

// all reads the named Forecasts, or all of the namespace. It returns a title for the report too.
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
	switch {
	case len(names) > 0:
		title = strings.Join(names, ", ")
	case namespace == "":
		title = "all namespaces"
	}
	if len(list) == 0 {
		return nil, "", fmt.Errorf("no Forecasts found in %s", title)
	}
	slices.SortFunc(list, func(a, b v1alpha1.Forecast) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	return list, title, nil
}

// findHistory looks for a Prometheus in the cluster, unless the flags say where the history is.
func (o *reportOptions) findHistory(ctx context.Context, streams Streams) error {
	if o.in.input != "" {
		return nil
	}
	if howTo := o.in.find(ctx, streams, o.forecast.cluster); howTo != "" {
		return fmt.Errorf("the history of demand is needed: %s", howTo)
	}
	return nil
}

// known returns the Forecast of a name, and where the rest about it is read.
func (o *reportOptions) known(ctx context.Context, streams Streams, name string) (
	client.Reader, *v1alpha1.Forecast, error,
) {
	if err := o.findHistory(ctx, streams); err != nil {
		return nil, nil, err
	}
	c, err := o.forecast.cluster.client()
	if err != nil {
		return nil, nil, err
	}
	fc, err := o.forecast.get(ctx, c, name)
	return c, fc, err
}

// runSeveral makes one report on several Forecasts. If one of them cannot be replayed, the report
// names it and covers the others, and runSeveral returns an error.
func (o *reportOptions) runSeveral(
	ctx context.Context, streams Streams, now time.Time, args []string, given func(string) bool,
	write func(render.Document) error,
) error {
	switch {
	case o.in.input != "":
		return errors.New("--input holds the history of one Forecast: give the name of that Forecast alone")
	case o.decisions != "" || o.plans != "":
		return errors.New("--decisions and --plans need the name of one Forecast")
	}
	if err := o.findHistory(ctx, streams); err != nil {
		return err
	}
	c, err := o.forecast.cluster.client()
	if err != nil {
		return err
	}
	list, title, err := o.forecast.all(ctx, c, args)
	if err != nil {
		return err
	}
	out := fleets.Bundler{Title: title, What: "Forecasts", Output: o.output}
	for i := range list {
		one := *o // each Forecast sets the flags that were not given
		result, err := one.replay(ctx, streams, now, c, &list[i], given)
		if err != nil && ctx.Err() != nil {
			return err
		}
		out.Add(list[i].Namespace+"/"+list[i].Name, result, err)
	}
	return out.Write(write)
}
