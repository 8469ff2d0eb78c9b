package allocate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"headstart.dev/headstart/gpuwarm"
)

// quotaRoom is how many more pods like a target's the quotas allow; -1 when none of them limits
// such pods.
func quotaRoom(quotas []corev1.ResourceQuota, t *Target) int {
	const many = 1 << 30
	room := many
	for i := range quotas {
		if q := &quotas[i]; quotaCovers(q, &t.Template.Spec) {
			room = min(room, max(0, within(headroom(q), corev1.ResourceList{}, t.Shape, many)))
		}
	}
	if room == many {
		return -1
	}
	return room
}

// quotaCovers reports whether a quota counts pods of a spec. All its scopes must match, as in the
// API server. A pod without a priority class is taken to get none by default.
func quotaCovers(q *corev1.ResourceQuota, spec *corev1.PodSpec) bool {
	for _, scope := range q.Spec.Scopes {
		if !inScope(spec, corev1.ScopedResourceSelectorRequirement{
			ScopeName: scope, Operator: corev1.ScopeSelectorOpExists,
		}) {
			return false
		}
	}
	if q.Spec.ScopeSelector == nil {
		return true
	}
	return !slices.ContainsFunc(q.Spec.ScopeSelector.MatchExpressions,
		func(r corev1.ScopedResourceSelectorRequirement) bool { return !inScope(spec, r) })
}

// inScope reports whether a pod is in one scope. In one that is not known here it is, so that a
// quota bounds too much rather than too little.
func inScope(spec *corev1.PodSpec, r corev1.ScopedResourceSelectorRequirement) bool {
	class := spec.PriorityClassName
	switch r.ScopeName {
	case corev1.ResourceQuotaScopeTerminating:
		return spec.ActiveDeadlineSeconds != nil
	case corev1.ResourceQuotaScopeNotTerminating:
		return spec.ActiveDeadlineSeconds == nil
	case corev1.ResourceQuotaScopeBestEffort:
		return isBestEffort(spec)
	case corev1.ResourceQuotaScopeNotBestEffort:
		return !isBestEffort(spec)
	case corev1.ResourceQuotaScopePriorityClass:
		switch r.Operator {
		case corev1.ScopeSelectorOpIn:
			return slices.Contains(r.Values, class)
		case corev1.ScopeSelectorOpNotIn:
			return !slices.Contains(r.Values, class)
		case corev1.ScopeSelectorOpDoesNotExist:
			return class == ""
		}
		return class != ""
	}
	return true
}

// isBestEffort reports whether a pod requests and limits neither CPU nor memory.
func isBestEffort(spec *corev1.PodSpec) bool {
	requests := gpuwarm.ShapeOf(spec).Requests
	cpu, memory := requests[corev1.ResourceCPU], requests[corev1.ResourceMemory]
	return cpu.IsZero() && memory.IsZero()
}
