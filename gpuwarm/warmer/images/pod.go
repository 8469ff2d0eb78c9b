package images

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// build returns a pod on one node that pulls the target's image with the target's credentials, and
// ends.
func (m *pods) build(p Pull, node string) (*corev1.Pod, error) {
	zero, seconds, no, yes, user := int64(0), int64(pullDeadlineSeconds), false, true, int64(65534)
	pool, spec, image := p.Pool, p.Target.Template.Spec, p.Target.PullImage
	onNode := &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
		MatchFields: []corev1.NodeSelectorRequirement{{
			Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{node},
		}},
	}}}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pool.Namespace, Name: "pull-" + names.Hash(pool.Namespace, pool.Name, p.Forecast, image, node),
		},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{
				Name: names.PullContainer, Image: image, ImagePullPolicy: corev1.PullIfNotPresent,
				Command:   []string{"true"},
				Env:       []corev1.EnvVar{{Name: "NVIDIA_VISIBLE_DEVICES", Value: "void"}},
				Resources: resourcesOf(p),
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: &no, RunAsNonRoot: &yes, RunAsUser: &user, ReadOnlyRootFilesystem: &yes,
					Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
					SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
				},
			}},
			RestartPolicy: corev1.RestartPolicyNever, TerminationGracePeriodSeconds: &zero,
			ActiveDeadlineSeconds: &seconds, PriorityClassName: m.o.PriorityClass,
			AutomountServiceAccountToken: &no, EnableServiceLinks: &no,
			ServiceAccountName: spec.ServiceAccountName, ImagePullSecrets: spec.ImagePullSecrets,
			Tolerations: spec.Tolerations,
			Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: onNode,
			}},
		},
	}
	if err := m.o.Client.Own(pool, p.Forecast, pod); err != nil {
		return nil, err
	}
	pod.Labels[names.LabelRole] = names.RolePull
	pod.Labels[names.LabelNode], pod.Labels[names.LabelImage] = names.Hash(node), names.Hash(image)
	return pod, nil
}

// resourcesOf returns what a pull pod requests. In a namespace with a quota on CPU or memory, or
// whose quotas are not known, it must request something. Limits are the same, for namespaces with a
// LimitRange on their ratio. The kubelet pulls, which counts towards neither. Elsewhere the pod
// requests nothing, so that it finds a place beside a placeholder that takes a whole node.
func resourcesOf(p Pull) corev1.ResourceRequirements {
	required := p.QuotasErr != nil
	for i := range p.Quotas {
		for name := range p.Quotas[i].Spec.Hard {
			_, of, _ := strings.Cut(string(name), ".")
			required = required || slices.Contains([]string{"cpu", "memory"}, cmp.Or(of, string(name)))
		}
	}
	if !required {
		return corev1.ResourceRequirements{}
	}
	little := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("32Mi"),
	}
	return corev1.ResourceRequirements{Requests: little.DeepCopy(), Limits: little}
}
