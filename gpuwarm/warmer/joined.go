package warmer

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"headstart.dev/headstart/gpuwarm"
)

// targetKey names a target within its namespace. In which version it is asked for makes no other of it.
type targetKey struct {
	kind schema.GroupKind
	name string
}

func keyOf(j *job) targetKey {
	ref := j.fc.Spec.TargetRef
	return targetKey{schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind(), ref.Name}
}

// joint is what the Forecasts of one target have together.
type joint struct {
	keeper  *job
	plans   []gpuwarm.Timeline
	learned gpuwarm.Stages // the longest leads
}

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
			of[keyOf(j)], l.holds[keyOf(j)] = all, j
		} else {
			j.keeper, j.status.WarmedBy = all.keeper, all.keeper.fc.Name
		}
		all.plans = append(all.plans, j.target.timeline)
		all.learned.Node, all.learned.Image = max(all.learned.Node, j.learned.Node), max(all.learned.Image, j.learned.Image)
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
	return errors.Join(
		out.settle(&out.left, nil, "removal of what was warmed"+of, r.handOver(ctx, l, j)),
		out.settle(&out.weights, &j.status, "weights"+of, r.warmWeights(ctx, l, j, out)),
	)
}
