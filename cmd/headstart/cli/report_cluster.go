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
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/render"
)

// forecastFlags name Forecasts in a cluster.
type forecastFlags struct {
	name    string
	cluster *clusterFlags
	// settings are those of the Forecast and its HPA; nil without one.
	settings *planner.Settings
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
