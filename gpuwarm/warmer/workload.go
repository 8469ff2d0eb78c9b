package warmer

import (
	"context"
	"encoding/json"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/allocate"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
)

// workload reads the pod template and the selector of any kind that has them where Deployments have
// them.
func (r *Reconciler) workload(ctx context.Context, fc *v1alpha1.Forecast) allocate.Workload {
	ineligible := func(format string, args ...any) allocate.Workload {
		return allocate.Workload{Ineligible: fmt.Sprintf(format, args...)}
	}
	ref := fc.Spec.TargetRef
	var u unstructured.Unstructured
	u.SetGroupVersionKind(schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind))
	err := r.opts.Client.Get(ctx, client.ObjectKey{Namespace: fc.Namespace, Name: ref.Name}, &u)
	switch {
	case apierrors.IsNotFound(err) || kube.IsAbsent(err):
		return ineligible("there is no %s %s in namespace %s", ref.Kind, ref.Name, fc.Namespace)
	case apierrors.IsForbidden(err):
		return allocate.Workload{Err: kube.Advise(err,
			`grant get on it by a ClusterRole with the label headstart.dev/aggregate-to-targets: "true"`)}
	case err != nil:
		return allocate.Workload{Err: fmt.Errorf("read %s %s/%s: %w", ref.Kind, fc.Namespace, ref.Name, err)}
	}
	var spec struct {
		Selector             *metav1.LabelSelector   `json:"selector"`
		Template             *corev1.PodTemplateSpec `json:"template"`
		VolumeClaimTemplates []any                   `json:"volumeClaimTemplates"`
	}
	raw, err := json.Marshal(u.Object["spec"])
	if err == nil {
		err = json.Unmarshal(raw, &spec)
	}
	if err != nil || spec.Selector == nil || spec.Template == nil || len(spec.Template.Spec.Containers) == 0 {
		return ineligible("%s %s has no spec.selector and spec.template like a Deployment's: what a replica looks like "+
			"is not known", ref.Kind, ref.Name)
	}
	if len(spec.VolumeClaimTemplates) > 0 {
		return ineligible("%s %s has volumeClaimTemplates, which bind its pods to nodes: a placeholder elsewhere would "+
			"hold nothing", ref.Kind, ref.Name)
	}
	if selector, err := metav1.LabelSelectorAsSelector(spec.Selector); err != nil || selector.Empty() {
		return ineligible("%s %s has no usable spec.selector", ref.Kind, ref.Name)
	}
	if why := cannotHoldFor(spec.Template); why != "" {
		return ineligible("%s", why)
	}
	leftOut := restrict(spec.Template, fc.Namespace, r.opts.Bounds.Schedulers)
	return allocate.Workload{
		Template: spec.Template, Selector: spec.Selector, LeftOut: leftOut, Made: uniformReplicas(&u),
	}
}

// uniformReplicas returns how many replicas there are once all of them were made from the template;
// 0 while a rollout goes on, and where the target's status does not say it as a Deployment's does.
func uniformReplicas(u *unstructured.Unstructured) int64 {
	of := func(field string) int64 {
		n, _, _ := unstructured.NestedInt64(u.Object, "status", field)
		return n
	}
	if of("observedGeneration") < u.GetGeneration() || of("updatedReplicas") != of("replicas") {
		return 0
	}
	return of("replicas")
}

// cannotHoldFor returns why no placeholder can stand for pods of this template; empty where one
// can.
func cannotHoldFor(t *corev1.PodTemplateSpec) string {
	if len(t.Spec.ResourceClaims) > 0 {
		return "the target's pods use resource claims: a placeholder would hold devices of its own, which its successor " +
			"could not take over"
	}
	for _, v := range t.Spec.Volumes {
		if v.PersistentVolumeClaim != nil || v.Ephemeral != nil {
			return fmt.Sprintf("the target's volume %s is a claim, which can bind its pods to nodes: a placeholder "+
				"elsewhere would hold nothing", v.Name)
		}
	}
	return ""
}

// bound reads the most replicas that an HPA allows. No name and no such HPA are no bound.
func (r *Reconciler) bound(ctx context.Context, namespace, name string) allocate.Bound {
	if name == "" {
		return allocate.Bound{}
	}
	var hpa autoscalingv2.HorizontalPodAutoscaler
	err := r.opts.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &hpa)
	switch {
	case apierrors.IsNotFound(err):
		return allocate.Bound{}
	case apierrors.IsForbidden(err):
		return allocate.Bound{Err: kube.Advise(err,
			"grant get on HorizontalPodAutoscalers, as the ClusterRole headstart-server does in manifests/base")}
	case err != nil:
		return allocate.Bound{Err: fmt.Errorf("read HorizontalPodAutoscaler %s/%s: %w", namespace, name, err)}
	}
	return allocate.Bound{MaxReplicas: int(hpa.Spec.MaxReplicas)}
}
