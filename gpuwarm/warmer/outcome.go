package warmer

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
)

// Reasons of a WarmPool's conditions.
const (
	reasonAsPlanned      = "AsPlanned"
	reasonDryRun         = "DryRun"
	reasonNothing        = "NothingSelected"
	reasonOff            = "Off"
	reasonDenied         = "Denied"
	reasonFailed         = "Failed"
	reasonSelector       = "InvalidSelector"
	reasonHoldFails      = "PlaceholdersFail"
	reasonQuota          = "QuotaDenied"
	reasonLimited        = "Limited"
	reasonPullFails      = "PullFails"
	reasonNotWarmed      = "NotWarmed"
	reasonGettingThere   = "InProgress"
	reasonMissing        = "MissingAPI"
	reasonNotProvisioned = "NotProvisioned"
	reasonLoadFails      = "LoadFails"
	reasonNone           = "NotAsked"
	reasonCapacity       = "PlanNeedsMore"
	reasonCapacityGiven  = "Enough"
)

// outcome collects what conditions say from the Forecasts of one WarmPool.
type outcome struct {
	placeholders   int32 // of the Forecast that was looked at last
	refused        int
	limited        int
	elsewhere      int    // Forecasts whose target another WarmPool holds for
	elsewhereBy    string // the first of those
	nodes, images  problem
	pulls, weights problem
	left           problem  // what was made and is not wanted any more
	rights         problem  // in the WarmPool's namespace
	unseen         string   // what may be left and may not be looked for, as the end of a message
	loads          []string // how the weights of each Forecast that has any stand
	totals         totals
	shortBy        int
	shortFrom      time.Time
	shortSince     string // the same for people
	shortForecasts []string
}

// totals are over all Forecasts, of which status shows no more than so many.
type totals struct {
	hold, held, there int    // replicas that nodes are to be held for, are with the image, and are
	images, have      int32  // nodes that are to have an image, and do
	by                string // the API that nodes are asked for by; empty where placeholders hold them
}

func (t *totals) add(j *job) {
	if j.target == nil && j.err == nil {
		return // what is left of it is wanted by nobody
	}
	t.hold, t.held, t.there = t.hold+int(j.status.Hold), t.held+int(j.status.Held), t.there+j.there
	t.images, t.have = t.images+j.status.ImageNodes, t.have+j.status.ImageNodesReady
	if j.byAPI && t.by == "" {
		t.by = j.status.NodesBy
	}
}

type problem struct{ reason, message string }

func (p *problem) set(reason, message string) {
	if p.reason == "" {
		p.reason, p.message = reason, message
	}
}

// unread takes that quotas could not be looked at in the WarmPool's namespace, and returns what time alone may mend. All rights there are granted together.
func (o *outcome) unread(err error) error {
	if err == nil {
		return nil
	}
	if reason, remedy, known := remedyOf(err); known {
		o.rights.set(reason, fmt.Sprintf("quotas are not looked at: %s: %s", brief(err), remedy))
		return nil
	}
	err = fmt.Errorf("quotas are not looked at: %w", err)
	o.rights.set(reasonFailed, brief(err)+": it is tried again, at least once a minute")
	return err
}

// fails takes a failure of something that was made, for people, where there is one.
func (o *outcome) fails(p *problem, w *v1alpha1.WarmForecast, reason, failure string) {
	if failure != "" {
		p.set(reason, failure)
		w.Message = clip(failure)
	}
}

// lacks takes that an API that a field asks for is not there.
func (o *outcome) lacks(p *problem, w *v1alpha1.WarmForecast, field, api string) {
	o.fails(p, w, reasonMissing, fmt.Sprintf("%s asks for %s, and the cluster has no such API: install what serves it, or ask for another way", field, api))
}

func (o *outcome) short(l *look, fc string, by int, from time.Time) {
	o.shortForecasts = append(o.shortForecasts, fc)
	o.shortBy += by
	if o.shortFrom.IsZero() || from.Before(o.shortFrom) {
		o.shortFrom, o.shortSince = from, l.since(from)
	}
}

