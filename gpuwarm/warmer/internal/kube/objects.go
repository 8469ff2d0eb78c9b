package kube

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// Client writes what the warmer makes, and reads it from the API server rather than from a cache: a
// cache of these kinds would need more rights, and it is late.
type Client struct {
	client.Client
	Live    client.Reader
	Deleter *Deleter
	// Made is called with the kind of each object that is created. See [KindOf].
	Made func(kind string)
}

// Get reads from the API server.
func (c Client) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	return c.Live.Get(ctx, key, o, opts...)
}

// Create creates an object.
func (c Client) Create(ctx context.Context, o client.Object, opts ...client.CreateOption) error {
	if c.Made != nil {
		c.Made(KindOf(o))
	}
	return c.Client.Create(ctx, o, opts...)
}

// KindOf returns the kind of an object of the warmer. A client drops the kind of typed objects.
func KindOf(o client.Object) string {
	switch o.(type) {
	case *corev1.Pod:
		return "Pod"
	case *corev1.PodTemplate:
		return "PodTemplate"
	case *batchv1.Job:
		return "Job"
	}
	return o.GetObjectKind().GroupVersionKind().Kind
}

// NewObject returns an object of an optional API.
func NewObject(gvk schema.GroupVersionKind, namespace, name string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	u.SetNamespace(namespace)
	u.SetName(name)
	return u
}

// IsNil reports whether there is no object. A nil pointer of a type is none either.
func IsNil(o client.Object) bool {
	switch o := o.(type) {
	case nil:
		return true
	case *unstructured.Unstructured:
		return o == nil
	case *corev1.PodTemplate:
		return o == nil
	case *batchv1.Job:
		return o == nil
	}
	return false
}

// Own labels an object as made by a WarmPool for a Forecast, and has it deleted with the WarmPool.
func (c Client) Own(pool *v1alpha1.WarmPool, forecast string, o client.Object) error {
	labels, annotations := o.GetLabels(), o.GetAnnotations()
	if labels == nil {
		labels = map[string]string{}
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	labels[names.LabelPool] = names.Pool(pool.Namespace, pool.Name)
	labels[names.LabelForecast] = names.Forecast(pool.Namespace, forecast)
	labels[names.LabelManagedBy] = names.ManagedBy
	owner := names.Owner{Namespace: pool.Namespace, Pool: pool.Name, Forecast: forecast}
	annotations[names.AnnotationFor] = owner.String()
	o.SetLabels(labels)
	o.SetAnnotations(annotations)
	return controllerutil.SetControllerReference(pool, o, c.Scheme())
}

// CreateOrUpdate creates the object, or updates it as mutate says, with
// [controllerutil.CreateOrUpdate]. mutate changes o, which has what the API server has where the
// object exists, and else its name alone. An object of the same name that is not of this WarmPool
// is an error. It updates and does not patch: a write that somebody else overtook is left to the
// next reconciliation, and the ClusterRole has no right to patch.
func (c Client) CreateOrUpdate(
	ctx context.Context, pool *v1alpha1.WarmPool, forecast string, o client.Object, mutate func() error,
) error {
	_, err := controllerutil.CreateOrUpdate(ctx, c, o, func() error {
		if o.GetResourceVersion() == "" {
			if err := c.Own(pool, forecast, o); err != nil {
				return err
			}
		} else if !metav1.IsControlledBy(o, pool) {
			return fmt.Errorf("%s/%s is there and not of this WarmPool: remove it", o.GetNamespace(), o.GetName())
		}
		return mutate()
	})
	if apierrors.IsConflict(err) || (apierrors.IsNotFound(err) && !IsAbsent(err) && !namespaceMissing(err)) {
		return nil
	}
	return err
}
