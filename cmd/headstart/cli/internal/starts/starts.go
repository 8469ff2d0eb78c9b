// Package starts reads how the pods of a Forecast's target have started.
package starts

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/planner"
)

// Read reads the phases of the recent pod starts of a Forecast's target.
func Read(ctx context.Context, c client.Client, fc *v1alpha1.Forecast, now time.Time) (gpuwarm.Breakdown, error) {
	var none gpuwarm.Breakdown
	selector, err := controller.PodsOf(ctx, c, fc.Namespace, fc.Spec.TargetRef)
	if err != nil {
		return none, err
	}
	set, err := planner.ParseSpec(&fc.Spec)
	if err != nil {
		return none, fmt.Errorf("forecast %s/%s: %w", fc.Namespace, fc.Name, err)
	}
	opts := controller.LearnerOptions(set)
	starts, err := gpuwarm.Collector{Reader: c, Events: c}.Collect(ctx, fc.Namespace, selector)
	if err != nil {
		return none, err
	}
	learner := gpuwarm.NewLearner(opts)
	if fc.Status.LeadTime != nil {
		learner = gpuwarm.Restore(opts, fc.Status.LeadTime.RecentStarts)
	}
	learner.Sync(now, starts)
	return gpuwarm.NewBreakdown(fc.Namespace+"/"+fc.Name, starts, opts, learner.Lead(now), now), nil
}
