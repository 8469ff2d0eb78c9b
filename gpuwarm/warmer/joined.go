package warmer

import (
	"cmp"
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

// targetKey names a target within its namespace. In which version it is asked for makes no other of it.
type targetKey struct {
	kind schema.GroupKind
	name string
}

func keyOf(j *job) targetKey {
	return refOf(j.fc)
}

func refOf(fc *v1alpha1.Forecast) targetKey {
	ref := fc.Spec.TargetRef
	return targetKey{schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind(), ref.Name}
}

// joint is what the Forecasts of one target have together.
type joint struct {
	keeper  *job
	plans   []gpuwarm.Timeline
	learned gpuwarm.Stages // the longest leads
}

func (all *joint) add(plan gpuwarm.Timeline, learned gpuwarm.Stages) {
	all.plans = append(all.plans, plan)
	all.learned.Node, all.learned.Image = max(all.learned.Node, learned.Node), max(all.learned.Image, learned.Image)
}

// joined is whether nodes are held and images pulled by another Forecast of the target than this one, here or in another WarmPool.
func (j *job) joined() bool { return j.keeper != nil || j.elsewhere != nil }

// join has each target warmed for once, by the largest of its plans, as an HPA with several metrics scales by the largest of what they ask for. The first Forecast by
// name does it for all: placeholders are labelled with their Forecast, and would else be made anew each time that another plan is ahead.
func (l *look) join(jobs []*job) {
	of := map[targetKey]*joint{}
	l.holds = map[targetKey]*job{}
	for _, j := range jobs {
		if j.target == nil {
			continue
		}
		all := of[keyOf(j)]
		if all == nil {
			all = &joint{keeper: j}
			of[keyOf(j)] = all
			for _, f := range l.others[keyOf(j)] {
				all.add(f.plan, f.learned)
			}
		} else {
			j.keeper, j.status.WarmedBy = all.keeper, all.keeper.fc.Name
		}
		switch {
		case j.elsewhere != nil:
			j.keeper, j.status.WarmedBy = nil, j.elsewhere.fc.Name
		case j.keeper == nil:
			l.holds[keyOf(j)] = j
		}
		all.add(j.target.timeline, j.learned)
	}
	for _, j := range jobs {
		if j.target != nil {
			all := of[keyOf(j)]
			j.stage(l.now, gpuwarm.Largest(all.plans...), l.stagesOf(j.fc, all.learned))
		}
	}
}

// deduct takes off what is to be held for a target what stays held for a Forecast of the same target that cannot be read all of.
func (l *look) deduct(jobs []*job) {
	kept := map[targetKey]int{}
	for _, j := range jobs {
		if j.err != nil {
			kept[keyOf(j)] += l.kept(j)
		}
	}
	for _, j := range jobs {
		if j.target != nil {
			j.hold.Nodes = max(0, j.hold.Nodes-kept[keyOf(j)])
		}
	}
}

// warmJoined does for a Forecast that another one of its target is warmed by what is left to do: weights are named by Forecast.
func (r *Reconciler) warmJoined(ctx context.Context, l *look, j *job, out *outcome) error {
	of := " for Forecast " + j.fc.Name
	if j.elsewhere != nil {
		out.elsewhere++
		out.elsewhereBy = cmp.Or(out.elsewhereBy, j.elsewhere.pool.Name)
	}
	return errors.Join(
		out.settle(&out.left, nil, "removal of what was warmed"+of, r.handOver(ctx, l, j)),
		out.settle(&out.weights, &j.status, "weights"+of, r.warmWeights(ctx, l, j, out)),
	)
}
