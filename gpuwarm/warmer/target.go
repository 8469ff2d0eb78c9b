package warmer

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

// target is the workload of one Forecast, as far as warming goes.
type target struct {
	namespace string
	template  corev1.PodTemplateSpec
	selector  labels.Selector
	picks     *metav1.LabelSelector // the same, as the workload has it; nil where it cannot be read
	shape     gpuwarm.Shape
	image     string        // that the template asks for
	admitted  string        // that its replicas come to have: the same, or what admission makes of it
	ask       string        // that a pull pod is to ask for to come to have that
	known     gpuwarm.Image // by the names that nodes list it under
	made      int64         // replicas, where all of them were made from the template; else 0
	timeline  gpuwarm.Timeline
	of        v1alpha1.TargetReference
	hpa       string // that bounds its replicas; empty where there is none
	most      int    // replicas by that; 0 where there is no such bound
	replicas  int    // that there are, Ready or on their way
	waiting   int    // of them, for a node
}

// A refusal is why a Forecast is not warmed, for its status. It is no error of the controller.
type refusal struct{ why string }

func (r refusal) Error() string { return r.why }

func refuse(format string, args ...any) error { return refusal{fmt.Sprintf(format, args...)} }

// targetOf reads the workload and the plan of a Forecast.
func (r *Reconciler) targetOf(ctx context.Context, fc *v1alpha1.Forecast, pods []corev1.Pod) (*target, error) {
	if no := mayNot(fc); no != nil {
		return nil, no
	}
	t, err := r.workload(ctx, fc)
	if err != nil {
		return nil, err
	}
	if why := excluded(&t.template); why != "" {
		return nil, refuse("%s", why)
	}
	t.hpa = fc.Status.CapacityPerReplica.Name
	if t.most, err = r.maxReplicas(ctx, fc); err != nil {
		return nil, err
	}
	if err := t.follow(fc); err != nil {
		return nil, refuse("%v", err)
	}
	t.count(pods)
	return t, nil
}

// mayNot is why nothing can be warmed for a Forecast, whatever its target is; nil where that depends on the target.
func mayNot(fc *v1alpha1.Forecast) error {
	switch {
	case fc.Spec.Mode != v1alpha1.ForecastActive && fc.Spec.Mode != "":
		return refuse("the Forecast is in mode %s, so nobody scales by its plan: nothing is warmed for it", fc.Spec.Mode)
	case fc.Status.Plan == nil:
		return refuse("the Forecast has no plan yet: see its conditions")
	case fc.Status.CapacityPerReplica == nil:
		return refuse("the Forecast does not know what a replica serves: set spec.capacityPerReplica, or let an HPA with an averageValue read it")
	}
	return nil
}

// follow has the target's replicas follow the plan of a Forecast.
func (t *target) follow(fc *v1alpha1.Forecast) (err error) {
	t.timeline, err = gpuwarm.NewTimeline(*fc.Status.Plan, gpuwarm.TimelineOptions{
		Capacity: fc.Status.CapacityPerReplica.Value.AsApproximateFloat64(), MaxReplicas: t.most, Level: levelOf(fc),
	})
	return err
}

// recalled is for how long a target is taken for what it was when it was read last.
const recalled = 5 * time.Minute

// recall is the target of a Forecast that fails to be read just now: as it was read last, and with the plan of now. nil where that is not known, or too long ago.
func (l *look) recall(fc *v1alpha1.Forecast) *target {
	was := l.last[fc.Name]
	if was.target == nil || l.now.Sub(was.read) > recalled || was.target.of != fc.Spec.TargetRef || mayNot(fc) != nil || fc.Status.CapacityPerReplica.Name != was.target.hpa {
		return nil
	}
	t := *was.target
	if err := t.follow(fc); err != nil {
		return nil
	}
	t.count(l.pods)
	return &t
}

// count has the replicas counted that there are.
func (t *target) count(pods []corev1.Pod) {
	t.replicas, t.waiting = 0, 0
	for i := range pods {
		p := &pods[i]
		if t.replica(p) {
			t.replicas++
			if p.Spec.NodeName == "" {
				t.waiting++
			}
		}
	}
}

// levelOf is the probability that the plan's values are enough: the service level, or one less one part in the shortage cost. 0 where neither is given.
func levelOf(fc *v1alpha1.Forecast) float64 {
	want := fc.Spec.ProvisionFor
	if want.ServiceLevel != nil {
		if level, err := want.ServiceLevel.Parse(); err == nil {
			return level
		}
	}
	if want.ShortageCost != nil {
		if cost, err := want.ShortageCost.Parse(); err == nil && cost > 1 {
			return 1 - 1/cost
		}
	}
	return 0
}

