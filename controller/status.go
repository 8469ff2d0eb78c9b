package controller

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/internal/conditions"
)

// conflictRetry is how long a reconciliation waits after a conflict, until the cache has the newer
// object.
const conflictRetry = 250 * time.Millisecond

// writeStatus writes the status of after, and an Event for each changed condition. before is the
// object as it was read. It reports whether the status was written: false without an error means
// that the object does not exist any more.
//
// The API server rejects the write as a conflict if the object has changed since it was read. So a
// replica that was delayed, and does not own the object any more, does not overwrite what its
// successor wrote.
func writeStatus(
	ctx context.Context, c client.Client, recorder events.EventRecorder, before, after client.Object,
	changed []metav1.Condition,
) (bool, error) {
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	err := c.Status().Patch(ctx, after, patch)
	switch {
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("write status: %w", err)
	}
	conditions.Emit(recorder, after, "Evaluate", changed, isWarning)
	return true, nil
}

// orConflict returns err, or a retry instead of a conflict. The cache contains the newer object
// then.
func orConflict(err error) (ctrl.Result, error) {
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: conflictRetry}, nil
	}
	return ctrl.Result{}, err
}

// maxMilli is the largest number of milli-units that is used. Above it an int64 would overflow.
const maxMilli = 9.2e18

// quantityOf returns a demand in milli-units, rounded up. So 0.9 stays 900m.
func quantityOf(demand float64) resource.Quantity {
	milli := math.Ceil(demand*1000 - 1e-6)
	switch {
	case math.IsNaN(milli) || milli < 0:
		milli = 0
	case milli > maxMilli:
		milli = maxMilli
	}
	return *resource.NewMilliQuantity(int64(milli), resource.DecimalSI)
}

// roundUp keeps three significant digits of a demand, rounded up. So a forecast that hardly changes
// causes no write.
func roundUp(demand float64) float64 {
	if !(demand > 0) || math.IsInf(demand, 0) {
		return demand
	}
	unit := math.Pow(10, math.Floor(math.Log10(demand))-2)
	return math.Ceil(demand/unit-1e-9) * unit
}

// formatFigure formats a figure of the status with three digits after the decimal point. Figures
// beyond ±1,000,000 are cut to that.
func formatFigure(f float64) string {
	if math.Abs(f) > 1e6 {
		return strconv.FormatFloat(math.Copysign(1e6, f), 'f', 0, 64)
	}
	return strconv.FormatFloat(f, 'f', 3, 64)
}
