package allocate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// snapshots is how many random snapshots each property is tested with.
const snapshots = 10_000

var options = Options{
	ShapeKey: shapeKey, Cap: Cap{Placeholders: 1000, Accelerators: 1000, Pulls: 1000, ImageNodes: 1000},
}

// TestDecide checks the properties of a decision. A failure names the seed of its snapshot.
func TestDecide(t *testing.T) {
	const parts = 10
	for part := range uint64(parts) {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			held, clean := 0, 0
			for seed := part * snapshots / parts; seed < (part+1)*snapshots/parts; seed++ {
				d, isClean := checkDecision(t, seed)
				for _, w := range d.Works {
					held += w.Hold.Replicas
				}
				if isClean {
					clean++
				}
			}
			if held < snapshots/parts || clean < snapshots/parts/20 {
				t.Errorf("%d replicas are held and %d snapshots are clean: the snapshots are too simple", held, clean)
			}
		})
	}
}

// checkDecision checks the decision for the random snapshot of a seed. clean reports whether it
// removes nothing.
func checkDecision(t *testing.T, seed uint64) (d *Desired, clean bool) {
	t.Helper()
	g := newGenerator(seed)
	s, m := g.snapshot()
	d = Decide(s, m, options)
	before := describe(s, d)
	if err := firstError(
		checkSelection(s, d), checkLimits(s, d), checkNeeds(s, d), checkPods(s, d), checkPlaces(s, d),
		checkOrder(g, s, m, before),
	); err != nil {
		t.Fatalf("seed %d: %v\n%s", seed, err, before)
	}
	// Applying what is desired and deciding again changes nothing. What is removed makes room for
	// others once it is gone: then that holds from the second time on.
	s2, m2 := applied(s, m, d)
	d2 := Decide(s2, m2, options)
	second := describe(s2, d2)
	if clean = isClean(s, s2, d); clean && second != before {
		t.Fatalf("seed %d: it is applied, and the decision is another one:\n%s\n%s", seed, before, second)
	}
	s3, m3 := applied(s2, m2, d2)
	if third := describe(s3, Decide(s3, m3, options)); third != second {
		t.Fatalf("seed %d: it does not settle:\n%s\n%s", seed, second, third)
	}
	if err := checkLimits(s2, d2); err != nil {
		t.Fatalf("seed %d: once it is applied: %v", seed, err)
	}
	return d, clean
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkSelection: nothing is done for a Forecast that is not selected, or that is not to be warmed
// for.
func checkSelection(s *Snapshot, d *Desired) error {
	for _, w := range d.Works {
		if w.Forecast.Labels["warm"] != "yes" {
			return fmt.Errorf("%s is not selected", w.Forecast.Name)
		}
		idle := w.Hold.Replicas == 0 && len(w.Pull.Nodes) == 0
		switch {
		case !w.Holds() && !idle:
			return fmt.Errorf("%s holds, and is not the one to", w.Forecast.Name)
		case w.Target == nil && w.Load:
			return fmt.Errorf("%s loads weights, and is not warmed for", w.Forecast.Name)
		case w.Forecast.Spec.Mode == v1alpha1.ForecastPaused && w.Target != nil:
			return fmt.Errorf("%s is paused", w.Forecast.Name)
		case w.Target != nil && isOthers(s):
			return fmt.Errorf("%s is another WarmPool's", w.Forecast.Name)
		case s.Pool.Spec.Nodes.Policy == v1alpha1.WarmNodesOff && w.Hold.Replicas > 0:
			return fmt.Errorf("%s holds nodes, and none should be held", w.Forecast.Name)
		}
	}
	return nil
}

// isOthers reports whether the second WarmPool warms for what the pool selects: it selects the
// same, and it comes first by mode, by age and by name.
func isOthers(s *Snapshot) bool {
	at := slices.IndexFunc(s.Pools, func(p v1alpha1.WarmPool) bool { return p.Name == "other" })
	if at < 0 || s.Pools[at].Spec.ForecastSelector.MatchLabels["warm"] != "yes" {
		return false
	}
	other := &s.Pools[at]
	if dry := other.Spec.Mode == v1alpha1.WarmPoolDryRun; dry != (s.Pool.Spec.Mode == v1alpha1.WarmPoolDryRun) {
		return !dry
	}
	return !other.CreationTimestamp.After(s.Pool.CreationTimestamp.Time)
}

// checkLimits: what is held for all, with what stays, is within limits. Where what stays is above
// them alone, nothing is held beside it.
func checkLimits(s *Snapshot, d *Desired) error {
	stays, holds := corev1.ResourceList{}, corev1.ResourceList{}
	for _, w := range d.Works {
		switch {
		case w.Holds():
			use(holds, w.Target.Shape.Requests, w.Hold.Replicas)
		case w.Err != nil:
			for i := range w.Hold.Placeholders {
				if p := &w.Hold.Placeholders[i]; IsAlive(p) {
					usePod(stays, p, 1)
				}
			}
			if r, ok := s.Requests[w.Key]; ok && s.Acts() && w.Last != nil {
				use(stays, w.Last.Shape.Requests, r.Replicas)
			}
		}
	}
	for name, limit := range s.Pool.Spec.Limits {
		held, sum := holds[corev1.ResourceName(name)], stays[corev1.ResourceName(name)].DeepCopy()
		if sum.Add(held); sum.Cmp(limit) > 0 && !held.IsZero() {
			return fmt.Errorf("%s of %s are held beside what stays, together %s, and limited to %s",
				held.String(), name, sum.String(), limit.String())
		}
	}
	return nil
}

// checkNeeds: no more is held than needed, with what stays for Forecasts of the same target that
// cannot be read. One Forecast holds for each target.
func checkNeeds(s *Snapshot, d *Desired) error {
	holder, stays := map[TargetKey]string{}, map[TargetKey]int{}
	for _, w := range d.Works {
		if w.Err != nil && s.Acts() {
			if r, asked := s.Requests[w.Key]; asked {
				stays[KeyOf(w.Forecast)] += r.Replicas
			} else {
				stays[KeyOf(w.Forecast)] += Alive(w.Hold.Placeholders)
			}
		}
	}
	for _, w := range d.Works {
		if w.Hold.Replicas > w.Need.Nodes {
			return fmt.Errorf("%s holds %d of %d", w.Forecast.Name, w.Hold.Replicas, w.Need.Nodes)
		}
		if !w.Holds() {
			continue
		}
		need := gpuwarm.Staging(w.Plan, s.Now, w.Stages, w.Target.Replicas).Nodes
		if n := w.Hold.Replicas + stays[KeyOf(w.Forecast)]; w.Hold.Replicas > 0 && n > need {
			return fmt.Errorf("%s holds %d with what stays, and %d are needed", w.Forecast.Name, n, need)
		}
		if other, twice := holder[KeyOf(w.Forecast)]; twice {
			return fmt.Errorf("%s and %s hold for one target", w.Forecast.Name, other)
		}
		holder[KeyOf(w.Forecast)] = w.Forecast.Name
	}
	return nil
}

// checkPods: each pod of the pool is one Forecast's, or it is an orphan. Forecasts take over pods
// of no other target.
func checkPods(s *Snapshot, d *Desired) error {
	owner, byKey := map[types.UID]string{}, map[string]*Work{}
	for _, w := range d.Works {
		byKey[w.Key] = w
		for _, p := range slices.Concat(w.Hold.Placeholders, w.Pull.Pods) {
			if other, twice := owner[p.UID]; twice {
				return fmt.Errorf("%s and %s have %s", w.Forecast.Name, other, p.Name)
			}
			owner[p.UID] = w.Forecast.Name
		}
	}
	for _, w := range d.Works {
		for _, p := range slices.Concat(w.Hold.Placeholders, w.Pull.Pods) {
			from := byKey[p.Labels[names.LabelForecast]]
			if from != nil && from != w && (KeyOf(from.Forecast) != KeyOf(w.Forecast) || from.Err != nil || from.Holds()) {
				return fmt.Errorf("%s took %s from %s", w.Forecast.Name, p.Name, from.Forecast.Name)
			}
		}
	}
	for i := range d.Orphans {
		p := &d.Orphans[i]
		if name, twice := owner[p.UID]; twice {
			return fmt.Errorf("%s has the orphan %s", name, p.Name)
		}
		owner[p.UID] = "orphan"
	}
	for i := range s.Pods {
		p := &s.Pods[i]
		ours := p.Labels[names.LabelPool] == names.Pool("shop", "warm") && p.Namespace != "other"
		if _, known := owner[p.UID]; known != ours {
			return fmt.Errorf("%s is the pool's: %t, and somebody's: %t", p.Name, ours, known)
		}
	}
	return nil
}

// checkPlaces: the cluster's autoscaler holds no more places than there are GPUs free, each once.
func checkPlaces(s *Snapshot, d *Desired) error {
	free := gpuwarm.FreeResources(s.Nodes, s.Pods, func(p *corev1.Pod) bool {
		return p.Labels[names.LabelRole] != "" && p.Namespace != "other"
	})
	there := 0.0
	for _, list := range free {
		q := list[gpu]
		there += max(0, q.AsApproximateFloat64())
	}
	taken := 0.0
	for key, held := range Measure(s, d.Works, appliedAs(d)) {
		if held.Warm > held.Nodes {
			return fmt.Errorf("%d of %d held have the image", held.Warm, held.Nodes)
		}
		at := slices.IndexFunc(d.Works, func(w *Work) bool { return w.Key == key })
		if t := d.Works[at].SeenTarget(); held.ByAutoscaler && t != nil {
			q := t.Shape.Requests[gpu]
			taken += float64(held.Nodes) * q.AsApproximateFloat64()
		}
	}
	if taken > there {
		return fmt.Errorf("%g GPUs count as held, and %g are free", taken, there)
	}
	return nil
}

// appliedAs is what came of a decision that was applied without an error.
func appliedAs(d *Desired) map[string]Applied {
	out := map[string]Applied{}
	for _, w := range d.Works {
		a := Applied{ByAutoscaler: ByAutoscaler(w.Hold.By), Placeholders: w.Hold.Replicas}
		if t := w.Target; t != nil {
			a.HasImage = t.Known.ListedOn
		}
		out[w.Key] = a
	}
	return out
}

// checkOrder: the order of Forecasts, WarmPools, nodes and pods does not matter.
func checkOrder(g *generator, s *Snapshot, m Memory, before string) error {
	other := *s
	other.Forecasts, other.Pools = slices.Clone(s.Forecasts), slices.Clone(s.Pools)
	other.Nodes, other.Pods = slices.Clone(s.Nodes), slices.Clone(s.Pods)
	shuffle(g, other.Forecasts)
	shuffle(g, other.Pools)
	shuffle(g, other.Nodes)
	shuffle(g, other.Pods)
	if after := describe(&other, Decide(&other, m, options)); after != before {
		return fmt.Errorf("in another order it is\n%s", after)
	}
	return nil
}

func shuffle[T any](g *generator, of []T) {
	g.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
}

// describe spells out a decision, with what is held by it.
func describe(s *Snapshot, d *Desired) string {
	var out strings.Builder
	held := Measure(s, d.Works, appliedAs(d))
	for _, w := range d.Works {
		holder, pool := "", ""
		if w.Holder != nil {
			holder = w.Holder.Forecast.Name
		}
		if w.HolderPool != nil {
			pool = w.HolderPool.Pool.Name + "/" + w.HolderPool.Forecast.Name
		}
		var nodes []string
		for _, n := range w.Pull.Nodes {
			nodes = append(nodes, n.Name)
		}
		fmt.Fprintf(&out, "%s ineligible=%q err=%v holder=%s%s hold=%d/%d by=%s%s limited=%t pull=%s onto %v load=%t "+
			"short=%q held=%+v\n", w.Forecast.Name, w.Ineligible, w.Err, holder, pool, w.Hold.Replicas, w.Need.Nodes,
			w.Hold.By, w.Hold.Missing, w.Hold.Limited, w.Pull.By, nodes, w.Load, w.ShortMessage, held[w.Key])
	}
	fmt.Fprintf(&out, "shared=%+v short=%+v", d.Shared, d.Short)
	return out.String()
}

// isClean reports whether nothing is there that the decision removes.
func isClean(before, after *Snapshot, d *Desired) bool {
	stays := map[types.UID]bool{}
	for i := range after.Pods {
		stays[after.Pods[i].UID] = true
	}
	for i := range before.Pods {
		p := &before.Pods[i]
		if p.Labels[names.LabelRole] == names.RolePlaceholder && !stays[p.UID] {
			return false
		}
	}
	for key := range before.Requests {
		if _, ok := after.Requests[key]; !ok {
			return false
		}
	}
	return !slices.ContainsFunc(d.Works, func(w *Work) bool { return w.Err != nil })
}

// applied is the snapshot once a decision was applied, and what is remembered then.
func applied(s *Snapshot, m Memory, d *Desired) (*Snapshot, Memory) {
	out := *s
	out.Requests = maps.Clone(s.Requests)
	deleted := map[types.UID]bool{}
	drop := func(pods []corev1.Pod) {
		for i := range pods {
			deleted[pods[i].UID] = true
		}
	}
	drop(d.Orphans)
	var created []corev1.Pod
	known := map[string]bool{}
	remembered := map[string]Remembered{}
	for _, w := range d.Works {
		known[w.Key] = true
		status := w.Before
		switch {
		case w.Err != nil && s.Acts():
			drop(endedPods(w.Hold.Placeholders))
		case w.Err != nil:
			drop(w.Hold.Placeholders)
		case w.Holds() && s.Acts():
			created = append(created, hold(s, &out, w, drop)...)
			status = v1alpha1.WarmForecast{NodesBy: string(w.Hold.By), Hold: int32(w.Hold.Replicas)}
		default:
			drop(w.Hold.Placeholders)
			delete(out.Requests, w.Key)
			status = v1alpha1.WarmForecast{NodesBy: string(w.Hold.By), Hold: int32(w.Hold.Replicas)}
		}
		status.Name = w.Forecast.Name
		if w.Holder != nil {
			status.WarmedBy = w.Holder.Forecast.Name
		}
		last := Remembered{Target: w.SeenTarget(), Read: s.Now, Status: status}
		if w.Target == nil || w.Stale != nil {
			last.Read = m.Forecasts[w.Forecast.Name].Read
		}
		remembered[w.Forecast.Name] = last
	}
	maps.DeleteFunc(out.Requests, func(key string, _ Request) bool { return !known[key] })
	out.Pods = append(slices.DeleteFunc(slices.Clone(s.Pods), func(p corev1.Pod) bool { return deleted[p.UID] }),
		created...)
	return &out, Memory{Forecasts: remembered, Images: d.Images, Overheads: d.Overheads, Errors: m.Errors}
}

func endedPods(pods []corev1.Pod) []corev1.Pod {
	return slices.DeleteFunc(slices.Clone(pods), func(p corev1.Pod) bool { return IsAlive(&p) })
}

// hold holds nodes for a Forecast: it changes the requests, and returns the placeholders that are
// created.
func hold(s, out *Snapshot, w *Work, drop func([]corev1.Pod)) (created []corev1.Pod) {
	if ByAutoscaler(w.Hold.By) {
		drop(w.Hold.Placeholders)
		out.Requests[w.Key] = Request{Replicas: w.Hold.Replicas, Template: &w.Target.Template}
		return nil
	}
	delete(out.Requests, w.Key)
	nodes, kept := NodesOf(s.Nodes), 0
	pods := slices.Clone(w.Hold.Placeholders)
	slices.SortStableFunc(pods, func(a, b corev1.Pod) int {
		return nodes.Rank(&a, w.Target.ShapeKey) - nodes.Rank(&b, w.Target.ShapeKey)
	})
	for i := range pods {
		if kept < w.Hold.Replicas && nodes.Rank(&pods[i], w.Target.ShapeKey) < Useless {
			kept++
			continue
		}
		drop(pods[i : i+1])
	}
	for ; kept < w.Hold.Replicas; kept++ {
		p := corev1.Pod{}
		p.Namespace, p.Name = "headstart-warm", fmt.Sprint("hold-", w.Key, "-", kept, "-", len(s.Pods))
		p.UID = types.UID(p.Name)
		p.Labels = map[string]string{
			names.LabelRole: names.RolePlaceholder, names.LabelPool: names.Pool("shop", "warm"),
			names.LabelForecast: w.Key, names.LabelShape: w.Target.ShapeKey,
		}
		p.Annotations = map[string]string{
			names.AnnotationFor: names.Owner{Namespace: "shop", Pool: "warm", Forecast: w.Forecast.Name}.String(),
		}
		requests := w.Target.Shape.Requests.DeepCopy()
		delete(requests, corev1.ResourcePods)
		p.Spec.Containers = []corev1.Container{{Name: "hold", Resources: corev1.ResourceRequirements{Requests: requests}}}
		created = append(created, p)
	}
	return created
}
