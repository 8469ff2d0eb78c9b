package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/gpuwarm"
)

// minTargetRetry and maxTargetRetry bound the time after which a target that is not there is asked
// for again. It doubles each time.
const minTargetRetry, maxTargetRetry = time.Minute, 10 * time.Minute

// planTravel is how long a plan takes from the end of a read to the adapters' memory.
const planTravel = time.Second

// readLead learns from the target's pods how long a start takes, and sets the lead in status. A
// fixed lead is used as it is.
func (e *evaluation) readLead(ctx context.Context) error {
	loop := gpuwarm.ControlLoop{HPASync: e.rates.HPASync, Refresh: planTravel}
	if e.set.HasDemand || e.set.OverflowOf == nil {
		loop.Settle = e.set.Settle
	} // The overflow of another cluster has settled there.
	delay := loop.Delay()
	if fixed := e.set.Lead.Fixed; fixed != nil {
		e.leadTime = *fixed
		e.lead = gpuwarm.Lead{WarmUp: *fixed, Source: v1alpha1.LeadSourceConfigured}
		e.next.LeadTime = &v1alpha1.LeadTimeStatus{
			Value: v1alpha1.FormatDuration(e.leadTime), Source: v1alpha1.LeadSourceConfigured,
		}
		e.conditions.SetUnknown(v1alpha1.ConditionLeadTimeLearned, "Fixed",
			"spec.leadTime.mode is Fixed: nothing is learned")
		return e.checkTarget(ctx)
	}
	learner := e.state.learn(e.set, e.fc.Status.LeadTime)
	targetErr := e.collectStarts(ctx, learner)
	if targetErr != nil && !errors.As(targetErr, new(*targetError)) {
		return targetErr
	}
	e.lead = learner.Lead(e.now)
	e.poolWarmUps.Set(serviceOf(e.fc), learner.NodePool(), e.lead.WarmUp, e.lead.Starts)
	e.leadTime = e.lead.WarmUp + delay
	e.next.LeadTime = &v1alpha1.LeadTimeStatus{
		Value: v1alpha1.FormatDuration(e.leadTime.Round(time.Second)), Source: e.lead.Source,
		WarmUp:           v1alpha1.FormatDuration(e.lead.WarmUp.Round(time.Second)),
		ControlLoopDelay: v1alpha1.FormatDuration(delay.Round(time.Second)),
		Starts:           int32(e.lead.Starts), //nolint:gosec // at most 64
		RecentStarts:     learner.Records(),
	}
	e.setLeadConditions(targetErr)
	return nil
}

// setLeadConditions sets the conditions StartsFailing and LeadTimeLearned. targetErr says why the
// pods of the target are not known; nil when they are.
func (e *evaluation) setLeadConditions(targetErr error) {
	switch {
	case e.lead.Failing:
		e.conditions.SetTrue(v1alpha1.ConditionStartsFailing, "StartsFail", "%s", e.lead.FailingMessage())
	case e.lead.Decided > 0:
		e.conditions.SetFalse(v1alpha1.ConditionStartsFailing, "StartsFinish", "starts become Ready")
	default:
		e.conditions.SetUnknown(v1alpha1.ConditionStartsFailing, "NoStarts", "no start has ended yet")
	}
	ref := e.fc.Spec.TargetRef
	var target *targetError
	switch {
	case errors.As(targetErr, &target):
		e.conditions.SetFalse(v1alpha1.ConditionLeadTimeLearned, target.reason, "%s", target.message)
	case e.lead.Source == v1alpha1.LeadSourceLearned:
		e.conditions.SetTrue(v1alpha1.ConditionLeadTimeLearned, "Learned",
			"the lead is learned from the starts of %s/%s", ref.Kind, ref.Name)
	default:
		e.conditions.SetFalse(v1alpha1.ConditionLeadTimeLearned, kube.ReasonTooFewStarts,
			"too few starts of %s/%s were seen; until then the %s warm-up is used",
			ref.Kind, ref.Name, strings.ToLower(string(e.lead.Source)))
	}
}

// checkTarget sets the condition LeadTimeLearned to False when the target of a fixed lead does not
// exist or cannot be read.
func (e *evaluation) checkTarget(ctx context.Context) error {
	_, err := e.podSelector(ctx)
	if target, ok := errors.AsType[*targetError](err); ok {
		e.conditions.SetFalse(v1alpha1.ConditionLeadTimeLearned, target.reason, "%s", target.message)
		return nil
	}
	return err
}

