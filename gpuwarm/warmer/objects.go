package warmer

import (
	"context"
	"encoding/json"
	"errors"
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
// each look; 0 keeps the object, which costs nothing, while the Forecast is selected. unmet is why the cluster does not bring those nodes up, as far as it says so.
func (r *Reconciler) buffer(ctx context.Context, pool *v1alpha1.WarmPool, fc string, t *target, want int) (unmet string, err error) {
	name := objectName(pool, fc)
	have := newObject(capacityBuffer, pool.Namespace, name)
	found := r.opts.Live.Get(ctx, client.ObjectKeyFromObject(have), have)
	if absent(found) {
		return "", found // before a template is written that nothing would read
	}
	if err := r.template(ctx, pool, fc, t); err != nil {
		return "", err
	}
	u := newObject(capacityBuffer, pool.Namespace, name)
	if err := r.owned(pool, fc, u); err != nil {
		return "", err
	}
	if err := unstructured.SetNestedMap(u.Object, map[string]any{
		"podTemplateRef": map[string]any{"name": name}, "replicas": int64(want),
	}, "spec"); err != nil {
		return "", err
	}
	return unmetBy(have), r.put(ctx, u, func(have client.Object) bool {
		old := have.(*unstructured.Unstructured)
		if n, ok, _ := unstructured.NestedInt64(old.Object, "spec", "replicas"); ok && n == int64(want) {
			return false
		}
		return unstructured.SetNestedField(old.Object, int64(want), "spec", "replicas") == nil
	}, have, found)
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
	have := &corev1.PodTemplate{}
	return r.put(ctx, template, func(have client.Object) bool {
		old := have.(*corev1.PodTemplate)
		// What is derived from a template has the API server's defaults beside; only the hash tells of what was taken out of it.
		if old.Annotations[annotationTemplate] == template.Annotations[annotationTemplate] && equality.Semantic.DeepDerivative(template.Template, old.Template) {
			return false
		}
		old.Template, old.Annotations = template.Template, template.Annotations
		return true
	}, have, r.opts.Live.Get(ctx, client.ObjectKeyFromObject(template), have))
}

// put creates obj, or changes have, which looking for it found, as change says, if at all. err is what looking for it came to. Another's object of the same name is left
// alone.
func (r *Reconciler) put(ctx context.Context, obj client.Object, change func(have client.Object) bool, have client.Object, err error) error {
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
	err = r.opts.Client.Update(ctx, have)
	if apierrors.IsConflict(err) || (apierrors.IsNotFound(err) && !absent(err)) {
		return nil // somebody was faster: the next look sees what is then
	}
	return err
}

// unask removes what asks the cluster for nodes for one Forecast, but for what keep names and needs.
func (r *Reconciler) unask(ctx context.Context, pool *v1alpha1.WarmPool, fc, keep string) error {
	name := objectName(pool, fc)
	var errs []error
	for _, policy := range []v1alpha1.WarmNodesPolicy{v1alpha1.WarmNodesCapacityBuffer, v1alpha1.WarmNodesProvisioningRequest} {
		gvk := kindOfPolicy[policy]
		if string(policy) != keep && r.apis.has(gvk, r.opts.Clock.Now()) {
			errs = append(errs, r.removeOnce(ctx, pool, newObject(gvk, pool.Namespace, name)))
		}
	}
	if keep == "" {
		errs = append(errs, r.removeOnce(ctx, pool, &corev1.PodTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: pool.Namespace, Name: name}}))
	}
	return errors.Join(errs...)
}

// create makes an object that may not have been there.
func (r *Reconciler) create(ctx context.Context, obj client.Object) error {
	delete(r.clean, cleanKey(obj))
	return r.opts.Client.Create(ctx, obj)
}

// recheck is after how long it is looked again whether an object that was not there still is not; one that may not be looked for is after [remembered].
const recheck = 10 * time.Minute

// absence is until when it is taken that an object is not there, or may not be looked for or removed.
type absence struct {
	until time.Time
	err   error // unseen, denied, or nil
}

// cleanKey names an object. Typed ones lose their kind in a client, so it is the type that counts.
func cleanKey(obj client.Object) string {
	kind := fmt.Sprintf("%T", obj)
	if u, ok := obj.(*unstructured.Unstructured); ok {
		kind = u.GetKind()
	}
	return kind + "/" + obj.GetNamespace() + "/" + obj.GetName()
}

// knownClean is whether an object is known not to be there.
func (r *Reconciler) knownClean(obj client.Object) bool {
	a := r.clean[cleanKey(obj)]
	return a.err == nil && r.opts.Clock.Now().Before(a.until)
}

func (r *Reconciler) noteClean(obj client.Object) {
	r.note(obj, absence{until: r.opts.Clock.Now().Add(recheck)})
}

func (r *Reconciler) note(obj client.Object, a absence) {
	now := r.opts.Clock.Now()
	maps.DeleteFunc(r.clean, func(_ string, a absence) bool { return !now.Before(a.until) })
	r.clean[cleanKey(obj)] = a
}

// removeOnce removes an object of this WarmPool's, and remembers for a while that it is not there: most often there never was one. Of one that may not be read that is
// not known, and said.
func (r *Reconciler) removeOnce(ctx context.Context, pool *v1alpha1.WarmPool, obj client.Object) error {
	now := r.opts.Clock.Now()
	if a := r.clean[cleanKey(obj)]; now.Before(a.until) {
		return a.err
	}
	err := r.remove(ctx, pool, obj)
	switch _, ok := errors.AsType[unseen](err); {
	case ok:
		r.note(obj, absence{now.Add(remembered), err})
	case err == nil:
		r.noteClean(obj)
	case refused(err):
		r.note(obj, absence{now.Add(denyPause), err})
	}
	return err
}

// remove deletes an object of this WarmPool's. It looks first: a delete would be a write.
func (r *Reconciler) remove(ctx context.Context, pool *v1alpha1.WarmPool, obj client.Object) error {
	err := r.opts.Live.Get(ctx, client.ObjectKeyFromObject(obj), obj)
	switch {
	case apierrors.IsNotFound(err) || absent(err):
		return nil
	case apierrors.IsForbidden(err):
		return unseen{err}
	case err != nil:
		return err
	case obj.GetLabels()[labelPool] != poolHash(pool.Namespace, pool.Name), obj.GetDeletionTimestamp() != nil: // a finalizer may keep it for long
		return nil
	}
	return client.IgnoreNotFound(r.opts.Client.Delete(ctx, obj, client.PropagationPolicy(metav1.DeletePropagationBackground)))
}