// finding is a condition to be.
type finding struct {
	good            bool
	reason, message string
}

func found(good bool, reason, format string, args ...any) finding {
	return finding{good, reason, fmt.Sprintf(format, args...)}
}

// conditions writes what came out.
func (o *outcome) conditions(s *v1alpha1.WarmPoolStatus, pool *v1alpha1.WarmPool, selected int, now time.Time) {
	set := func(kind string, f finding) { setCondition(s, pool, kind, f, now) }
	dry := pool.Spec.Mode == v1alpha1.WarmPoolDryRun
	set(v1alpha1.ConditionNodesWarm, o.nodesWarm(pool, dry))
	set(v1alpha1.ConditionImagesWarm, o.imagesWarm(pool, dry))
	set(v1alpha1.ConditionWeightsWarm, o.weightsWarm(pool, dry))
	set(v1alpha1.ConditionCapacityShort, o.capacityShort())
	set(v1alpha1.ConditionReady, o.ready(selected, dry))
}

func setCondition(s *v1alpha1.WarmPoolStatus, pool *v1alpha1.WarmPool, kind string, f finding, now time.Time) {
	status := metav1.ConditionFalse
	if f.good {
		status = metav1.ConditionTrue
	}
	meta.SetStatusCondition(&s.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: f.reason, Message: cut(f.message, 1000), ObservedGeneration: pool.Generation, LastTransitionTime: metav1.NewTime(now),
	})
}

func (o *outcome) nodesWarm(pool *v1alpha1.WarmPool, dry bool) finding {
	switch t := o.totals; {
	case dry:
		return found(false, reasonDryRun, "would hold nodes for %d replicas", t.hold)
	case pool.Spec.Nodes.Policy == v1alpha1.WarmNodesOff:
		return found(true, reasonOff, "no nodes are held: spec.nodes.policy is Off")
	case o.nodes.reason != "":
		return finding{false, o.nodes.reason, o.nodes.message}
	case o.limited > 0:
		return found(false, reasonLimited, "spec.limits keeps what is held below what the plans need, for %d Forecasts", o.limited)
	case t.there < t.hold && t.by != "":
		return found(false, reasonGettingThere, "%ss ask for nodes for %d replicas; nodes that are Ready have room for %d, with the image for %d", t.by, t.hold, t.there, t.held)
	case t.there < t.hold:
		return found(false, reasonGettingThere, "nodes are held for %d of %d replicas, with the image for %d; the others wait for theirs", t.there, t.hold, t.held)
	case t.held < t.hold:
		return found(false, reasonGettingThere, "nodes are held for %d replicas; those for %d have the image, the others pull it", t.hold, t.held)
	default:
		return found(true, reasonAsPlanned, "nodes are held for %d replicas", t.held)
	}
}

func (o *outcome) imagesWarm(pool *v1alpha1.WarmPool, dry bool) finding {
	images, have := o.totals.images, o.totals.have
	switch {
	case dry:
		return found(false, reasonDryRun, "would have images on %d nodes, %d of which have them", images, have)
	case pool.Spec.Images.Policy == v1alpha1.WarmImagesOff:
		return found(true, reasonOff, "no images are pulled: spec.images.policy is Off")
	case o.images.reason != "":
		return finding{false, o.images.reason, o.images.message}
	case o.pulls.reason != "":
		return finding{false, o.pulls.reason, o.pulls.message}
	case have < images:
		return found(false, reasonGettingThere, "%d of %d nodes have the images", have, images)
	}
	return found(true, reasonAsPlanned, "the %d nodes that the plans will use have the images", images)
}

