package warmer

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Prefixes of taints. Those of roles keep pods off control planes, and those of conditions off
// nodes that are cordoned, not Ready or full.
const (
	nodeRoles      = "node-role.kubernetes.io/"
	nodeConditions = "node.kubernetes.io/"
)

// restrict removes from a target's template what placeholders and pull pods must not copy, and
// returns what that is, for a message; empty where it is nothing. The author of a Deployment
// decides about its own pods, which its namespace's quota and admission bound. Placeholders are
// bound by neither.
func restrict(t *corev1.PodTemplateSpec, namespace string, schedulers []string) string {
	var out []string
	spec := &t.Spec
	if n := len(spec.Tolerations); n > 0 {
		spec.Tolerations = slices.DeleteFunc(spec.Tolerations, func(t corev1.Toleration) bool {
			return t.Key == "" || strings.HasPrefix(t.Key, nodeRoles) ||
				(strings.HasPrefix(t.Key, nodeConditions) && t.Effect != corev1.TaintEffectNoExecute)
		})
		if len(spec.Tolerations) < n {
			out = append(out, "tolerations of every taint, of "+nodeRoles+"*, and of "+nodeConditions+
				"* but for NoExecute")
		}
	}
	if name := spec.SchedulerName; name != "" && name != corev1.DefaultSchedulerName &&
		!slices.Contains(schedulers, name) {
		spec.SchedulerName = ""
		out = append(out, fmt.Sprintf("schedulerName %s, unless serve has --warm-schedulers", name))
	}
	if restrictAffinity(spec.Affinity, t.Labels, namespace) {
		out = append(out, "affinity to pods of other namespaces")
	}
	if len(out) == 0 {
		return ""
	}
	return "what is held does not copy from the target: " + strings.Join(out, "; ")
}

// restrictAffinity has terms about pods reach the target's own namespace only, and reports whether
// that changed any. Among placeholders other terms are added later. Required anti-affinity counts
// both ways: a term about pods of other namespaces would keep those pods off the placeholders'
// nodes.
func restrictAffinity(a *corev1.Affinity, own labels.Set, namespace string) (changed bool) {
	if a == nil {
		return false
	}
	one := func(term *corev1.PodAffinityTerm) (keep bool) {
		every := term.NamespaceSelector != nil &&
			len(term.NamespaceSelector.MatchLabels)+len(term.NamespaceSelector.MatchExpressions) == 0
		covers := every || slices.Contains(term.Namespaces, namespace) ||
			(len(term.Namespaces) == 0 && term.NamespaceSelector == nil)
		others := term.NamespaceSelector != nil ||
			slices.ContainsFunc(term.Namespaces, func(n string) bool { return n != namespace })
		if !others {
			return true
		}
		changed = true
		term.Namespaces, term.NamespaceSelector = []string{namespace}, nil
		return covers
	}
	// A term to be near pods of several namespaces may be met in another one only. Narrowed down, it
	// would keep a placeholder waiting forever, unless it is about the target's own pods.
	near := func(term *corev1.PodAffinityTerm) (keep bool) {
		before := term.DeepCopy()
		selector, err := metav1.LabelSelectorAsSelector(term.LabelSelector)
		return one(term) && (equality.Semantic.DeepEqual(before, term) || (err == nil && selector.Matches(own)))
	}
	if p := a.PodAffinity; p != nil {
		p.RequiredDuringSchedulingIgnoredDuringExecution = terms(p.RequiredDuringSchedulingIgnoredDuringExecution, near)
		p.PreferredDuringSchedulingIgnoredDuringExecution = weighted(p.PreferredDuringSchedulingIgnoredDuringExecution, near)
	}
	if p := a.PodAntiAffinity; p != nil {
		p.RequiredDuringSchedulingIgnoredDuringExecution = terms(p.RequiredDuringSchedulingIgnoredDuringExecution, one)
		p.PreferredDuringSchedulingIgnoredDuringExecution = weighted(p.PreferredDuringSchedulingIgnoredDuringExecution, one)
	}
	return changed
}

func terms(in []corev1.PodAffinityTerm, keep func(*corev1.PodAffinityTerm) bool) []corev1.PodAffinityTerm {
	var out []corev1.PodAffinityTerm
	for _, t := range in {
		if keep(&t) {
			out = append(out, t)
		}
	}
	return out
}

func weighted(
	in []corev1.WeightedPodAffinityTerm, keep func(*corev1.PodAffinityTerm) bool,
) []corev1.WeightedPodAffinityTerm {
	var out []corev1.WeightedPodAffinityTerm
	for _, w := range in {
		if keep(&w.PodAffinityTerm) {
			out = append(out, w)
		}
	}
	return out
}
