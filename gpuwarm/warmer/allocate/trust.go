package allocate

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// Labels prove nothing: who may create pods in a namespace sets them at will. A pod is a
// placeholder only in the namespace where Headstart alone writes, and a pull pod only where a
// WarmPool of its namespace controls it, by UID. Pods of other namespaces are ordinary pods.

// isPlaceholder reports whether a pod is a placeholder, of any WarmPool of the cluster.
func (s *Snapshot) isPlaceholder(p *corev1.Pod) bool {
	return p.Namespace == s.Namespace && p.Labels[names.LabelRole] == names.RolePlaceholder
}

// IsPlaceholder reports whether a pod is a placeholder of the pool. Its annotation says so: hashes
// in labels are of another kind where an earlier release made it.
func (s *Snapshot) IsPlaceholder(p *corev1.Pod) bool {
	if !s.isPlaceholder(p) {
		return false
	}
	of, ok := names.OwnerIn(p.Annotations)
	return ok && of.Namespace == s.Pool.Namespace && of.Pool == s.Pool.Name
}

// isPull reports whether a pod pulls for the pool.
func (s *Snapshot) isPull(p *corev1.Pod) bool {
	return isPullPod(p) && p.Namespace == s.Pool.Namespace && metav1.IsControlledBy(p, s.Pool)
}

// isAnyPull reports whether a pod pulls for a WarmPool of the namespace.
func (s *Snapshot) isAnyPull(p *corev1.Pod) bool {
	if !isPullPod(p) || p.Namespace != s.Pool.Namespace {
		return false
	}
	for i := range s.Pools {
		if metav1.IsControlledBy(p, &s.Pools[i]) {
			return true
		}
	}
	return metav1.IsControlledBy(p, s.Pool)
}

// isPullPod reports whether a pod is a pull pod for all that its own namespace can say.
func isPullPod(p *corev1.Pod) bool {
	if p.Labels[names.LabelRole] != names.RolePull {
		return false
	}
	owner := metav1.GetControllerOfNoCopy(p)
	return owner != nil && owner.Kind == "WarmPool"
}

// givesWay reports whether a pod leaves its place to replicas. Pull pods of other namespaces do as
// well, but anybody can make a pod that looks like one.
func (s *Snapshot) givesWay(p *corev1.Pod) bool { return s.isPlaceholder(p) || s.isAnyPull(p) }

// yields reports whether a pod leaves its place to replicas of this namespace and to nobody else:
// what other namespaces hold is not held for this one.
func (s *Snapshot) yields(p *corev1.Pod) bool {
	return s.givesWay(p) && (!s.isPlaceholder(p) || namespaceOf(p) == s.Pool.Namespace)
}

// madeFor returns the key of the Forecast that a pod of the pool was made for.
func madeFor(p *corev1.Pod) string {
	if of, ok := names.OwnerIn(p.Annotations); ok {
		return of.Key()
	}
	return p.Labels[names.LabelForecast]
}
