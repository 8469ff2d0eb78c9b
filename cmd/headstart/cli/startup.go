package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/status"
	"headstart.dev/headstart/controller"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/planner"
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
			if len(names) == 0 {
				status.WriteLeads(streams.Out, list)
				return nil
			}
			return showStartup(cmd.Context(), streams.Out, c, &list[0], time.Now())
		},
	}
	cluster = newClusterFlags(cmd.Flags())
	cmd.ValidArgsFunction = cluster.complete(1)
	return cmd
}

// showStartup writes the phases of the recent pod starts of a Forecast's target.
func showStartup(ctx context.Context, w io.Writer, c client.Client, fc *v1alpha1.Forecast, now time.Time) error {
	selector, err := controller.PodsOf(ctx, c, fc.Namespace, fc.Spec.TargetRef)
	if err != nil {
		return err
	}
	set, err := planner.ParseSpec(&fc.Spec)
	if err != nil {
		return fmt.Errorf("forecast %s/%s: %w", fc.Namespace, fc.Name, err)
	}
	opts := controller.LearnerOptions(set)
	starts, err := gpuwarm.Collector{Reader: c, Events: c}.Collect(ctx, fc.Namespace, selector)
	if err != nil {
		return err
	}
	learner := gpuwarm.NewLearner(opts)
	if fc.Status.LeadTime != nil {
		learner = gpuwarm.Restore(opts, fc.Status.LeadTime.RecentStarts)
	}
	learner.Sync(now, starts)
	return gpuwarm.NewBreakdown(fc.Namespace+"/"+fc.Name, starts, opts, learner.Lead(now), now).Render(w)
}
