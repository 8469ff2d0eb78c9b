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

// conditions writes what came out.
func (o *outcome) conditions(s *v1alpha1.WarmPoolStatus, pool *v1alpha1.WarmPool, selected int, now time.Time) {
	set := func(kind string, good bool, reason, message string) {
		status := metav1.ConditionFalse
		if good {
			status = metav1.ConditionTrue
		}
		meta.SetStatusCondition(&s.Conditions, metav1.Condition{
			Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: pool.Generation, LastTransitionTime: metav1.NewTime(now),
		})
	}
	var hold, held, images, imagesReady int32
	for _, f := range s.Forecasts {
		hold, held, images, imagesReady = hold+f.Hold, held+f.Held, images+f.ImageNodes, imagesReady+f.ImageNodesReady
	}
	dry := pool.Spec.Mode == v1alpha1.WarmPoolDryRun
	switch {
	case dry:
		set(v1alpha1.ConditionNodesWarm, false, reasonDryRun, fmt.Sprintf("would hold nodes for %d replicas", hold))
	case pool.Spec.Nodes.Policy == v1alpha1.WarmNodesOff:
		set(v1alpha1.ConditionNodesWarm, true, reasonOff, "no nodes are held: spec.nodes.policy is Off")
	case o.nodes.reason != "":
		set(v1alpha1.ConditionNodesWarm, false, o.nodes.reason, o.nodes.message)
	case o.limited > 0:
		set(v1alpha1.ConditionNodesWarm, false, reasonLimited, fmt.Sprintf("spec.limits keeps what is held below what the plans need, for %d Forecasts", o.limited))
	case byBuffer(s):
		set(v1alpha1.ConditionNodesWarm, true, reasonAsPlanned, fmt.Sprintf("CapacityBuffers ask for nodes for %d replicas", hold))
	case held < hold:
		set(v1alpha1.ConditionNodesWarm, false, reasonGettingThere, fmt.Sprintf("nodes are held for %d of %d replicas; the others wait for theirs", held, hold))
	default:
		set(v1alpha1.ConditionNodesWarm, true, reasonAsPlanned, fmt.Sprintf("nodes are held for %d replicas", held))
	}
	switch {
	case dry:
		set(v1alpha1.ConditionImagesWarm, false, reasonDryRun, fmt.Sprintf("would have images on %d nodes, %d of which have them", images, imagesReady))
	case pool.Spec.Images.Policy == v1alpha1.WarmImagesOff:
		set(v1alpha1.ConditionImagesWarm, true, reasonOff, "no images are pulled: spec.images.policy is Off")
	case o.images.reason != "":
		set(v1alpha1.ConditionImagesWarm, false, o.images.reason, o.images.message)
	case o.pulls.reason != "":
		set(v1alpha1.ConditionImagesWarm, false, o.pulls.reason, o.pulls.message)
	case imagesReady < images:
		set(v1alpha1.ConditionImagesWarm, false, reasonGettingThere, fmt.Sprintf("%d of %d nodes have the images", imagesReady, images))
	default:
		set(v1alpha1.ConditionImagesWarm, true, reasonAsPlanned, fmt.Sprintf("the %d nodes that the plans will use have the images", images))
	}
	if len(o.shortForecasts) > 0 {
		set(v1alpha1.ConditionCapacityShort, true, reasonCapacity, fmt.Sprintf("plans need %d replicas more than there can be, of %s: see their messages",
			o.shortBy, strings.Join(o.shortForecasts[:min(8, len(o.shortForecasts))], ", ")))
	} else {
		set(v1alpha1.ConditionCapacityShort, false, reasonCapacityGiven, "nothing that is known keeps the plans from being followed")
	}
	switch problem := o.first(); {
	case selected == 0:
		set(v1alpha1.ConditionReady, false, reasonNothing, "spec.forecastSelector selects no Forecast of this namespace: write {} for all of them")
	case problem.reason != "":
		set(v1alpha1.ConditionReady, false, problem.reason, problem.message)
	case o.refused == selected:
		set(v1alpha1.ConditionReady, false, reasonNotWarmed, "none of the Forecasts can be warmed for: see status.forecasts")
	case dry:
		set(v1alpha1.ConditionReady, true, reasonDryRun, "says in status what it would do")
	case o.refused > 0:
		set(v1alpha1.ConditionReady, true, reasonAsPlanned, fmt.Sprintf("warms for %d of %d Forecasts: see status.forecasts for the others", selected-o.refused, selected))
	default:
		set(v1alpha1.ConditionReady, true, reasonAsPlanned, fmt.Sprintf("warms for %d Forecasts", selected))
	}
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
