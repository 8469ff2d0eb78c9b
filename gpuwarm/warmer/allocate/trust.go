package allocate

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// Labels prove nothing: anyone who may create pods in a namespace can set them. So a pod is a
// placeholder only in the namespace where nobody but Headstart may write. It is a pull pod only if
// a WarmPool of its namespace controls it, by UID. Other pods with these labels are ordinary pods.

// isAnyPlaceholder reports whether a pod is a placeholder of any WarmPool of the cluster.
func (s *Snapshot) isAnyPlaceholder(p *corev1.Pod) bool {
	return p.Namespace == s.Namespace && p.Labels[names.LabelRole] == names.RolePlaceholder
}

// IsOwnPlaceholder reports whether a pod is a placeholder of the pool. It reads the annotation. An
// earlier release made the hashes in labels in another way.
func (s *Snapshot) IsOwnPlaceholder(p *corev1.Pod) bool {
	if !s.isAnyPlaceholder(p) {
		return false
	}
	of, ok := names.OwnerIn(p.Annotations)
	return ok && of.Namespace == s.Pool.Namespace && of.Pool == s.Pool.Name
}

// isOwnPull reports whether a pod pulls for the pool.
func (s *Snapshot) isOwnPull(p *corev1.Pod) bool {
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

// isPullPod reports whether a pod looks like a pull pod of its namespace. It does not prove that
// the WarmPool exists.
func isPullPod(p *corev1.Pod) bool {
	if p.Labels[names.LabelRole] != names.RolePull {
		return false
	}
	owner := metav1.GetControllerOfNoCopy(p)
	return owner != nil && owner.Kind == "WarmPool"
}

// givesWay reports whether a pod leaves its place to replicas. Pull pods of other namespaces do not
// count here, since anyone there can create a pod that looks like one.
func (s *Snapshot) givesWay(p *corev1.Pod) bool { return s.isAnyPlaceholder(p) || s.isAnyPull(p) }

// yields reports whether a pod leaves its place to replicas of this namespace and to nobody else:
// what other namespaces hold is not held for this one.
func (s *Snapshot) yields(p *corev1.Pod) bool {
	return s.givesWay(p) && (!s.isAnyPlaceholder(p) || ownerNamespace(p) == s.Pool.Namespace)
}

// madeFor returns the key of the Forecast that a pod of the pool was made for.
func madeFor(p *corev1.Pod) string {
	if of, ok := names.OwnerIn(p.Annotations); ok {
		return of.Key()
	}
	return p.Labels[names.LabelForecast]
}
