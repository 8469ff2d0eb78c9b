package cli

import (
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/metrics/pkg/apis/custom_metrics"
	"k8s.io/metrics/pkg/apis/external_metrics"

	"headstart.dev/headstart/cmd/headstart/cli/internal/preflight"
)

func newPreflightCommand(streams Streams) *cobra.Command {
	var (
		cluster *clusterFlags
		groups  []string
		service = types.NamespacedName{Namespace: "headstart-system", Name: "headstart"}
	)
	cmd := &cobra.Command{
		Use:   "preflight",
		Short: "Check that no other server owns the metrics API groups, before you install",
		Long: `Preflight checks that no other server owns the metrics API groups that Headstart serves.

A group has one owner per cluster, and a second owner would cut the first one's metrics off. So run
this before you install. It exits with 1 if another server owns a group, and then names the owner and
an alternative that is free: it always looks at both groups, and at KEDA. For the overlay keda, which
claims no group, name the group keda.sh: it exits with 1 if there is no KEDA.`,
		Example: `  headstart preflight
  kubectl headstart preflight --group external.metrics.k8s.io
  kubectl headstart preflight --group keda.sh`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := cluster.client()
			if err != nil {
				return err
			}
			return preflight.Check(cmd.Context(), streams.Out, c, groups, service)
		},
	}
	cluster = newNamespacedFlags(cmd.Flags())
	f := cmd.Flags()
	defaults := []string{external_metrics.GroupName, custom_metrics.GroupName}
	f.StringSliceVar(&groups, "group", defaults, "API `GROUPS` to check, separated by commas")
	f.StringVar(&service.Name, "service-name", service.Name, "`NAME` of Headstart's own Service")
	f.StringVar(&service.Namespace, "service-namespace", service.Namespace, "`NAMESPACE` of that Service")
	return cmd
}
