package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"headstart.dev/headstart/cmd/headstart/cli/internal/starts"
	"headstart.dev/headstart/cmd/headstart/cli/internal/status"
)

func newStartupCommand(streams Streams) *cobra.Command {
	var cluster *clusterFlags
	cmd := &cobra.Command{
		Use:   "startup [NAME]",
		Short: "Show where the time of a pod start goes, and what warming would save",
		Long: `Startup shows how long each phase of a pod start takes, and what warming each phase would save.

The phases are: waiting for a node, pulling the image, starting the container, and loading until Ready.
It reads the pods of the Forecast's target with your own permissions: get on the target's scale, and
list on pods and nodes. Without a name it lists the leads of all Forecasts.`,
		Example: `  headstart startup -A
  headstart startup -n shop face-fusion
  kubectl headstart startup shop/face-fusion`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return errors.New("give the name of one Forecast, as NAMESPACE/NAME, or none to list their leads")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, names []string) error {
			c, list, err := cluster.forecasts(cmd.Context(), names)
			if err != nil {
				return err
			}
			if len(list) == 0 {
				fmt.Fprintln(streams.Out, cluster.none())
				return nil
			}
			if len(names) == 0 {
				status.WriteLeads(streams.Out, list)
				return nil
			}
			found, err := starts.Read(cmd.Context(), c, &list[0], time.Now())
			if err != nil {
				return err
			}
			return found.Render(streams.Out)
		},
	}
	cluster = newClusterFlags(cmd.Flags())
	cmd.ValidArgsFunction = cluster.complete(1)
	return cmd
}
