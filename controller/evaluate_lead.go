package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

// planTravel is how long a plan takes from the end of a read to the adapters' memory.
const planTravel = time.Second

// readLead learns from the target's pods how long a start takes.
func (e *evaluation) readLead(ctx context.Context) error {
	delay := gpuwarm.ControlLoop{HPASync: e.rates.HPASync, Refresh: planTravel, Settle: e.set.Settle}.Delay()
	if fixed := e.set.Lead.Fixed; fixed != nil {
		e.leadTime = *fixed
		e.lead = gpuwarm.Lead{WarmUp: *fixed, Source: v1alpha1.LeadSourceConfigured}
		e.next.LeadTime = &v1alpha1.LeadTimeStatus{Value: v1alpha1.FormatDuration(e.leadTime), Source: v1alpha1.LeadSourceConfigured}
		e.v.unknown(v1alpha1.ConditionLeadTimeLearned, "Fixed", "spec.leadTime.mode is Fixed: nothing is learned")
		return e.checkTarget(ctx)
	}
	learner := e.state.learn(e.set, e.fc.Status.LeadTime)
	missing := e.collect(ctx, learner)
	if missing != nil && !errors.As(missing, new(*targetError)) {
		return missing
	}
	e.lead = learner.Lead(e.now)
	e.poolWarmUps.Set(e.name(), learner.NodePool(), e.lead.WarmUp, e.lead.Starts)
	e.leadTime = e.lead.WarmUp + delay
	e.next.LeadTime = &v1alpha1.LeadTimeStatus{
		Value: v1alpha1.FormatDuration(e.leadTime.Round(time.Second)), Source: e.lead.Source, Starts: int32(e.lead.Starts), //nolint:gosec // at most 64
		WarmUp:           v1alpha1.FormatDuration(e.lead.WarmUp.Round(time.Second)),
		ControlLoopDelay: v1alpha1.FormatDuration(delay.Round(time.Second)),
		RecentStarts:     learner.Records(),
	}
	e.judgeLead(missing)
	return nil
}

func (e *evaluation) judgeLead(missing error) {
	switch {
	case e.lead.Failing:
		e.v.ok(v1alpha1.ConditionStartsFailing, "StartsFail", "%s", e.lead.FailingMessage())
	case e.lead.Decided > 0:
		e.v.fail(v1alpha1.ConditionStartsFailing, "StartsFinish", "starts become Ready")
	default:
		e.v.unknown(v1alpha1.ConditionStartsFailing, "NoStarts", "no start was seen to end yet")
	}
	var target *targetError
	switch {
	case errors.As(missing, &target):
		e.v.fail(v1alpha1.ConditionLeadTimeLearned, target.reason, "%s", target.message)
	case e.lead.Source == v1alpha1.LeadSourceLearned:
		e.v.ok(v1alpha1.ConditionLeadTimeLearned, "Learned", "the lead rests on the starts of %s/%s", e.fc.Spec.TargetRef.Kind, e.fc.Spec.TargetRef.Name)
	default:
		e.v.fail(v1alpha1.ConditionLeadTimeLearned, "TooFewStarts", "too few starts of %s/%s were seen; until then the %s warm-up counts", e.fc.Spec.TargetRef.Kind, e.fc.Spec.TargetRef.Name, strings.ToLower(string(e.lead.Source)))
	}
}

// checkTarget says when a fixed lead's target does not exist.
func (e *evaluation) checkTarget(ctx context.Context) error {
	_, err := e.podsOf(ctx)
	if target, ok := errors.AsType[*targetError](err); ok {
		e.v.fail(v1alpha1.ConditionLeadTimeLearned, target.reason, "%s", target.message)
		return nil
	}
	return err
}

func (e *evaluation) podsOf(ctx context.Context) (labels.Selector, error) {
	key := fmt.Sprint(e.fc.Spec.TargetRef)
	if e.state.selector != nil && e.state.selectorKey == key && e.now.Sub(e.state.selectorAt) < selectorAge {
		return e.state.selector, nil
	}
	selector, err := PodsOf(ctx, e.client, e.fc.Namespace, e.fc.Spec.TargetRef)
	if err != nil {
		e.state.selector = nil
		return nil, err
	}
	e.state.selector, e.state.selectorKey, e.state.selectorAt = selector, key, e.now
	return selector, nil
}

func (e *evaluation) collect(ctx context.Context, learner *gpuwarm.Learner) error {
	selector, err := e.podsOf(ctx)
	if err != nil {
		return err
	}
	starts, err := gpuwarm.Collector{Reader: e.client, Events: e.live, Done: learner.Knows}.Collect(ctx, e.fc.Namespace, selector)
	if err != nil {
		return fmt.Errorf("list the pods of %s/%s: %w", e.fc.Namespace, e.fc.Spec.TargetRef.Name, err)
	}
	e.starts.Observe(learner.Sync(e.now, starts))
	learner.SetPool(e.poolWarmUps.Others(e.name(), learner.NodePool()))
	next, err := e.nextPath(ctx, selector, learner.Records())
	if err != nil {
		return err
	}
	learner.SetNext(next)
	return nil
}
