package spec

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
)

// Explain adds what to do to an error from reading Forecasts.
func Explain(err error) error {
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%w: the role view of Kubernetes gives this right, and so does headstart-view", err)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%w: status -A lists those there are", err)
	case meta.IsNoMatchError(err):
		return fmt.Errorf("this cluster has no Forecasts: install Headstart, or choose another --context: %w", err)
	}
	return err
}
