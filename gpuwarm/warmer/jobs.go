package warmer

import (
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

// Leads that are assumed until they were learned.
const (
	defaultNodeLead    = 5 * time.Minute
	defaultImageLead   = 15 * time.Minute
	defaultWeightsLead = 15 * time.Minute
	// longestLead is the longest that is believed.
	longestLead = time.Hour
)

// job is what there is to do for one Forecast at one look.
type job struct {
	fc        *v1alpha1.Forecast
	target    *target // nil where nothing is to be warmed for it, and then status says why, or where it could not be read
	last      *target // as it was read last, where it could not be read now; nil where that is not known
	err       error   // of reading the target
	stale     error   // likewise, where it is taken for what it was when it was read last
	keeper    *job    // of the same target, that nodes are held and images pulled for; nil where that is this one
	elsewhere *part   // the same, in another WarmPool
	plan      gpuwarm.Timeline
	stages    gpuwarm.Stages
	hold      gpuwarm.Hold
	short     string // what it is short of, for people
	status    v1alpha1.WarmForecast

	learned gpuwarm.Stages  // leads, of its own starts; 0 where none were
	places  []string        // nodes that placeholders hold
	asked   int             // replicas that the cluster's autoscaler is asked to hold nodes for
	there   int             // replicas that nodes are held for, with the image or without
	byAPI   bool            // the cluster's autoscaler holds them, and not placeholders
	unasked bool            // it could not be asked
	took    bool            // it holds what it is to, or is denied some of that
	unmet   string          // why it does not, as far as it says so, for people
	pulled  map[string]bool // nodes that a pull came through on, whether they list the image or not
}

// jobs are those of the selected Forecasts, in their order.
func (r *Reconciler) jobs(ctx context.Context, l *look, selected []v1alpha1.Forecast) []*job {
	jobs := make([]*job, 0, len(selected))
	for i := range selected {
		j := &job{fc: &selected[i], status: v1alpha1.WarmForecast{Name: selected[i].Name}}
		jobs = append(jobs, j)
		j.learned.Node, j.learned.Image = l.learned(j.fc)
		t, err := r.targetFor(ctx, l, j.fc)
		no, refused := errors.AsType[refusal](err)
		if err != nil && !refused && passes(err) && !l.leftToOthers(j.fc.Name, selected) {
			if t = l.recall(j.fc); t != nil {
				j.stale, err = err, nil
			}
		}
		switch {
		case refused:
			j.status.Message = clip(no.why)
			if was := l.before(j.fc.Name); l.act && apiHolds(&was) && was.Hold > 0 { // until it is removed
				j.status.NodesBy, j.status.Hold, j.last = was.NodesBy, was.Hold, r.asked(ctx, l, j.fc)
			}
		case err != nil:
			j.err, j.status, j.last = err, l.before(j.fc.Name), l.last[j.fc.Name].target
			if j.last == nil && apiHolds(&j.status) {
				j.last = r.asked(ctx, l, j.fc)
			}
			if j.last != nil {
				j.last.count(l.pods)
			}
		default:
			j.target = t
		}
		j.status.LearnedNodeLead, j.status.LearnedImageLead = formatLead(j.learned.Node), formatLead(j.learned.Image)
	}
	l.jobs = jobs
	r.admit(l, jobs)
	r.split(ctx, l, jobs)
	l.join(jobs)
	return jobs
}

// leftToOthers is whether WarmPools cannot be listed, and one of them warmed for this Forecast's target.
func (l *look) leftToOthers(fc string, selected []v1alpha1.Forecast) bool {
	by := l.before(fc).WarmedBy
	return l.unlisted != nil && by != "" && !slices.ContainsFunc(selected, func(fc v1alpha1.Forecast) bool { return fc.Name == by })
}

// asked is as much of a target as is known after a restart from what the cluster's autoscaler was asked by: what its pods are like, and not which they are. nil where
// that cannot be read either.
func (r *Reconciler) asked(ctx context.Context, l *look, fc *v1alpha1.Forecast) *target {
	var by corev1.PodTemplate
	if err := r.opts.Live.Get(ctx, client.ObjectKey{Namespace: fc.Namespace, Name: objectName(l.pool, fc.Name)}, &by); err != nil {
		return nil
	}
	spec := &by.Template.Spec
	return &target{
		of: fc.Spec.TargetRef, namespace: fc.Namespace, template: by.Template, selector: labels.Nothing(), shape: gpuwarm.ShapeOf(spec), image: gpuwarm.MainImage(by.Template.Annotations, spec),
	}
}

// stage is what is to be held for the target, alone, by a plan and leads.
func (j *job) stage(now time.Time, plan gpuwarm.Timeline, s gpuwarm.Stages) {
	replicas := j.target.replicas
	j.plan, j.stages = plan, s
	j.hold = gpuwarm.Staging(plan, now, s, replicas)
	j.status.Needed, j.status.Replicas = int32(j.hold.Needed), int32(replicas)
	j.status.NodeLead, j.status.ImageLead = v1alpha1.FormatDuration(s.Node), v1alpha1.FormatDuration(s.Image)
}

// seen is the target, or what it was when it was read last where it cannot be read now; nil where nothing is warmed for it, or that is not known.
func (j *job) seen() *target {
	if j.target != nil {
		return j.target
	}
	return j.last
}

// memory is what is known of a Forecast from the last look.
type memory struct {
	target *target // nil where nothing was warmed for it, and after a restart
	status v1alpha1.WarmForecast
	waits  bool      // it was to take over from another of its target, and could not
	read   time.Time // when the target was read last
}

// remember keeps what is known of the Forecasts for the next look. Status has it too, of the first 64.
func (r *Reconciler) remember(l *look, jobs []*job) {
	known := map[string]memory{}
	for _, j := range jobs {
		read := l.now
		if j.target == nil || j.stale != nil {
			read = l.last[j.fc.Name].read
		}
		known[j.fc.Name] = memory{j.seen(), j.status, j.target != nil && !j.joined() && !j.took, read}
	}
	r.last[client.ObjectKeyFromObject(l.pool)] = known
}

// lastOf is what is known of a WarmPool's Forecasts from the last look: after a restart what status says.
func (r *Reconciler) lastOf(pool *v1alpha1.WarmPool) map[string]memory {
	last := r.last[client.ObjectKeyFromObject(pool)]
	if last == nil {
		last = map[string]memory{}
		for _, was := range earlierLeads(pool) {
			last[was.Name] = memory{status: was}
		}
	}
	return last
}

// earlierLeads are the Forecasts of a status, with the leads that an earlier release learned: it did not tell them from those that it assumed or was given.
func earlierLeads(pool *v1alpha1.WarmPool) []v1alpha1.WarmForecast {
	out := slices.Clone(pool.Status.Forecasts)
	ours := func(was v1alpha1.WarmForecast) bool {
		return was.LearnedNodeLead != "" || was.LearnedImageLead != "" || was.WarmedBy != ""
	}
	if pool.Status.ObservedGeneration != pool.Generation || slices.ContainsFunc(out, ours) {
		return out
	}
	for i := range out {
		was := &out[i]
		if pool.Spec.Nodes.Lead == "" && was.NodeLead != v1alpha1.FormatDuration(defaultNodeLead) {
			was.LearnedNodeLead = was.NodeLead
		}
		if pool.Spec.Images.Lead == "" && was.ImageLead != v1alpha1.FormatDuration(defaultImageLead) {
			was.LearnedImageLead = was.ImageLead
		}
	}
	return out
}

// before is what was said of a Forecast at the last look.
func (l *look) before(fc string) v1alpha1.WarmForecast {
	was := l.last[fc].status
	was.Name = fc
	return was
}

// learned are the leads that were learned from a Forecast's starts, now or, where those are kept no more, before; 0 where none were. Nodes that are held ahead leave
// no starts that wait for one, and what was learned before that still counts.
func (l *look) learned(fc *v1alpha1.Forecast) (node, image time.Duration) {
	if fc.Status.LeadTime != nil {
		node, image = gpuwarm.LearnedStages(fc.Status.LeadTime.RecentStarts)
	}
	was := l.before(fc.Name)
	return known(node, was.LearnedNodeLead), known(image, was.LearnedImageLead)
}

// stagesOf are the leads for one Forecast: given, or learned from its starts, or assumed.
func (l *look) stagesOf(fc *v1alpha1.Forecast, learned gpuwarm.Stages) gpuwarm.Stages {
	s := gpuwarm.Stages{Node: lead(l.pool.Spec.Nodes.Lead, learned.Node, defaultNodeLead), Image: lead(l.pool.Spec.Images.Lead, learned.Image, defaultImageLead)}
	if l.pool.Spec.Nodes.Policy == v1alpha1.WarmNodesOff {
		s.Node = 0
	}
	if l.pool.Spec.Images.Policy == v1alpha1.WarmImagesOff {
		s.Image = 0
	}
	if w := weightsOf(l.pool, fc.Name); w != nil {
		s.Weights = max(lead(w.Lead, 0, defaultWeightsLead), time.Second) // none would be none to load
	}
	return s
}

func known(learned time.Duration, before v1alpha1.Duration) time.Duration {
	if d, err := before.Parse(); learned == 0 && err == nil {
		return d
	}
	return learned
}

// formatLead is a lead as status has it; nothing for none.
func formatLead(d time.Duration) v1alpha1.Duration {
	if d == 0 {
		return ""
	}
	return v1alpha1.FormatDuration(min(d, longestLead))
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
