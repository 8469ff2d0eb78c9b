package warmer

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"headstart.dev/headstart/api/v1alpha1"
)

// annotationTemplate has a hash of the template that a PodTemplate was made of.
const annotationTemplate = "headstart.dev/template-hash"

// objectName is that of what the warmer makes for one Forecast in the Forecast's namespace.
func objectName(pool *v1alpha1.WarmPool, fc string) string {
	return "headstart-" + hash(pool.Namespace, pool.Name, fc)
}

// owned are the labels and the owner of what the warmer makes beside its WarmPool: it goes with it.
func (r *Reconciler) owned(pool *v1alpha1.WarmPool, fc string, obj client.Object) error {
	labels, annotations := obj.GetLabels(), obj.GetAnnotations()
	if labels == nil {
		labels = map[string]string{}
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	labels[labelPool], labels[labelForecast], labels["app.kubernetes.io/managed-by"] = poolHash(pool.Namespace, pool.Name), forecastHash(pool.Namespace, fc), "headstart"
	annotations[annotationFor] = pool.Namespace + "/" + fc + " by " + pool.Name
	obj.SetLabels(labels)
	obj.SetAnnotations(annotations)
	return controllerutil.SetControllerReference(pool, obj, r.opts.Client.Scheme())
}

func newObject(gvk schema.GroupVersionKind, namespace, name string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	u.SetNamespace(namespace)
	u.SetName(name)
	return u
}

// buffer asks the cluster's CapacityBuffer for want replicas' worth of nodes beyond what runs. A buffer refills itself, so its size is told anew at
// each look; 0 keeps the object, which costs nothing, while the Forecast is selected.
func (r *Reconciler) buffer(ctx context.Context, pool *v1alpha1.WarmPool, fc string, t *target, want int) error {
	name := objectName(pool, fc)
	if err := r.template(ctx, pool, fc, t); err != nil {
		return err
	}
	u := newObject(capacityBuffer, pool.Namespace, name)
	if err := r.owned(pool, fc, u); err != nil {
		return err
	}
	if err := unstructured.SetNestedMap(u.Object, map[string]any{
		"podTemplateRef": map[string]any{"name": name}, "replicas": int64(want),
	}, "spec"); err != nil {
		return err
	}
	return r.put(ctx, u, func(have client.Object) bool {
		old := have.(*unstructured.Unstructured)
		if n, ok, _ := unstructured.NestedInt64(old.Object, "spec", "replicas"); ok && n == int64(want) {
			return false
		}
		return unstructured.SetNestedField(old.Object, int64(want), "spec", "replicas") == nil
	}, newObject(capacityBuffer, "", ""))
}

// template keeps the PodTemplate that buffers and requests are sized by. It is one of its own and not the workload's, because the latter is not read by every
// autoscaler before the first pod is there.
func (r *Reconciler) template(ctx context.Context, pool *v1alpha1.WarmPool, fc string, t *target) error {
	template := &corev1.PodTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: pool.Namespace, Name: objectName(pool, fc)}, Template: *t.template.DeepCopy()}
	if err := r.owned(pool, fc, template); err != nil {
		return err
	}
	raw, err := json.Marshal(template.Template)
	if err != nil {
		return err
	}
	template.Annotations[annotationTemplate] = hash(string(raw))
	return r.put(ctx, template, func(have client.Object) bool {
		old := have.(*corev1.PodTemplate)
		// What is derived from a template has the API server's defaults beside; only the hash tells of what was taken out of it.
		if old.Annotations[annotationTemplate] == template.Annotations[annotationTemplate] && equality.Semantic.DeepDerivative(template.Template, old.Template) {
			return false
		}
		old.Template, old.Annotations = template.Template, template.Annotations
		return true
	}, &corev1.PodTemplate{})
}

// put creates obj, or changes the one that there is as change says, if at all. Another's object of the same name is left alone.
func (r *Reconciler) put(ctx context.Context, obj client.Object, change func(have client.Object) bool, have client.Object) error {
	err := r.opts.Live.Get(ctx, client.ObjectKeyFromObject(obj), have)
	if apierrors.IsNotFound(err) && !absent(err) {
		return r.create(ctx, obj)
	}
	if err != nil {
		return err
	}
	if have.GetLabels()[labelPool] != obj.GetLabels()[labelPool] {
		return fmt.Errorf("%s/%s is there and not of this WarmPool: remove it", obj.GetNamespace(), obj.GetName())
	}
	if !change(have) {
		return nil
	}
	return r.opts.Client.Update(ctx, have)
}

// unask removes what asks the cluster for nodes for one Forecast, but for what keep names and needs.
func (r *Reconciler) unask(ctx context.Context, pool *v1alpha1.WarmPool, fc, keep string) error {
	name := objectName(pool, fc)
	for policy, gvk := range kindOfPolicy {
		if string(policy) == keep || !r.apis.has(gvk, r.opts.Clock.Now()) {
			continue
		}
		if err := r.removeOnce(ctx, pool, newObject(gvk, pool.Namespace, name)); err != nil {
			return err
		}
	}
	if keep != "" {
		return nil
	}
	return r.removeOnce(ctx, pool, &corev1.PodTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: pool.Namespace, Name: name}})
}

// create makes an object that may not have been there.
func (r *Reconciler) create(ctx context.Context, obj client.Object) error {
	delete(r.clean, cleanKey(obj))
	return r.opts.Client.Create(ctx, obj)
}

// recheck is after how long it is looked again whether an object that was not there still is not.
const recheck = 10 * time.Minute

// cleanKey names an object. Typed ones lose their kind in a client, so it is the type that counts.
func cleanKey(obj client.Object) string {
	kind := fmt.Sprintf("%T", obj)
	if u, ok := obj.(*unstructured.Unstructured); ok {
		kind = u.GetKind()
	}
	return kind + "/" + obj.GetNamespace() + "/" + obj.GetName()
}

func (r *Reconciler) knownClean(obj client.Object) bool {
	return r.opts.Clock.Now().Before(r.clean[cleanKey(obj)])
}

func (r *Reconciler) noteClean(obj client.Object) {
	now := r.opts.Clock.Now()
	maps.DeleteFunc(r.clean, func(_ string, until time.Time) bool { return !now.Before(until) })
	r.clean[cleanKey(obj)] = now.Add(recheck)
}

// removeOnce removes an object of this WarmPool's, and remembers for a while that it is not there: most often there never was one. One that may not be read
// cannot have been made.
func (r *Reconciler) removeOnce(ctx context.Context, pool *v1alpha1.WarmPool, obj client.Object) error {
	if r.knownClean(obj) {
		return nil
	}
	if err := r.remove(ctx, pool, obj); err != nil && !apierrors.IsForbidden(err) {
		return err
	}
	r.noteClean(obj)
	return nil
}

// remove deletes an object of this WarmPool's. It looks first: a delete would be a write.
func (r *Reconciler) remove(ctx context.Context, pool *v1alpha1.WarmPool, obj client.Object) error {
	err := r.opts.Live.Get(ctx, client.ObjectKeyFromObject(obj), obj)
	if apierrors.IsNotFound(err) || absent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if obj.GetLabels()[labelPool] != poolHash(pool.Namespace, pool.Name) {
		return nil
	}
	return client.IgnoreNotFound(r.opts.Client.Delete(ctx, obj, client.PropagationPolicy(metav1.DeletePropagationBackground)))
}
