package nodes

import (
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/gpuwarm/warmer/allocate"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// deadlineSeconds is when a placeholder ends by itself. While its WarmPool is reconciled another
// one replaces it; otherwise this is what gives its node back.
const deadlineSeconds = 3600

// build returns a placeholder: a pod of the target's shape that does nothing.
func (m *placeholders) build(h Hold, index int, others metav1.LabelSelector) *corev1.Pod {
	zero, seconds, no, yes, user := int64(0), int64(deadlineSeconds), false, true, int64(65534)
	pool, spec := h.Pool, &h.Target.Template.Spec
	requests := requestsOf(spec)
	limits := corev1.ResourceList{}
	for name, q := range requests {
		if name != corev1.ResourceCPU && name != corev1.ResourceMemory && name != corev1.ResourceEphemeralStorage {
			limits[name] = q // extended resources must be limited to what is requested
		}
	}
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: m.o.Namespace,
			Name: fmt.Sprintf("hold-%s-%d",
				names.Hash(pool.Namespace, pool.Name, h.Forecast, h.Target.ShapeKey), index),
			Labels: map[string]string{
				names.LabelRole:     names.RolePlaceholder,
				names.LabelPool:     names.Pool(pool.Namespace, pool.Name),
				names.LabelForecast: names.Forecast(pool.Namespace, h.Forecast),
				names.LabelShape:    h.Target.ShapeKey,
			},
			Annotations: map[string]string{
				names.AnnotationFor: names.Owner{Namespace: pool.Namespace, Pool: pool.Name, Forecast: h.Forecast}.String(),
				// Karpenter would remove the node before it has been of use.
				"karpenter.sh/do-not-disrupt": "true",
			},
		},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{
				Name: "hold", Image: m.o.PauseImage,
				Resources: corev1.ResourceRequirements{Requests: requests, Limits: limits},
				Env:       []corev1.EnvVar{{Name: "NVIDIA_VISIBLE_DEVICES", Value: "void"}},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: &no, RunAsNonRoot: &yes, RunAsUser: &user, ReadOnlyRootFilesystem: &yes,
					Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
					SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
				},
			}},
			RuntimeClassName:  spec.RuntimeClassName,
			PriorityClassName: m.o.PriorityClass, TerminationGracePeriodSeconds: &zero, ActiveDeadlineSeconds: &seconds,
			RestartPolicy: corev1.RestartPolicyAlways, AutomountServiceAccountToken: &no, EnableServiceLinks: &no,
			NodeSelector:              spec.NodeSelector,
			Affinity:                  affinityOf(h.Target, pool.Namespace, others),
			TopologySpreadConstraints: spreadOf(h.Target, others),
			Tolerations:               spec.Tolerations, SchedulerName: spec.SchedulerName,
		},
	}
	return p
}

// requestsOf returns what a placeholder requests beside what its runtime class adds: admission
// takes that from the class, and denies any other.
func requestsOf(template *corev1.PodSpec) corev1.ResourceList {
	spec := *template
	if spec.RuntimeClassName != nil {
		spec.Overhead = nil
	}
	requests := gpuwarm.ShapeOf(&spec).Requests
	delete(requests, corev1.ResourcePods)
	return requests
}

// ShapeKey returns a hash of everything in the template that a placeholder copies, and of nothing
// else, such as what admission adds. It is a hash of the JSON: printed pointers would differ each
// time that the template is read.
func ShapeKey(t *allocate.Target) string {
	s := t.Template.Spec
	parts := []any{
		gpuwarm.ShapeOf(&s).Requests, s.NodeSelector, s.Affinity, s.Tolerations, s.SchedulerName,
		withAntiAffinity(nil, t, t.Namespace, metav1.LabelSelector{}), spreadOf(t, metav1.LabelSelector{}),
	}
	if together := selfAffinityTerms(t, t.Namespace); len(together) > 0 {
		parts = append(parts, together)
	}
	if class := s.RuntimeClassName; class != nil {
		parts = append(parts, "runtime class "+*class)
	}
	shape, err := json.Marshal(parts)
	if err != nil {
		shape = []byte(err.Error()) // types of the API always marshal
	}
	return names.Hash(string(shape))
}

// selectorOf selects the placeholders of one Forecast, with those that it took over.
func selectorOf(h Hold) metav1.LabelSelector {
	own := names.Forecast(h.Pool.Namespace, h.Forecast)
	all := []string{own}
	for i := range h.Placeholders {
		if of := h.Placeholders[i].Labels[names.LabelForecast]; !slices.Contains(all, of) {
			all = append(all, of)
		}
	}
	if len(all) == 1 {
		return metav1.LabelSelector{MatchLabels: map[string]string{
			names.LabelRole: names.RolePlaceholder, names.LabelForecast: own,
		}}
	}
	slices.Sort(all)
	return metav1.LabelSelector{
		MatchLabels: map[string]string{names.LabelRole: names.RolePlaceholder},
		MatchExpressions: []metav1.LabelSelectorRequirement{{
			Key: names.LabelForecast, Operator: metav1.LabelSelectorOpIn, Values: all,
		}},
	}
}
