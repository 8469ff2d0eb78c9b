package warmer

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// placing is the target's affinity as it reads from another namespace. Terms that pick pods "of my own namespace" mean the target's.
func placing(a *corev1.Affinity, namespace string) *corev1.Affinity {
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

// soften makes preferences of what a placeholder would demand of more than its own node. The scheduler holds required anti-affinity both ways,
// and looks for victims on one node only: a placeholder would keep the pods that it names out of a whole zone, and could not be evicted for
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

// among adds to a placeholder's affinity what the target's pods keep from each other: placeholders, which have not got their labels, are to keep it from each other as
// well, or one node would be held for two replicas that may not share it. It keeps no real pod from anything, so it may be as strict as theirs.
func among(a *corev1.Affinity, t *target, namespace string, others metav1.LabelSelector) *corev1.Affinity {
	required := t.apart(namespace, others)
	var given corev1.PodAntiAffinity
	if of := t.template.Spec.Affinity; of != nil && of.PodAntiAffinity != nil {
		given = *of.PodAntiAffinity
	}
	for _, term := range given.RequiredDuringSchedulingIgnoredDuringExecution {
		if t.names(term, namespace) {
			required = append(required, corev1.PodAffinityTerm{LabelSelector: &others, TopologyKey: term.TopologyKey})
		}
	}
	var preferred []corev1.WeightedPodAffinityTerm
	for _, w := range given.PreferredDuringSchedulingIgnoredDuringExecution {
		if t.names(w.PodAffinityTerm, namespace) {
			preferred = append(preferred, corev1.WeightedPodAffinityTerm{
				Weight: w.Weight, PodAffinityTerm: corev1.PodAffinityTerm{LabelSelector: &others, TopologyKey: w.PodAffinityTerm.TopologyKey},
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
	own.RequiredDuringSchedulingIgnoredDuringExecution = append(own.RequiredDuringSchedulingIgnoredDuringExecution, required...)
	own.PreferredDuringSchedulingIgnoredDuringExecution = append(own.PreferredDuringSchedulingIgnoredDuringExecution, preferred...)
	return a
}

// apart are the terms by which placeholders of a target with ports of the host keep off nodes where one of its pods, or another placeholder, has these ports or is to have them. They
// are not asked for as such: a namespace with the restricted or the baseline security standard admits no pod that does.
func (t *target) apart(namespace string, others metav1.LabelSelector) []corev1.PodAffinityTerm {
	if !hostPorts(&t.template.Spec) {
		return nil
	}
	terms := []corev1.PodAffinityTerm{{LabelSelector: &others, TopologyKey: corev1.LabelHostname}}
	if t.picks != nil {
		terms = append(terms, corev1.PodAffinityTerm{LabelSelector: t.picks, Namespaces: []string{namespace}, TopologyKey: corev1.LabelHostname})
	}
	return terms
}

// hostPorts is whether a pod has ports of its node: on the network of the host all that it declares are, though only pods say so, and their templates need not. Those of init containers
// count as long as they run beside the others.
func hostPorts(spec *corev1.PodSpec) bool {
	has := func(c corev1.Container) bool {
		return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.HostPort > 0 || spec.HostNetwork })
	}
	return slices.ContainsFunc(spec.Containers, has) || slices.ContainsFunc(spec.InitContainers, func(c corev1.Container) bool {
		return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways && has(c)
	})
}

// gather turns what the target's pods demand of being together towards the other placeholders, as long as no replica is on a node. The scheduler lets the first pod of
// those that want to be together go anywhere, and a placeholder is no pod of the target's: it would wait for one for ever.
func gather(a *corev1.Affinity, t *target, namespace string, others metav1.LabelSelector) *corev1.Affinity {
	for _, i := range t.togetherTerms(namespace) {
		term := &a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution[i]
		*term = corev1.PodAffinityTerm{LabelSelector: &others, TopologyKey: term.TopologyKey}
	}
	return a
}

// togetherTerms are which terms of the target's affinity demand that its pods be with one another, where none is yet.
func (t *target) togetherTerms(namespace string) []int {
	given := t.template.Spec.Affinity
	if given == nil || given.PodAffinity == nil || t.replicas > t.waiting {
		return nil
	}
	var out []int
	for i, term := range given.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
		if t.names(term, namespace) {
			out = append(out, i)
		}
	}
	return out
}

// names is whether a term of the target's picks the target's own pods.
func (t *target) names(term corev1.PodAffinityTerm, namespace string) bool {
	switch {
	case len(term.Namespaces) > 0 && !slices.Contains(term.Namespaces, namespace):
		return false
	case term.NamespaceSelector != nil && len(term.NamespaceSelector.MatchLabels)+len(term.NamespaceSelector.MatchExpressions) > 0:
		return false // which namespaces those are is not known here
	}
	return t.selects(term.LabelSelector)
}

// selects is whether a selector picks the target's own pods.
func (t *target) selects(s *metav1.LabelSelector) bool {
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && selector.Matches(labels.Set(t.template.Labels))
}

// spread has placeholders spread over topology as the target's pods do, among themselves: from another namespace the scheduler cannot count both together. Nodes then
// come up in all zones alike, and not in the one that is cheapest.
func spread(t *target, others metav1.LabelSelector) []corev1.TopologySpreadConstraint {
	var out []corev1.TopologySpreadConstraint
	for _, c := range t.template.Spec.TopologySpreadConstraints {
		if !t.selects(c.LabelSelector) {
			continue // over other pods
		}
		c = *c.DeepCopy()
		c.LabelSelector, c.MatchLabelKeys = &others, nil
		out = append(out, c)
	}
	return out
}