// replica is whether a pod is or will be a replica of the target.
func (t *target) replica(p *corev1.Pod) bool {
	return p.Namespace == t.namespace && alive(p) && p.Labels[labelRole] == "" && t.selector.Matches(labels.Set(p.Labels))
}

// alive is whether a pod is or will be a replica.
func alive(p *corev1.Pod) bool {
	return p.DeletionTimestamp == nil && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed
}

// workload reads the pod template and the selector of any kind that has them where Deployments have them.
func (r *Reconciler) workload(ctx context.Context, fc *v1alpha1.Forecast) (*target, error) {
	ref := fc.Spec.TargetRef
	var u unstructured.Unstructured
	u.SetGroupVersionKind(schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind))
	err := r.opts.Client.Get(ctx, client.ObjectKey{Namespace: fc.Namespace, Name: ref.Name}, &u)
	switch {
	case apierrors.IsNotFound(err) || absent(err):
		return nil, refuse("there is no %s %s in namespace %s", ref.Kind, ref.Name, fc.Namespace)
	case apierrors.IsForbidden(err):
		return nil, advised{err, `grant get on it by a ClusterRole with the label headstart.dev/aggregate-to-targets: "true"`}
	case err != nil:
		return nil, fmt.Errorf("read %s %s/%s: %w", ref.Kind, fc.Namespace, ref.Name, err)
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
		return nil, refuse("%s %s has no spec.selector and spec.template like a Deployment's: what a replica looks like is not known", ref.Kind, ref.Name)
	}
	if len(spec.VolumeClaimTemplates) > 0 {
		return nil, refuse("%s %s has volumeClaimTemplates, which bind its pods to nodes: a placeholder elsewhere would hold nothing", ref.Kind, ref.Name)
	}
	selector, err := metav1.LabelSelectorAsSelector(spec.Selector)
	if err != nil || selector.Empty() {
		return nil, refuse("%s %s has no usable spec.selector", ref.Kind, ref.Name)
	}
	return &target{
		of: ref, namespace: fc.Namespace, template: *spec.Template, selector: selector, picks: spec.Selector, shape: gpuwarm.ShapeOf(&spec.Template.Spec), image: gpuwarm.MainImage(spec.Template.Annotations, &spec.Template.Spec),
		made: madeAlike(&u),
	}, nil
}

// madeAlike is how many replicas there are once all of them were made from the template; 0 while a rollout goes on, and where the target's status does not say as a Deployment's does.
func madeAlike(u *unstructured.Unstructured) int64 {
	of := func(field string) int64 {
		n, _, _ := unstructured.NestedInt64(u.Object, "status", field)
		return n
	}
	if of("observedGeneration") < u.GetGeneration() || of("updatedReplicas") != of("replicas") {
		return 0
	}
	return of("replicas")
}

// excluded says why no placeholder can stand for pods of this template; empty where one can.
func excluded(t *corev1.PodTemplateSpec) string {
	if len(t.Spec.ResourceClaims) > 0 {
		return "the target's pods use resource claims: a placeholder would hold devices of its own, which its successor could not take over"
	}
	for _, v := range t.Spec.Volumes {
		if v.PersistentVolumeClaim != nil || v.Ephemeral != nil {
			return fmt.Sprintf("the target's volume %s is a claim, which can bind its pods to nodes: a placeholder elsewhere would hold nothing", v.Name)
		}
	}
	return ""
}

// maxReplicas of the HPA that the Forecast's capacity was read from; 0 where there is none.
func (r *Reconciler) maxReplicas(ctx context.Context, fc *v1alpha1.Forecast) (int, error) {
	name := fc.Status.CapacityPerReplica.Name
	if name == "" {
		return 0, nil
	}
	var hpa autoscalingv2.HorizontalPodAutoscaler
	err := r.opts.Client.Get(ctx, client.ObjectKey{Namespace: fc.Namespace, Name: name}, &hpa)
	if apierrors.IsNotFound(err) {
		return 0, nil
	}
	if apierrors.IsForbidden(err) {
		return 0, advised{err, "grant get on HorizontalPodAutoscalers, as the ClusterRole headstart-server does in manifests/base"}
	}
	if err != nil {
		return 0, fmt.Errorf("read HorizontalPodAutoscaler %s/%s: %w", fc.Namespace, name, err)
	}
	return int(hpa.Spec.MaxReplicas), nil
}
