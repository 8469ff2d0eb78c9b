package adapter

import (
	"errors"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
)

// forecasts is the resource of Forecasts.
const forecasts = "forecasts"

// statusOf turns an error of [Metrics] into the Status to answer with. An *Unavailable becomes a
// 404 without Retry-After. Any other error is a fault of the program and becomes a 500.
func statusOf(err error, namespace, name string) *apierrors.StatusError {
	u, ok := errors.AsType[*Unavailable](err)
	if !ok {
		return apierrors.NewInternalError(fmt.Errorf("serving Forecast %s/%s: %w", namespace, name, err))
	}
	message := fmt.Sprintf("no metric for Forecast %s/%s: %s", namespace, name, u.Reason)
	if u.Message != "" {
		message = fmt.Sprintf("no metric for Forecast %s/%s: %s", namespace, name, u.Message)
	}
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status:  metav1.StatusFailure,
		Code:    http.StatusNotFound,
		Reason:  metav1.StatusReasonNotFound,
		Message: message,
		Details: &metav1.StatusDetails{
			Group: v1alpha1.GroupName,
			Kind:  forecasts,
			Name:  name,
			Causes: []metav1.StatusCause{{
				Type:    metav1.CauseType(u.Reason),
				Message: u.Message,
			}},
		},
	}}
}
