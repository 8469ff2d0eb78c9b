package allocate

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

// The leads of the stages while nothing is configured or learned.
const (
	DefaultNodeLead    = 5 * time.Minute
	DefaultImageLead   = 15 * time.Minute
	defaultWeightsLead = 15 * time.Minute
	// longestLead is the upper bound of a learned lead.
	longestLead = time.Hour
)

func compareNames(a, b *v1alpha1.Forecast) int { return cmp.Compare(a.Name, b.Name) }

// size sets what must be warm for the target, from a plan and the learned leads. It does not
// consider that other services may share the nodes: see share.
func (w *Work) size(s *Snapshot, plan gpuwarm.Timeline, learned gpuwarm.Stages) {
	w.Plan, w.Stages = plan, stagesOf(s.Pool, w.Forecast.Name, learned)
	w.Need = gpuwarm.Staging(plan, s.Now, w.Stages, w.Target.Replicas)
	w.Weights = WeightsOf(s.Pool, w.Forecast.Name)
	w.Load = w.Weights != nil && w.Need.Weights > w.Target.Replicas
}

// WeightsOf returns the entry of spec.weights for a Forecast; nil when there is none.
func WeightsOf(pool *v1alpha1.WarmPool, forecast string) *v1alpha1.WarmWeights {
	for i := range pool.Spec.Weights {
		if w := &pool.Spec.Weights[i]; w.Forecast == forecast {
			return w
		}
	}
	return nil
}

// learnedLeads returns the leads that are learned from a Forecast's recent starts. A lead is 0 when
// it was never learned.
//
// While nodes are held, no start waits for a node, so nothing new is learned. Then the lead of the
// last status stays.
func learnedLeads(fc *v1alpha1.Forecast, before v1alpha1.WarmForecast) gpuwarm.Stages {
	var out gpuwarm.Stages
	if fc.Status.LeadTime != nil {
		out.Node, out.Image = gpuwarm.LearnedStages(fc.Status.LeadTime.RecentStarts)
	}
	if d, err := before.LearnedNodeLead.Parse(); out.Node == 0 && err == nil {
		out.Node = d
	}
	if d, err := before.LearnedImageLead.Parse(); out.Image == 0 && err == nil {
		out.Image = d
	}
	return out
}

// stagesOf returns the leads of one Forecast: given in spec, learned, or assumed.
func stagesOf(pool *v1alpha1.WarmPool, forecast string, learned gpuwarm.Stages) gpuwarm.Stages {
	s := gpuwarm.Stages{
		Node:  lead(pool.Spec.Nodes.Lead, learned.Node, DefaultNodeLead),
		Image: lead(pool.Spec.Images.Lead, learned.Image, DefaultImageLead),
	}
	if pool.Spec.Nodes.Policy == v1alpha1.WarmNodesOff {
		s.Node = 0
	}
	if pool.Spec.Images.Policy == v1alpha1.WarmImagesOff {
		s.Image = 0
	}
	if w := WeightsOf(pool, forecast); w != nil {
		s.Weights = max(lead(w.Lead, 0, defaultWeightsLead), time.Second) // 0 would mean: load nothing
	}
	return s
}

func lead(given v1alpha1.Duration, learned, assumed time.Duration) time.Duration {
	if given != "" {
		if d, err := given.Parse(); err == nil && d >= 0 {
			return d
		}
	}
	if learned > 0 {
		return min(learned, longestLead)
	}
	return assumed
}

// FormatLead returns a learned lead in the form of the status. It is empty for 0.
func FormatLead(d time.Duration) v1alpha1.Duration {
	if d == 0 {
		return ""
	}
	return v1alpha1.FormatDuration(min(d, longestLead))
}

// group has the works of services that can use each other's held places.
type group struct {
	resource corev1.ResourceName
	works    []*Work
	members  []gpuwarm.Member
}

// groupsOf returns the groups of the works that hold, ordered by the first work of each group.
func groupsOf(works []*Work) []*group {
	var out []*group
	byPool := map[string]*group{}
	for _, w := range works {
		if !w.Holds() {
			continue
		}
		t := w.Target
		key := t.Shape.Pool() + t.Template.Spec.SchedulerName
		name, units := t.Shape.ScarceResource()
		g := byPool[key]
		if g == nil {
			g = &group{resource: name}
			byPool[key] = g
			out = append(out, g)
		}
		g.works = append(g.works, w)
		g.members = append(g.members, gpuwarm.Member{
			Timeline: w.Plan, Replicas: t.Replicas, Units: units, Stages: w.Stages,
		})
	}
	return out
}

// share reduces the nodes to hold for services that share a node pool, to what they need together.
// ProvisioningRequests are not shared: each is for one service, and gets all its nodes or none.
func share(s *Snapshot, works []*Work, errs *gpuwarm.ForecastErrors) []Shared {
	policy := s.Pool.Spec.Nodes.Policy
	if policy == v1alpha1.WarmNodesOff || policy == v1alpha1.WarmNodesProvisioningRequest {
		return nil
	}
	var out []Shared
	for _, g := range groupsOf(works) {
		if len(g.works) < 2 {
			continue
		}
		forecasts := make([]string, len(g.works))
		for i, w := range g.works {
			forecasts[i] = w.Forecast.Name
		}
		correlation, n := errs.Correlation(forecasts)
		joint := gpuwarm.JointHolds(g.members, s.Now, correlation)
		for i, w := range g.works {
			w.Need.Nodes = joint.Holds[i]
		}
		out = append(out, Shared{forecasts, g.resource, joint, correlation, n})
	}
	return out
}

// subtractKept is for targets with several Forecasts, when the target of one of them cannot be
// read. What is held for that one stays. It is subtracted from what the others need.
func subtractKept(l *ledger, works []*Work) {
	kept := map[TargetKey]int{}
	for _, w := range works {
		if w.Err != nil {
			kept[KeyOf(w.Forecast)] += l.kept(w)
		}
	}
	for _, w := range works {
		if w.Target != nil {
			w.Need.Nodes = max(0, w.Need.Nodes-kept[KeyOf(w.Forecast)])
		}
	}
}

// usableNodes returns the nodes that the target's replicas will run on. These are the busy nodes,
// which have replicas or hold places for them. Then come nodes with free room, those with the most
// room first, until more replicas fit. They are needed because the scheduler uses a free node
// before it evicts a placeholder.
func usableNodes(
	t *Target, nodes Nodes, free map[string]corev1.ResourceList, busy map[string]bool, more int,
) []*corev1.Node {
	type candidate struct {
		node *corev1.Node
		room int
	}
	var out []*corev1.Node
	var open []candidate
	for _, n := range nodes {
		room := 0
		if t.Shape.Admits(n) {
			room = t.room(free[n.Name])
		}
		switch {
		case room <= 0:
		case busy[n.Name]:
			out = append(out, n)
		default:
			open = append(open, candidate{n, room})
		}
	}
	slices.SortFunc(open, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.room, a.room), cmp.Compare(a.node.Name, b.node.Name))
	})
	for _, c := range open {
		if more <= 0 {
			break
		}
		out = append(out, c.node)
		more -= c.room
	}
	return out
}
