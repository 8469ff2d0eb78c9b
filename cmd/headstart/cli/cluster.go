package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/spec"
	"headstart.dev/headstart/cmd/headstart/cli/internal/status"
	"headstart.dev/headstart/cmd/headstart/cli/internal/usage"
	"headstart.dev/headstart/controller"
)

// connection holds kubectl's own flags for reaching a cluster. The package that kubectl has for them,
// in k8s.io/cli-runtime, brings all of kustomize along: that is a part of the binary that Headstart
// would never run.
type connection struct {
	kubeconfig string
	overrides  clientcmd.ConfigOverrides
}

// register registers kubectl's flags by their names.
func (c *connection) register(f *pflag.FlagSet) {
	flags := clientcmd.RecommendedConfigOverrideFlags("")
	flags.ClusterOverrideFlags.APIServer.ShortName = "s"
	// kubectl has neither any more, because no API server takes them.
	flags.AuthOverrideFlags.Username.LongName, flags.AuthOverrideFlags.Password.LongName = "", ""
	clientcmd.BindOverrideFlags(&c.overrides, f, flags)
	f.StringVar(&c.kubeconfig, "kubeconfig", "", "Path to the kubeconfig file to use for CLI requests.")
}

// loader reads the kubeconfig as kubectl does, and applies the flags.
func (c *connection) loader() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.kubeconfig
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &c.overrides)
}

// restConfig returns where the cluster is, and with which rights it is used.
func (c *connection) restConfig() (*rest.Config, error) { return c.loader().ClientConfig() }

// namespace returns the one of the flags, or else of the kubeconfig.
func (c *connection) namespace() (string, error) {
	ns, _, err := c.loader().Namespace()
	return ns, err
}

// clusterFlags are kubectl's own flags for reaching a cluster.
type clusterFlags struct {
	config        *connection
	allNamespaces bool
}

// newClusterFlags registers the flags of a command that reads one namespace or all of them.
func newClusterFlags(f *pflag.FlagSet) *clusterFlags {
	c := newNamespacedFlags(f)
	f.BoolVarP(&c.allNamespaces, "all-namespaces", "A", false, "read every namespace")
	return c
}

// newNamespacedFlags registers the flags of a command that reads one namespace.
func newNamespacedFlags(f *pflag.FlagSet) *clusterFlags {
	c := &clusterFlags{config: &connection{}}
	kubectl := pflag.NewFlagSet("", pflag.ContinueOnError)
	c.config.register(kubectl)
	kubectl.VisitAll(func(flag *pflag.Flag) {
		_ = kubectl.SetAnnotation(flag.Name, usage.ConnectionFlag, nil) // fails for an unknown flag only
	})
	f.AddFlagSet(kubectl)
	return c
}

// clusterTimeout ends a request to an API server that does not answer.
const clusterTimeout = 30 * time.Second

// client returns a client with the user's own permissions.
func (c *clusterFlags) client() (client.Client, error) {
	config, err := c.restConfig()
	if err != nil {
		return nil, err
	}
	reader, err := client.New(config, client.Options{Scheme: controller.NewScheme()})
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	return reader, nil
}

// restConfig limits the rate of requests, and how long one may take.
func (c *clusterFlags) restConfig() (*rest.Config, error) {
	// After half a minute, controller-runtime would write to the terminal that it has no log.
	ctrllog.SetLogger(logr.Discard())
	config, err := c.config.restConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster is configured: give --kubeconfig or --context: %w", err)
	}
	config.QPS, config.Burst = 50, 100
	if config.Timeout == 0 { // --request-timeout is not set
		config.Timeout = clusterTimeout
	}
	return config, nil
}

// namespace returns the namespace to read, or "" for all of them.
func (c *clusterFlags) namespace() (string, error) {
	if c.allNamespaces {
		return "", nil
	}
	ns, err := c.config.namespace()
	if err != nil {
		return "", fmt.Errorf("read the kubeconfig's namespace: %w", err)
	}
	return ns, nil
}

// forecasts reads the named Forecasts, or without names all Forecasts of the namespace that the
// flags name. It returns the client too, for whatever else a command reads.
func (c *clusterFlags) forecasts(ctx context.Context, names []string) (client.Client, []v1alpha1.Forecast, error) {
	reader, err := c.client()
	if err != nil {
		return nil, nil, err
	}
	namespace, err := c.namespace()
	if err != nil {
		return nil, nil, err
	}
	list, err := forecasts(ctx, reader, namespace, names)
	return reader, list, err
}

// forecasts reads the named Forecasts, or all Forecasts of a namespace if no name is given. A name
// is NAME or NAMESPACE/NAME.
func forecasts(ctx context.Context, c client.Reader, namespace string, names []string) ([]v1alpha1.Forecast, error) {
	var out []v1alpha1.Forecast
	for _, name := range names {
		ns := namespace
		if before, after, ok := strings.Cut(name, "/"); ok {
			ns, name = before, after
		}
		var fc v1alpha1.Forecast
		if err := c.Get(ctx, client.ObjectKey{Namespace: ns, Name: name}, &fc); err != nil {
			return nil, fmt.Errorf("read forecast %s/%s: %w", ns, name, spec.Explain(err))
		}
		out = append(out, fc)
	}
	if len(names) > 0 {
		return out, nil
	}
	var list v1alpha1.ForecastList
	if err := c.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list forecasts: %w", spec.Explain(err))
	}
	return list.Items, nil
}

// none says where no Forecast was found.
func (c *clusterFlags) none() string {
	if namespace, err := c.namespace(); err == nil && namespace != "" {
		return fmt.Sprintf("No Forecasts found in namespace %s: -A reads all namespaces.", namespace)
	}
	return "No Forecasts found."
}

// completionWait is how long the completion of a name may ask the cluster.
const completionWait = 3 * time.Second

// complete returns a function that completes the names of Forecasts: NAME in one namespace, and
// NAMESPACE/NAME in all of them. Up to limit names are completed, or any number for 0.
func (c *clusterFlags) complete(limit int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if limit > 0 && len(args) >= limit {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionWait)
		defer cancel()
		_, list, err := c.forecasts(ctx, nil)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveError
		}
		status.Sort(list)
		var names []cobra.Completion
		for i := range list {
			name := list[i].Name
			if c.allNamespaces {
				name = list[i].Namespace + "/" + name
			}
			if !slices.Contains(args, name) {
				names = append(names, name)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
