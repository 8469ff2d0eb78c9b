package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"headstart.dev/headstart/cmd/headstart/cli/internal/status"
)

func newStatusCommand(streams Streams) *cobra.Command {
	var (
		cluster *clusterFlags
		output  string
	)
	cmd := &cobra.Command{
		Use:   "status [NAME…]",
		Short: "Show what each Forecast serves, and how accurate it has been",
		Long: `Status shows what each Forecast serves, whether it is ready, and how accurate it has been.

Without names it prints one line per Forecast. With names it prints everything about those Forecasts,
with their conditions, and exits with 1 if one of them is not ready.
It reads the cluster with your own permissions.`,
		Example: `  headstart status
  headstart status -n shop face-fusion
  kubectl headstart status -A`,
		RunE: func(cmd *cobra.Command, names []string) error {
			_, list, err := cluster.forecasts(cmd.Context(), names)
			if err != nil {
				return err
			}
			if len(list) == 0 && status.IsText(output) {
				fmt.Fprintln(streams.Out, cluster.none())
				return nil
			}
			return status.Show(streams.Out, list, output, len(names) > 0, time.Now())
		},
	}
	cluster = newClusterFlags(cmd.Flags())
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, wide, json or yaml")
	cmd.ValidArgsFunction = cluster.complete(0)
	return cmd
}
