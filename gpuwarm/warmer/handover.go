package warmer

import (
	"cmp"
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A target is held for by one of its Forecasts, and that can become another one: the first is paused or goes, or one comes that is before it by name. What is held then is
// taken over. Made anew it would be held by nobody meanwhile, for limits leave no room for both, and nodes would be let go that are wanted.

// holdersFirst are the jobs in the order in which they are done: those that hold take over from the others before these let go.
func holdersFirst(jobs []*job) []*job {
	out := slices.Clone(jobs)
	last := func(j *job) int {
		if j.err == nil && (j.target == nil || j.joined()) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(out, func(a, b *job) int { return cmp.Compare(last(a), last(b)) })
	return out
}

// heirOf is the hash of the Forecast that a pod of ours is for: the one that took it over, or it was made for.
func (l *look) heirOf(p *corev1.Pod) string {
	if heir, ok := l.heirs[p.UID]; ok {
		return heir
	}
	return p.Labels[labelForecast]
}

// strays are the pods of a role that a Forecast can take over: those of others of its target that are not warmed for now or leave that to it, and of those that are not
// selected any more, of which it is not known what their target was.
func (l *look) strays(heir *job, role string, is func(*corev1.Pod) bool) []corev1.Pod {
	holder := map[string]bool{}
	for _, j := range l.jobs {
		if j.err != nil || j == heir || keyOf(j) != keyOf(heir) {
			holder[forecastHash(j.fc.Namespace, j.fc.Name)] = true
		}
	}
	var out []corev1.Pod
	for i := range l.pods {
		p := &l.pods[i]
		if p.Labels[labelRole] == role && p.Labels[labelPool] == poolHash(l.pool.Namespace, l.pool.Name) && alive(p) && !holder[l.heirOf(p)] && is(p) {
			out = append(out, *p)
		}
	}
	return inOrder(out)
}

// allot is for how many replicas the limits let nodes be held for a Forecast. Before anything is made for it, it takes over placeholders of the same shape that are held
// for no other one any more. Those count towards the limits already.
func (l *look) allot(j *job) int {
	shape := shapeHash(j.target)
	strays := l.strays(j, rolePlaceholder, func(p *corev1.Pod) bool { return l.rank(p, shape) < useless })
	slices.SortStableFunc(strays, func(a, b corev1.Pod) int { return cmp.Compare(l.rank(&a, shape), l.rank(&b, shape)) })
	for i := range strays {
		takesPod(l.used, &strays[i], -1)
	}
	want := within(l.pool.Spec.Limits, l.used, j.target.shape, j.hold.Nodes)
	lacking := max(0, want-l.ofUse(l.mine(rolePlaceholder, j.fc.Name), shape))
	for i := range strays {
		if i < lacking && l.act {
			l.heirs[strays[i].UID] = forecastHash(j.fc.Namespace, j.fc.Name)
		} else {
			takesPod(l.used, &strays[i], 1)
		}
	}
	return want
}

// adoptPulls has a Forecast take over pulls of its image onto nodes that are to have it.
func (l *look) adoptPulls(j *job, nodes []*corev1.Node) {
	lacks := map[string]bool{}
	for _, n := range nodes {
		lacks[hash(n.Name)] = !j.target.known.On(n)
	}
	for _, p := range l.mine(rolePull, j.fc.Name) {
		delete(lacks, p.Labels[labelNode])
	}
	for _, p := range l.strays(j, rolePull, func(p *corev1.Pod) bool { return p.Labels[labelImage] == hash(j.target.ask) }) {
		if node := p.Labels[labelNode]; lacks[node] {
			l.heirs[p.UID] = forecastHash(j.fc.Namespace, j.fc.Name)
			delete(lacks, node)
		}
	}
}

// inherit has a Forecast know of the image's pulls, and of placeholders that ended, what those of its target did that held before it.
func (r *Reconciler) inherit(l *look, heir *job) {
	own := trialsKey(l.pool, heir.fc.Name)
	for _, j := range l.jobs {
		if j == heir || j.err != nil || l.holds[keyOf(j)] != heir {
			continue
		}
		from := trialsKey(l.pool, j.fc.Name)
		if t := r.trials[from]; t != nil && r.trials[own] == nil {
			r.trials[own] = t
		}
		if e, ok := r.ends[from]; ok && r.ends[own].tries == 0 {
			r.ends[own] = e
		}
		delete(r.trials, from)
		delete(r.ends, from)
	}
}

// handsOver is whether another Forecast of its target begins at this look to hold what this one did.
func (l *look) handsOver(j *job) bool {
	heir := l.holds[keyOf(j)]
	return heir != nil && heir != j && (l.before(heir.fc.Name).WarmedBy == j.fc.Name || l.last[heir.fc.Name].waits)
}

// awaited is whether what is held for a Forecast stays until another one of its target holds it.
func (l *look) awaited(j *job) bool {
	heir := l.holds[keyOf(j)]
	return heir != nil && heir != j && !heir.took && heir.hold.Nodes > 0
}

// handOver lets go of nodes and images that are held for a Forecast, once another one of its target, where there is one, holds what is still wanted of it.
func (r *Reconciler) handOver(ctx context.Context, l *look, j *job) error {
	if l.awaited(j) {
		return nil
	}
	return r.letReplicas(ctx, l, j.fc.Name)
}

// othersOf selects the placeholders of one Forecast, those with it that it took over.
func othersOf(own string, have []corev1.Pod) metav1.LabelSelector {
	all := []string{own}
	for i := range have {
		if of := have[i].Labels[labelForecast]; !slices.Contains(all, of) {
			all = append(all, of)
		}
	}
	if len(all) == 1 {
		return metav1.LabelSelector{MatchLabels: map[string]string{labelRole: rolePlaceholder, labelForecast: own}}
	}
	slices.Sort(all)
	return metav1.LabelSelector{
		MatchLabels:      map[string]string{labelRole: rolePlaceholder},
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: labelForecast, Operator: metav1.LabelSelectorOpIn, Values: all}},
	}
}

// heed has Forecasts whose targets cannot be read keep what they took over, as far as they held it at the last look: labels do not tell of that.
func (l *look) heed(jobs []*job) {
	for _, j := range jobs {
		if j.err == nil || !l.act || apiHolds(&j.status) || l.holds[keyOf(j)] != nil {
			continue
		}
		lacking := int(j.status.Hold) - live(l.mine(rolePlaceholder, j.fc.Name))
		for _, p := range l.strays(j, rolePlaceholder, func(p *corev1.Pod) bool { return true }) {
			if lacking <= 0 {
				break
			}
			l.heirs[p.UID] = forecastHash(j.fc.Namespace, j.fc.Name)
			lacking--
		}
	}
}
