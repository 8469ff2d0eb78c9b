package nodes

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"headstart.dev/headstart/gpuwarm/warmer/allocate"
)

// affinityOf returns the affinity of a placeholder. others selects the placeholders of the target.
func affinityOf(t *allocate.Target, namespace string, others metav1.LabelSelector) *corev1.Affinity {
	a := inNamespace(t.Template.Spec.Affinity, namespace)
	return withAntiAffinity(withSelfAffinity(a, t, namespace, others), t, namespace, others)
}

// inNamespace returns the target's affinity as it reads from another namespace. Terms about pods of
// their own namespace mean the target's.
func inNamespace(a *corev1.Affinity, namespace string) *corev1.Affinity {
	if a == nil {
		return nil
	}
	a = a.DeepCopy()
	terms := func(in []corev1.PodAffinityTerm) {
		for i := range in {
			if len(in[i].Namespaces) == 0 && in[i].NamespaceSelector == nil {
				in[i].Namespaces = []string{namespace}
			}
		}
	}
	weighted := func(in []corev1.WeightedPodAffinityTerm) {
		for i := range in {
			one := []corev1.PodAffinityTerm{in[i].PodAffinityTerm}
			terms(one)
			in[i].PodAffinityTerm = one[0]
		}
	}
	if a.PodAffinity != nil {
		terms(a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
		weighted(a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if a.PodAntiAffinity != nil {
		terms(a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
		weighted(a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
		soften(a.PodAntiAffinity)
	}
	return a
}

// soften makes preferences of required terms about more than a placeholder's own node. The
// scheduler holds required anti-affinity both ways, and looks for victims on one node only: a
// placeholder would keep the pods that it names out of a whole zone, and could not be evicted for
// them.
func soften(a *corev1.PodAntiAffinity) {
	var own []corev1.PodAffinityTerm
	for _, term := range a.RequiredDuringSchedulingIgnoredDuringExecution {
		if term.TopologyKey == corev1.LabelHostname {
			own = append(own, term)
			continue
		}
		a.PreferredDuringSchedulingIgnoredDuringExecution = append(a.PreferredDuringSchedulingIgnoredDuringExecution,
			corev1.WeightedPodAffinityTerm{Weight: 100, PodAffinityTerm: term})
	}
	a.RequiredDuringSchedulingIgnoredDuringExecution = own
}

// withAntiAffinity adds to a placeholder's affinity the anti-affinity of the target's pods among
// themselves. Placeholders, which do not have their labels, have it among themselves, or one node
// would be held for two replicas that may not share it. It keeps no real pod away, so it may be as
// strict as theirs.
func withAntiAffinity(
	a *corev1.Affinity, t *allocate.Target, namespace string, others metav1.LabelSelector,
) *corev1.Affinity {
	required := portTerms(t, namespace, others)
	var given corev1.PodAntiAffinity
	if of := t.Template.Spec.Affinity; of != nil && of.PodAntiAffinity != nil {
		given = *of.PodAntiAffinity
	}
	for _, term := range given.RequiredDuringSchedulingIgnoredDuringExecution {
		if termSelects(t, term, namespace) {
			required = append(required, corev1.PodAffinityTerm{LabelSelector: &others, TopologyKey: term.TopologyKey})
		}
	}
	var preferred []corev1.WeightedPodAffinityTerm
	for _, w := range given.PreferredDuringSchedulingIgnoredDuringExecution {
		if termSelects(t, w.PodAffinityTerm, namespace) {
			preferred = append(preferred, corev1.WeightedPodAffinityTerm{
				Weight: w.Weight,
				PodAffinityTerm: corev1.PodAffinityTerm{
					LabelSelector: &others, TopologyKey: w.PodAffinityTerm.TopologyKey,
				},
			})
		}
	}
	if len(required)+len(preferred) == 0 {
		return a
	}
	if a == nil {
		a = &corev1.Affinity{}
	}
	if a.PodAntiAffinity == nil {
		a.PodAntiAffinity = &corev1.PodAntiAffinity{}
	}
	own := a.PodAntiAffinity
	own.RequiredDuringSchedulingIgnoredDuringExecution = append(
		own.RequiredDuringSchedulingIgnoredDuringExecution, required...)
	own.PreferredDuringSchedulingIgnoredDuringExecution = append(
		own.PreferredDuringSchedulingIgnoredDuringExecution, preferred...)
	return a
}

// portTerms keep placeholders of a target with ports of the host off nodes where one of its pods,
// or another placeholder, has these ports. Placeholders do not request the ports: a namespace with
// the restricted or the baseline security standard admits no pod that does.
func portTerms(t *allocate.Target, namespace string, others metav1.LabelSelector) []corev1.PodAffinityTerm {
	if !t.HasHostPorts() {
		return nil
	}
	terms := []corev1.PodAffinityTerm{{LabelSelector: &others, TopologyKey: corev1.LabelHostname}}
	if t.LabelSelector != nil {
		terms = append(terms, corev1.PodAffinityTerm{
			LabelSelector: t.LabelSelector, Namespaces: []string{namespace}, TopologyKey: corev1.LabelHostname,
		})
	}
	return terms
}

// withSelfAffinity turns the required affinity of the target's pods to each other towards the other
// placeholders, as long as no replica is on a node. The scheduler lets the first pod of such a
// group go anywhere, but a placeholder is none of the target's pods: it would wait for one forever.
func withSelfAffinity(
	a *corev1.Affinity, t *allocate.Target, namespace string, others metav1.LabelSelector,
) *corev1.Affinity {
	for _, i := range selfAffinityTerms(t, namespace) {
		term := &a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution[i]
		*term = corev1.PodAffinityTerm{LabelSelector: &others, TopologyKey: term.TopologyKey}
	}
	return a
}

// selfAffinityTerms returns the indices of the required terms by which the target's pods are to be
// with each other; none once a replica has a node.
func selfAffinityTerms(t *allocate.Target, namespace string) []int {
	given := t.Template.Spec.Affinity
	if given == nil || given.PodAffinity == nil || t.Replicas > t.Waiting {
		return nil
	}
	var out []int
	for i, term := range given.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
		if termSelects(t, term, namespace) {
			out = append(out, i)
		}
	}
	return out
}

// termSelects reports whether a term of the target's affinity selects the target's own pods.
func termSelects(t *allocate.Target, term corev1.PodAffinityTerm, namespace string) bool {
	of := term.NamespaceSelector
	switch {
	case len(term.Namespaces) > 0 && !slices.Contains(term.Namespaces, namespace):
		return false
	case of != nil && len(of.MatchLabels)+len(of.MatchExpressions) > 0:
		return false // which namespaces those are is not known here
	}
	return selects(term.LabelSelector, t)
}

// selects reports whether a selector selects the target's own pods.
func selects(s *metav1.LabelSelector, t *allocate.Target) bool {
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && selector.Matches(labels.Set(t.Template.Labels))
}

// spreadOf spreads placeholders over topology as the target's pods are spread, among themselves:
// from another namespace the scheduler cannot count both together. Nodes then come up in all zones
// alike, and not in the cheapest one.
func spreadOf(t *allocate.Target, others metav1.LabelSelector) []corev1.TopologySpreadConstraint {
	var out []corev1.TopologySpreadConstraint
	for _, c := range t.Template.Spec.TopologySpreadConstraints {
		if !selects(c.LabelSelector, t) {
			continue // it is about other pods
		}
		c = *c.DeepCopy()
		c.LabelSelector, c.MatchLabelKeys = &others, nil
		out = append(out, c)
	}
	return out
}
