package controller

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
)

const (
	reasonTargetNotFound  = "TargetNotFound"
	reasonTargetForbidden = "TargetForbidden"
	reasonTargetNoScale   = "TargetNotScalable"
	reasonTargetFailed    = "TargetUnreadable"
)

// targetError says why the pods of a target are not known.
type targetError struct{ reason, message string }

func (e *targetError) Error() string { return e.message }

// PodsOf asks the target's scale subresource which pods are its own.
func PodsOf(ctx context.Context, c client.Client, namespace string, ref v1alpha1.TargetReference) (labels.Selector, error) {
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
		return nil, &targetError{reasonTargetNoScale, fmt.Sprintf("the scale of %s/%s names no pod selector, so its pods cannot be told from others", ref.Kind, ref.Name)}
	}
	return selector, nil
}

func explainTarget(err error, namespace string, ref v1alpha1.TargetReference) error {
	switch {
	case meta.IsNoMatchError(err):
		return &targetError{reasonTargetNotFound, fmt.Sprintf("the cluster has no kind %s in %s: correct spec.targetRef", ref.Kind, ref.APIVersion)}
	case apierrors.IsNotFound(err):
		return &targetError{reasonTargetNotFound, fmt.Sprintf("%s %s/%s does not exist, or has no scale subresource: create it or correct spec.targetRef", ref.Kind, namespace, ref.Name)}
	case apierrors.IsForbidden(err):
		return &targetError{reasonTargetForbidden, fmt.Sprintf("headstart may not read the scale of %s: add a ClusterRole with the label headstart.dev/aggregate-to-targets=true that allows get on its scale subresource", ref.Kind)}
	}
	return &targetError{reasonTargetFailed, fmt.Sprintf("the scale of %s %s/%s cannot be read: %v", ref.Kind, namespace, ref.Name, err)}
}
