package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/planner"
)

func newStartupCommand(streams Streams) *cobra.Command {
	var cluster *clusterFlags
	cmd := &cobra.Command{
		Use:   "startup NAME",
		Short: "Show where the minutes of a start go, and what warming each stage would save",
		Long: `Startup reads the pods of a Forecast's target, with your own permissions, and tells how long each phase of their starts took: waiting for a node,
pulling the image, starting, loading. It needs get on the target's scale, and list on pods and nodes.`,
		Example: "  headstart startup -n shop face-fusion\n  kubectl headstart startup shop/face-fusion",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			c, err := cluster.client()
			if err != nil {
				return err
			}
			namespace, err := cluster.namespace()
			if err != nil {
				return err
			}
			list, err := forecasts(cmd.Context(), c, namespace, names)
			if err != nil {
				return err
			}
			return showStartup(cmd.Context(), streams.Out, c, &list[0], time.Now())
		},
	}
	cluster = newNamespacedFlags(cmd.Flags())
	return cmd
}

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
