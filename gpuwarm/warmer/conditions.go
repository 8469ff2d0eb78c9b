package warmer

import (
	"fmt"
	"strings"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/allocate"
	"headstart.dev/headstart/gpuwarm/warmer/weights"
)

// Reasons of a WarmPool's conditions, beside those of denials (internal/kube) and of nodes.
const (
	reasonAsPlanned  = "AsPlanned"
	reasonDryRun     = allocate.ReasonDryRun
	reasonNothing    = "NothingSelected"
	reasonOff        = "Off"
	reasonFailed     = "Failed"
	reasonSelector   = "InvalidSelector"
	reasonLimited    = "Limited"
	reasonNoLimits   = "NoLimits"
	reasonTooMany    = "TooManyWarmPools"
	reasonPullFails  = "PullFails"
	reasonNotWarmed  = "NotWarmed"
	reasonInProgress = "InProgress"
	reasonMissing    = "MissingAPI"
	reasonLoadFails  = "LoadFails"
	reasonNotAsked   = "NotAsked"
	reasonShort      = "PlanNeedsMore"
	reasonEnough     = "Enough"
)

// noLimits is for a WarmPool that was stored before limits were required.
const noLimits = "spec.limits is missing, so nothing is held: give the most that may be held, such as " +
	`{nvidia.com/gpu: "16"}, or set spec.mode to DryRun`

// finding is a condition to be.
type finding struct {
	ok              bool
	reason, message string
}

func found(ok bool, reason, format string, args ...any) finding {
	return finding{ok, reason, fmt.Sprintf(format, args...)}
}

// not returns a condition that is False because of a problem.
func not(p problem) finding { return finding{false, p.reason, p.message} }

// isDry reports whether the WarmPool is in mode DryRun.
func (r *report) isDry() bool { return r.pool.Spec.Mode == v1alpha1.WarmPoolDryRun }

func (r *report) nodesWarm() finding {
	problem, fails := r.problems[aboutNodes]
	switch t := r.totals; {
	case r.isDry():
		return found(false, reasonDryRun, "would hold nodes for %d replicas", t.hold)
	case r.pool.Spec.Nodes.Policy == v1alpha1.WarmNodesOff:
		return found(true, reasonOff, "no nodes are held: spec.nodes.policy is Off")
	case fails:
		return not(problem)
	case r.limited > 0:
		return found(false, reasonLimited,
			"%s keeps what is held below what the plans need, for %d Forecasts", r.limitedBy, r.limited)
	case t.there < t.hold && t.by != "":
		return found(false, reasonInProgress, "%ss ask for nodes for %d replicas; nodes that are Ready have room for %d, "+
			"with the image for %d", t.by, t.hold, t.there, t.held)
	case t.there < t.hold:
		return found(false, reasonInProgress, "nodes are held for %d of %d replicas, with the image for %d; "+
			"the others wait for theirs", t.there, t.hold, t.held)
	case t.held < t.hold:
		return found(false, reasonInProgress,
			"nodes are held for %d replicas; those for %d have the image, the others pull it", t.hold, t.held)
	default:
		return found(true, reasonAsPlanned, "nodes are held for %d replicas", t.held)
	}
}

func (r *report) imagesWarm() finding {
	images, pulls := r.problems[aboutImages], r.problems[aboutPulls]
	switch t := r.totals; {
	case r.isDry():
		return found(false, reasonDryRun, "would have images on %d nodes, %d of which have them", t.images, t.ready)
	case r.pool.Spec.Images.Policy == v1alpha1.WarmImagesOff:
		return found(true, reasonOff, "no images are pulled: spec.images.policy is Off")
	case images.reason != "":
		return not(images)
	case pulls.reason != "":
		return not(pulls)
	case t.ready < t.images:
		return found(false, reasonInProgress, "%d of %d nodes have the images", t.ready, t.images)
	default:
		return found(true, reasonAsPlanned, "the %d nodes that the plans will use have the images", t.images)
	}
}

func (r *report) weightsWarm() finding {
	due, warm := 0, 0
	for _, state := range r.loads {
		switch state {
		case weights.Warm:
			warm++
		case weights.Due, weights.Loading:
			due++
		}
	}
	problem, fails := r.problems[aboutWeights]
	switch {
	case len(r.pool.Spec.Weights) == 0:
		return found(true, reasonNotAsked, "spec.weights names none")
	case r.isDry():
		return found(false, reasonDryRun, "would load the weights of %d Forecasts", due)
	case fails:
		return not(problem)
	case due > 0:
		return found(false, reasonInProgress, "the weights of %d Forecasts are being loaded", due)
	}
	return found(true, reasonAsPlanned, "the weights of %d Forecasts are loaded, and no other rise is ahead", warm)
}

func (r *report) capacityShort() finding {
	_, noQuotas := r.problems[aboutQuotas]
	switch {
	case len(r.short) == 0 && noQuotas:
		return found(false, reasonEnough,
			"nothing that is known keeps the plans from being followed, but quotas are not looked at")
	case len(r.short) == 0:
		return found(false, reasonEnough, "nothing that is known keeps the plans from being followed")
	}
	first, forecasts := r.short[0], []string{}
	for _, s := range r.short {
		if s.From.Before(first.From) {
			first = s
		}
		if len(forecasts) < 8 {
			forecasts = append(forecasts, s.Forecast)
		}
	}
	return found(true, reasonShort, "plans need up to %d replicas more than there can be, %s, of %s: see their messages",
		r.shortBy(), first.Since, strings.Join(forecasts, ", "))
}

// shortBy returns how many replicas the plans need beyond what there can be.
func (r *report) shortBy() int {
	by := 0
	for _, s := range r.short {
		by += s.By
	}
	return by
}

func (r *report) ready() finding {
	left, isLeft := r.problems[aboutLeft]
	switch problem := r.worst(); {
	case r.selected == 0 && isLeft:
		return not(left)
	case r.selected == 0:
		return found(false, reasonNothing,
			"spec.forecastSelector selects no Forecast of this namespace: write {} for all of them")
	case problem.reason != "":
		return not(problem)
	case r.ineligible == r.selected:
		return found(false, reasonNotWarmed, "none of the Forecasts can be warmed for: see status.forecasts")
	case r.isDry():
		return found(true, reasonDryRun, "says in status what it would do")
	case r.ineligible > 0:
		return found(true, reasonAsPlanned, "warms for %d of %d Forecasts: see status.forecasts for the others%s%s",
			r.selected-r.ineligible, r.selected, r.byOthers(), r.notSeen)
	}
	return found(true, reasonAsPlanned, "warms for %d Forecasts%s%s", r.selected, r.byOthers(), r.notSeen)
}

// byOthers returns what other WarmPools do, as the end of a message.
func (r *report) byOthers() string {
	if r.leftToPools == 0 {
		return ""
	}
	return fmt.Sprintf("; for %d of them WarmPool %s holds nodes and pulls images, which selects another Forecast of "+
		"their target: by whichever plan asks for more", r.leftToPools, r.leftToPool)
}

// worst returns the first problem in the order of what matters most; empty where there is none.
func (r *report) worst() problem {
	for _, a := range []about{aboutNodes, aboutImages, aboutPulls, aboutWeights, aboutLeft, aboutQuotas} {
		if p, ok := r.problems[a]; ok {
			return p
		}
	}
	return problem{}
}
