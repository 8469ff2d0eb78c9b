package kube

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/internal/conditions"
)

// conflictRetry is how long a reconciliation waits after a conflict, until the cache has the newer
// object.
const conflictRetry = 250 * time.Millisecond

// WriteStatus writes the status of after, and Events about the changed conditions. before is the
// object as it was read. It reports whether the status was written: false without an error means
// that the object does not exist any more.
//
// The API server rejects the write as a conflict if the object has changed since it was read. So a
// replica that was delayed, and does not own the object any more, does not overwrite what its
// successor wrote.
func WriteStatus(
	ctx context.Context, c client.Client, recorder events.EventRecorder, before, after client.Object,
	changed []conditions.Change,
) (bool, error) {
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	err := c.Status().Patch(ctx, after, patch)
	switch {
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("write status: %w", err)
	}
	conditions.Emit(recorder, after, "Evaluate", changed, IsWarning)
	return true, nil
}

// OrConflict returns err, or a retry instead of a conflict. The cache contains the newer object
// then.
func OrConflict(err error) (ctrl.Result, error) {
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: conflictRetry}, nil
	}
	return ctrl.Result{}, err
}

// ReasonTooFewStarts is the reason of the condition LeadTimeLearned until enough starts were seen.
const ReasonTooFewStarts = "TooFewStarts"

// IsWarning reports whether a condition needs somebody's attention. Drifting, StartsFailing and
// Overloaded are bad when they are True, all others when they are False. A lead that is not learned
// yet is what every new Forecast has.
func IsWarning(c metav1.Condition) bool {
	switch c.Type {
	case v1alpha1.ConditionDrifting, v1alpha1.ConditionStartsFailing, v1alpha1.ConditionOverloaded:
		return c.Status == metav1.ConditionTrue
	case v1alpha1.ConditionLeadTimeLearned:
		return c.Status == metav1.ConditionFalse && c.Reason != ReasonTooFewStarts
	}
	return c.Status == metav1.ConditionFalse
}