// podSelector returns the selector of the target's pods. It is read again after selectorAge. A
// target that is not there is asked for again after a minute, and then ever more rarely, so that
// many of them are no load on the API server.
func (e *evaluation) podSelector(ctx context.Context) (labels.Selector, error) {
	s, key := e.state, fmt.Sprint(e.fc.Spec.TargetRef)
	if s.selectorKey != key {
		s.selector, s.selectorErr, s.retries = nil, nil, 0
	}
	age := e.now.Sub(s.selectorAt)
	switch {
	case s.selector != nil && age < selectorAge:
		return s.selector, nil
	case s.selectorErr != nil && age < min(maxTargetRetry, minTargetRetry<<(s.retries-1)):
		return nil, s.selectorErr
	}
	selector, err := PodsOf(ctx, e.client, e.fc.Namespace, e.fc.Spec.TargetRef)
	s.selector, s.selectorErr, s.selectorKey, s.selectorAt = selector, nil, key, e.now
	target, ok := errors.AsType[*targetError](err)
	switch {
	case err == nil:
		s.retries = 0
	case ok && target.reason != reasonTargetFailed:
		s.selectorErr, s.retries = target, min(s.retries+1, 10)
	}
	return selector, err
}

// collectStarts updates the learner with the starts of the target's pods, with those of other
// services of the namespace on the same nodes, and with the path that the next pods will take.
func (e *evaluation) collectStarts(ctx context.Context, learner *gpuwarm.Learner) error {
	selector, err := e.podSelector(ctx)
	if err != nil {
		return err
	}
	collector := gpuwarm.Collector{Reader: e.client, Events: e.live, Done: learner.Knows}
	starts, err := collector.Collect(ctx, e.fc.Namespace, selector)
	if err != nil {
		return fmt.Errorf("list the pods of %s/%s: %w", e.fc.Namespace, e.fc.Spec.TargetRef.Name, err)
	}
	e.starts.Observe(learner.Sync(e.now, starts))
	learner.SetPool(e.poolWarmUps.Others(serviceOf(e.fc), learner.NodePool()))
	next, err := e.nextPath(ctx, selector, learner.Records())
	if err != nil {
		return err
	}
	learner.SetNext(next)
	return nil
}

// serviceOf returns a Forecast and its target, as PoolWarmUps names them. The API version of the
// target does not matter.
func serviceOf(fc *v1alpha1.Forecast) gpuwarm.Service {
	ref := fc.Spec.TargetRef
	kind := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind()
	return gpuwarm.Service{
		Namespace: fc.Namespace, Forecast: fc.Name, Target: kind.String() + "/" + ref.Name,
	}
}

const (
	reasonTargetNotFound  = "TargetNotFound"
	reasonTargetForbidden = "TargetForbidden"
	reasonTargetNoScale   = "TargetNotScalable"
	reasonTargetFailed    = "TargetUnreadable"
)

// targetError says why the pods of a target are not known.
type targetError struct{ reason, message string }

func (e *targetError) Error() string { return e.message }

// PodsOf returns the selector of a target's pods, from its scale subresource.
func PodsOf(
	ctx context.Context, c client.Client, namespace string, ref v1alpha1.TargetReference,
) (labels.Selector, error) {
	obj := &unstructured.Unstructured{}
	obj.SetAPIVersion(ref.APIVersion)
	obj.SetKind(ref.Kind)
	obj.SetNamespace(namespace)
	obj.SetName(ref.Name)

	scale := &unstructured.Unstructured{}
	scale.SetAPIVersion("autoscaling/v1")
	scale.SetKind("Scale")
	if err := c.SubResource("scale").Get(ctx, obj, scale); err != nil {
		return nil, explainTarget(err, namespace, ref)
	}
	text, _, _ := unstructured.NestedString(scale.Object, "status", "selector")
	selector, err := labels.Parse(text)
	if err != nil || selector.Empty() {
		return nil, &targetError{reasonTargetNoScale, fmt.Sprintf(
			"the scale of %s/%s names no pod selector, so its pods are not known", ref.Kind, ref.Name)}
	}
	return selector, nil
}

// explainTarget returns a targetError that says what to change.
func explainTarget(err error, namespace string, ref v1alpha1.TargetReference) error {
	switch {
	case meta.IsNoMatchError(err):
		return &targetError{reasonTargetNotFound, fmt.Sprintf(
			"the cluster has no kind %s in %s: correct spec.targetRef", ref.Kind, ref.APIVersion)}
	case apierrors.IsNotFound(err):
		return &targetError{reasonTargetNotFound, fmt.Sprintf(
			"%s %s/%s does not exist, or has no scale subresource: create it or correct spec.targetRef",
			ref.Kind, namespace, ref.Name)}
	case apierrors.IsForbidden(err):
		return &targetError{reasonTargetForbidden, fmt.Sprintf(
			"headstart may not read the scale of %s: add a ClusterRole with the label "+
				"headstart.dev/aggregate-to-targets=true that allows get on its scale subresource", ref.Kind)}
	}
	return &targetError{reasonTargetFailed, fmt.Sprintf(
		"the scale of %s %s/%s cannot be read: %v", ref.Kind, namespace, ref.Name, err)}
}