func (o *outcome) weightsWarm(pool *v1alpha1.WarmPool, dry bool) finding {
	due, warm := 0, 0
	for _, state := range o.loads {
		switch state {
		case weightsWarm:
			warm++
		case weightsDue, weightsLoading:
			due++
		}
	}
	switch {
	case len(pool.Spec.Weights) == 0:
		return found(true, reasonNone, "spec.weights names none")
	case dry:
		return found(false, reasonDryRun, "would load the weights of %d Forecasts", due)
	case o.weights.reason != "":
		return finding{false, o.weights.reason, o.weights.message}
	case due > 0:
		return found(false, reasonGettingThere, "the weights of %d Forecasts are being loaded", due)
	}
	return found(true, reasonAsPlanned, "the weights of %d Forecasts are loaded, and no other rise is ahead", warm)
}

func (o *outcome) capacityShort() finding {
	switch {
	case len(o.shortForecasts) == 0 && o.rights.reason != "":
		return found(false, reasonCapacityGiven, "nothing that is known keeps the plans from being followed, but quotas are not looked at")
	case len(o.shortForecasts) == 0:
		return found(false, reasonCapacityGiven, "nothing that is known keeps the plans from being followed")
	}
	return found(true, reasonCapacity, "plans need up to %d replicas more than there can be, %s, of %s: see their messages",
		o.shortBy, o.shortSince, strings.Join(o.shortForecasts[:min(8, len(o.shortForecasts))], ", "))
}

func (o *outcome) ready(selected int, dry bool) finding {
	switch problem := o.first(); {
	case selected == 0 && o.left.reason != "":
		return finding{false, o.left.reason, o.left.message}
	case selected == 0:
		return found(false, reasonNothing, "spec.forecastSelector selects no Forecast of this namespace: write {} for all of them")
	case problem.reason != "":
		return finding{false, problem.reason, problem.message}
	case o.refused == selected:
		return found(false, reasonNotWarmed, "none of the Forecasts can be warmed for: see status.forecasts")
	case dry:
		return found(true, reasonDryRun, "says in status what it would do")
	case o.refused > 0:
		return found(true, reasonAsPlanned, "warms for %d of %d Forecasts: see status.forecasts for the others%s%s", selected-o.refused, selected, o.byOthers(), o.unseen)
	}
	return found(true, reasonAsPlanned, "warms for %d Forecasts%s%s", selected, o.byOthers(), o.unseen)
}

// byOthers says what other WarmPools do of it, as the end of a message.
func (o *outcome) byOthers() string {
	if o.elsewhere == 0 {
		return ""
	}
	return fmt.Sprintf("; for %d of them WarmPool %s holds nodes and pulls images, which selects another Forecast of their target: by whichever plan asks for more", o.elsewhere, o.elsewhereBy)
}

func (o *outcome) first() problem {
	for _, p := range []problem{o.nodes, o.images, o.pulls, o.weights, o.left, o.rights} {
		if p.reason != "" {
			return p
		}
	}
	return problem{}
}

// announce writes an Event for each condition that changed.
func (r *Reconciler) announce(old, now *v1alpha1.WarmPool) {
	if r.opts.Recorder == nil {
		return
	}
	for _, c := range now.Status.Conditions {
		was := meta.FindStatusCondition(old.Status.Conditions, c.Type)
		if was != nil && was.Status == c.Status && was.Reason == c.Reason {
			continue
		}
		kind := corev1.EventTypeNormal
		bad := (c.Status == metav1.ConditionFalse) != (c.Type == v1alpha1.ConditionCapacityShort)
		if bad && c.Reason != reasonDryRun && c.Reason != reasonGettingThere {
			kind = corev1.EventTypeWarning
		}
		r.opts.Recorder.Eventf(now, nil, kind, c.Reason, "Warm", "%s is %s: %s", c.Type, c.Status, c.Message)
	}
}

// clip holds a message to what the API takes in status.forecasts. Conditions are Events, too, which take 1024.
func clip(s string) string { return cut(s, 512) }

// brief is an error as short as leaves room for what can be done about it.
func brief(err error) string { return cut(err.Error(), 300) }

func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most-3], "") + "..."
}
