package adapter

import (
	"errors"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
)

// forecasts is the resource that both APIs describe.
const forecasts = "forecasts"

// notServed turns the reason for having no value into the Status that the metrics APIs answer with: 404, without Retry-After.
// An error that is not an *Unavailable is a fault of ours and becomes a 500.
func notServed(err error, namespace, name string) *apierrors.StatusError {
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
