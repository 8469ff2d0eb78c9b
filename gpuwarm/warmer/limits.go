package warmer

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/gpuwarm"
)

// within is how many of want replicas the limits leave room for, when used is held for others already. It adds what they take to used.
func within(limits map[string]resource.Quantity, used corev1.ResourceList, s gpuwarm.Shape, want int) int {
	free := corev1.ResourceList{}
	bounded := gpuwarm.Shape{Requests: corev1.ResourceList{}}
	for name, limit := range limits {
		left := limit.DeepCopy()
		left.Sub(used[corev1.ResourceName(name)])
		free[corev1.ResourceName(name)] = left
		if q, ok := s.Requests[corev1.ResourceName(name)]; ok {
			bounded.Requests[corev1.ResourceName(name)] = q
		}
	}
	got := want
	if len(bounded.Requests) > 0 {
		got = min(want, bounded.Room(free))
	}
	for name, q := range s.Requests {
		taken := q.DeepCopy()
		taken.Mul(int64(got))
		taken.Add(used[name])
		used[name] = taken
	}
	return got
}
