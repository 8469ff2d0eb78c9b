package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"headstart.dev/headstart/cmd/headstart/cli/internal/ui"
)

// uiOptions holds the flags of ui.
type uiOptions struct {
	cluster    *clusterFlags
	in         inputFlags
	namespaces []string
	port       int
	noOpen     bool
}

func newUICommand(streams Streams) *cobra.Command {
	var o uiOptions
	cmd := &cobra.Command{
		Use:   "ui",
		Short: "Open a page with all Forecasts, live",
		Long: `UI serves a page on this machine with all that Headstart knows, and opens it in your browser.

The page shows all Forecasts, each one with its plan, the week of declared peaks, and what another
setting would have led to. Changes appear as they happen. It reads the cluster with your own
permissions and writes nothing. Only you can open it: its address ends in a secret.

Demand and "what if" need the history. It comes from the one Prometheus that is found in the cluster,
through the API server, or from --prometheus: a URL, NAMESPACE/SERVICE:PORT, or none.`,
		Example: `  kubectl headstart ui
  kubectl headstart ui -n shop --prometheus monitoring/prometheus:9090
  kubectl headstart ui --prometheus http://localhost:9090 --port 8080 --no-open`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), streams, cmd.Flags().Changed)
		},
	}
	o.cluster = newClusterFlags(cmd.Flags())
	o.in.prometheus.Register(cmd.Flags())
	o.in.prometheus.Through(o.cluster.restConfig, cmd.Flags())
	cmd.Flags().Lookup("all-namespaces").Usage = "show every namespace (the default where you may list them all)"
	cmd.Flags().StringSliceVar(&o.namespaces, "namespaces", nil,
		"`NAMES` of the namespaces to show, separated by commas, where you may not list them all")
	cmd.Flags().IntVar(&o.port, "port", 0, "port of 127.0.0.1 to serve the page at; 0 is a free one")
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	cmd.Flags().BoolVar(&o.noOpen, "no-open", false, "do not open a browser")
	return cmd
}

// maxNamespaces bounds the watches of one page.
const maxNamespaces = 32

// show returns the namespaces to show, none for all that the user may see, and the one to fall back
// to.
func (o *uiOptions) show(given func(flag string) bool) (namespaces []string, fallback string, err error) {
	if fallback, err = o.cluster.config.namespace(); err != nil {
		return nil, "", fmt.Errorf("read the kubeconfig's namespace: %w", err)
	}
	switch {
	case o.cluster.allNamespaces && (given("namespace") || given("namespaces")):
		return nil, "", errors.New("give --all-namespaces or names of namespaces, not both")
	case given("namespace"):
		namespaces = append(slices.Clone(o.namespaces), fallback)
	default:
		namespaces = slices.Clone(o.namespaces)
	}
	if slices.Contains(namespaces, "") {
		return nil, "", errors.New("--namespaces has an empty name")
	}
	slices.Sort(namespaces)
	if namespaces = slices.Compact(namespaces); len(namespaces) > maxNamespaces {
		return nil, "", fmt.Errorf("%d namespaces are too many to watch one by one: name at most %d",
			len(namespaces), maxNamespaces)
	}
	return namespaces, fallback, nil
}

func (o *uiOptions) run(ctx context.Context, streams Streams, given func(flag string) bool) error {
	if o.port < 0 || o.port > 65535 {
		return fmt.Errorf("--port %d is not a port: give one from 1 to 65535, or 0 for a free one", o.port)
	}
	c := ui.Command{Port: o.port, Open: !o.noOpen, Out: streams.Out, Err: streams.Err}
	var err error
	if c.Namespaces, c.Fallback, err = o.show(given); err != nil {
		return err
	}
	if c.Config, err = o.cluster.restConfig(); err != nil {
		return err
	}
	raw, err := o.cluster.config.loader().RawConfig()
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	c.Context = cmp.Or(o.cluster.config.overrides.CurrentContext, raw.CurrentContext)
	if c.From = o.in.find(ctx, streams, o.cluster); c.From != "" {
		fmt.Fprintf(streams.Err, "note: the page shows no history of demand: %s\n", c.From)
		return c.Run(ctx)
	}
	source, err := o.in.prometheus.Source()
	if err != nil {
		return err
	}
	c.Source, c.From = source, o.in.prometheus.At
	return c.Run(ctx)
}
