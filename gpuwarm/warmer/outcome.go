package warmer

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
)

// Reasons of a WarmPool's conditions.
const (
	reasonAsPlanned     = "AsPlanned"
	reasonDryRun        = "DryRun"
	reasonNothing       = "NothingSelected"
	reasonOff           = "Off"
	reasonDenied        = "Denied"
	reasonQuota         = "QuotaDenied"
	reasonLimited       = "Limited"
	reasonPullFails     = "PullFails"
	reasonNotWarmed     = "NotWarmed"
	reasonGettingThere  = "InProgress"
	reasonCapacity      = "PlanNeedsMore"
	reasonCapacityGiven = "Enough"
)

// outcome collects what conditions say from the Forecasts of one WarmPool.
type outcome struct {
	placeholders   int32 // of the Forecast that was looked at last
	refused        int
	limited        int
	nodes, images  problem
	pulls          problem
	shortBy        int
	shortForecasts []string
}

type problem struct{ reason, message string }

func (p *problem) set(reason, message string) {
	if p.reason == "" {
		p.reason, p.message = reason, message
	}
}

// denied takes an error that only a person can mend as a problem to be told, and returns any other.
func (o *outcome) denied(p *problem, w *v1alpha1.WarmForecast, what string, err error) error {
	if err == nil {
		return nil
	}
	reason, remedy := reasonDenied, ""
	switch text := err.Error(); {
	case apierrors.IsForbidden(err) && strings.Contains(text, "exceeded quota"):
		reason, remedy = reasonQuota, "raise the quota there, or lower spec.limits"
	case apierrors.IsForbidden(err) && strings.Contains(text, "PriorityClass"):
		remedy = "create the PriorityClass of the placeholders (value -10, preemptionPolicy Never)"
	case apierrors.IsForbidden(err):
		remedy = "grant what is missing, or have it done another way in spec"
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		remedy = "the target's template asks for what this cluster refuses"
	case apierrors.IsNotFound(err):
		remedy = "create the namespace"
	default:
		return err
	}
	message := fmt.Sprintf("%s for %s: %v: %s", what, w.Name, err, remedy)
	p.set(reason, message)
	w.Message = clip(message)
	return nil
}

func (o *outcome) pullFails(w *v1alpha1.WarmForecast, failure string) {
	if failure != "" {
		o.pulls.set(reasonPullFails, failure)
		w.Message = clip(failure)
	}
}

func (o *outcome) short(fc string, by int) {
	o.shortForecasts = append(o.shortForecasts, fc)
	o.shortBy += by
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
	set := func(kind string, f finding) {
		status := metav1.ConditionFalse
		if f.good {
			status = metav1.ConditionTrue
		}
		meta.SetStatusCondition(&s.Conditions, metav1.Condition{
			Type: kind, Status: status, Reason: f.reason, Message: f.message, ObservedGeneration: pool.Generation, LastTransitionTime: metav1.NewTime(now),
		})
	}
	dry := pool.Spec.Mode == v1alpha1.WarmPoolDryRun
	set(v1alpha1.ConditionNodesWarm, o.nodesWarm(s, pool, dry))
	set(v1alpha1.ConditionImagesWarm, o.imagesWarm(s, pool, dry))
	set(v1alpha1.ConditionCapacityShort, o.capacityShort())
	set(v1alpha1.ConditionReady, o.ready(selected, dry))
}

func (o *outcome) nodesWarm(s *v1alpha1.WarmPoolStatus, pool *v1alpha1.WarmPool, dry bool) finding {
	var hold, held int32
	for _, f := range s.Forecasts {
		hold, held = hold+f.Hold, held+f.Held
	}
	switch {
	case dry:
		return found(false, reasonDryRun, "would hold nodes for %d replicas", hold)
	case pool.Spec.Nodes.Policy == v1alpha1.WarmNodesOff:
		return found(true, reasonOff, "no nodes are held: spec.nodes.policy is Off")
	case o.nodes.reason != "":
		return finding{false, o.nodes.reason, o.nodes.message}
	case o.limited > 0:
		return found(false, reasonLimited, "spec.limits keeps what is held below what the plans need, for %d Forecasts", o.limited)
	case byBuffer(s):
		return found(true, reasonAsPlanned, "CapacityBuffers ask for nodes for %d replicas", hold)
	case held < hold:
		return found(false, reasonGettingThere, "nodes are held for %d of %d replicas; the others wait for theirs", held, hold)
	}
	return found(true, reasonAsPlanned, "nodes are held for %d replicas", held)
}

func (o *outcome) imagesWarm(s *v1alpha1.WarmPoolStatus, pool *v1alpha1.WarmPool, dry bool) finding {
	var images, have int32
	for _, f := range s.Forecasts {
		images, have = images+f.ImageNodes, have+f.ImageNodesReady
	}
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

func (o *outcome) capacityShort() finding {
	if len(o.shortForecasts) == 0 {
		return found(false, reasonCapacityGiven, "nothing that is known keeps the plans from being followed")
	}
	return found(true, reasonCapacity, "plans need %d replicas more than there can be, of %s: see their messages",
		o.shortBy, strings.Join(o.shortForecasts[:min(8, len(o.shortForecasts))], ", "))
}

func (o *outcome) ready(selected int, dry bool) finding {
	switch problem := o.first(); {
	case selected == 0:
		return found(false, reasonNothing, "spec.forecastSelector selects no Forecast of this namespace: write {} for all of them")
	case problem.reason != "":
		return finding{false, problem.reason, problem.message}
	case o.refused == selected:
		return found(false, reasonNotWarmed, "none of the Forecasts can be warmed for: see status.forecasts")
	case dry:
		return found(true, reasonDryRun, "says in status what it would do")
	case o.refused > 0:
		return found(true, reasonAsPlanned, "warms for %d of %d Forecasts: see status.forecasts for the others", selected-o.refused, selected)
	}
	return found(true, reasonAsPlanned, "warms for %d Forecasts", selected)
}

func (o *outcome) first() problem {
	for _, p := range []problem{o.nodes, o.images, o.pulls} {
		if p.reason != "" {
			return p
		}
	}
	return problem{}
}

func byBuffer(s *v1alpha1.WarmPoolStatus) bool {
	for _, f := range s.Forecasts {
		if f.NodesBy == string(v1alpha1.WarmNodesCapacityBuffer) {
			return true
		}
	}
	return false
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

// clip holds a message to what the API takes.
func clip(s string) string {
	const most = 512
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most-3], "") + "..."
}
