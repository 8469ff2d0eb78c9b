package warmer

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
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
	takes(used, s.Requests, got)
	return got
}

// takes adds so many times what a replica takes to used.
func takes(used, requests corev1.ResourceList, n int) {
	for name, q := range requests {
		taken := q.DeepCopy()
		taken.Mul(int64(n))
		taken.Add(used[name])
		used[name] = taken
	}
}

// countLeft counts towards the limits what placeholders hold that nothing is wanted of now: for Forecasts whose targets cannot be read, and what is not removed
// yet. What the cluster's autoscaler was asked to hold for such a Forecast counts as it was asked for, unless another Forecast of its target asks in its stead now.
func (l *look) countLeft(jobs []*job) {
	wanted := map[string]bool{}
	for _, j := range jobs {
		switch {
		case j.target != nil && !j.joined():
			wanted[forecastHash(j.fc.Namespace, j.fc.Name)] = true
		case j.last != nil && (!l.act || apiHolds(&j.status)) && !l.handsOver(j):
			takes(l.used, j.last.shape.Requests, int(j.status.Hold))
		}
	}
	for i := range l.pods {
		p := &l.pods[i]
		if p.Labels[labelRole] == rolePlaceholder && p.Labels[labelPool] == poolHash(l.pool.Namespace, l.pool.Name) && !wanted[p.Labels[labelForecast]] && alive(p) {
			takesPod(l.used, p, 1)
		}
	}
}

// takesPod adds so many times what a placeholder takes to used.
func takesPod(used corev1.ResourceList, p *corev1.Pod, n int) {
	takes(used, corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")}, n)
	for _, c := range p.Spec.Containers {
		takes(used, c.Resources.Requests, n)
	}
	takes(used, p.Spec.Overhead, n)
}

// kept is for how many replicas nodes stay held for a Forecast whose target cannot be read.
func (l *look) kept(j *job) int {
	if !l.act || apiHolds(&j.status) {
		return int(j.status.Hold)
	}
	return live(l.mine(rolePlaceholder, j.fc.Name))
}

// countKept says of a Forecast whose target cannot be read what is held for it all the same, and returns how many placeholders do.
func (l *look) countKept(j *job) int32 {
	have := l.mine(rolePlaceholder, j.fc.Name)
	for i := range have {
		if alive(&have[i]) && have[i].Spec.NodeName != "" {
			j.there++
		}
	}
	if j.last != nil && l.act && apiHolds(&j.status) {
		j.byAPI = true
		j.there = len(l.take(j.last, int(j.status.Hold), j.last.known.On))
	}
	return int32(live(have))
}

// apiHolds is whether the cluster's autoscaler holds nodes for a Forecast, and not placeholders.
func apiHolds(s *v1alpha1.WarmForecast) bool {
	_, ok := kindOfPolicy[v1alpha1.WarmNodesPolicy(s.NodesBy)]
	return ok
}
