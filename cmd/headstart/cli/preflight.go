package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/metrics/pkg/apis/custom_metrics"
	"k8s.io/metrics/pkg/apis/external_metrics"

	"headstart.dev/headstart/adapter"
)

func newPreflightCommand(streams Streams) *cobra.Command {
	var (
		cluster *clusterFlags
		groups  []string
		service = types.NamespacedName{Namespace: "headstart-system", Name: "headstart"}
	)
	cmd := &cobra.Command{
		Use:   "preflight",
		Short: "Say whether the metrics API groups are free to take",
		Long: `Preflight looks for the owners of the metrics API groups, before an overlay claims one. It exits with 1 when a group belongs to somebody
else, and says to whom, and which door is left.`,
		Example: "  headstart preflight\n  kubectl headstart preflight --group external.metrics.k8s.io",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := cluster.client()
			if err != nil {
				return err
			}
			var errs []error
			for _, group := range groups {
				if err := adapter.Preflight(cmd.Context(), c, group, service); err != nil {
					errs = append(errs, err)
					continue
				}
				fmt.Fprintf(streams.Out, "%s is free, or headstart's own.\n", group)
			}
			return errors.Join(errs...)
		},
	}
	cluster = newNamespacedFlags(cmd.Flags())
	f := cmd.Flags()
	f.StringSliceVar(&groups, "group", []string{external_metrics.GroupName, custom_metrics.GroupName}, "API groups to look at")
	f.StringVar(&service.Name, "service-name", service.Name, "Service that headstart is reached through")
	f.StringVar(&service.Namespace, "service-namespace", service.Namespace, "namespace of that Service")
	return cmd
}
