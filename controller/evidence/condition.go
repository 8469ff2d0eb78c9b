package evidence

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/capacity"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/controller/reads"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/internal/conditions"
)

// SetCondition sets the condition CapacityKnown: whether the capacity is learned, and what to do where
// it is not. capacity is what is used, 0 where nothing is known. hasDemand reports whether there is a
// history of demand, and atMost is the objective.
func (l *Learner) SetCondition(set *conditions.Set, inUse, atMost float64, hasDemand bool) {
	const kind = v1alpha1.ConditionCapacityKnown
	counts := "nothing counts until then"
	if inUse > 0 {
		counts = fmt.Sprintf("until then a replica is taken to serve %s", figure(inUse))
	}
	if p := l.problem(); p != nil {
		reason, message := p.explain()
		set.SetFalse(kind, reason, "%s; %s", message, counts)
		return
	}
	known, ok := l.Known()
	switch {
	case !hasDemand:
		set.SetUnknown(kind, "NoHistory", "there is no history of demand yet; %s", counts)
	case !ok || !l.current:
		set.SetUnknown(kind, "Reading", "latency and ready replicas are being read; %s", counts)
	case known.Source == capacity.SourceLearned:
		few := ""
		if known.Missing != capacity.MissingNothing { // since the change that was found last
			few = "; it follows a change, of which more steps will say more"
		}
		set.SetTrue(kind, "Learned", "a replica is taken to serve %s: learned from %.0f steps since %s, of which %.0f "+
			"missed the objective; estimate %s, lower bound %s%s", figure(inUse), known.Steps,
			known.Since.UTC().Format(time.RFC3339), known.Missed, figure(known.Capacity), figure(known.Lower), few)
	case known.Missing == capacity.MissingBusy || known.Missing == capacity.MissingNothing:
		set.SetUnknown(kind, "NeverBusy", "the service was never near its limit: a replica has carried %s with the "+
			"objective met, and may carry more; a replica is taken to serve %s; there is nothing to do, and a load test "+
			"would show more", figure(known.Carried), figure(inUse))
	default:
		l.setMissing(set, known, atMost, counts)
	}
}

// setMissing says what an estimate needs. counts is the end of the message.
func (l *Learner) setMissing(set *conditions.Set, known capacity.Estimate, atMost float64, counts string) {
	const kind = v1alpha1.ConditionCapacityKnown
	switch known.Missing {
	case capacity.MissingLoad:
		set.SetUnknown(kind, "NoLoad", "there was no demand yet to learn from; %s", counts)
	case capacity.MissingSteps:
		set.SetUnknown(kind, "FewSteps", "%.0f steps teach so far, which are too few: steps of a scale event, "+
			"a start or a gap do not count; %s", known.Steps, counts)
	case capacity.MissingReplicas:
		set.SetFalse(kind, "NoReplicas", "the ready replicas are not known%s: let Prometheus scrape "+
			"kube-state-metrics, or set spec.capacity.replicas; the ready pods are counted from now on; %s",
			because(l.replicasErr), counts)
	case capacity.MissingLatency:
		set.SetFalse(kind, "NoLatency", "the latency is not known in any step%s: correct "+
			"spec.capacity.objective.query; %s", because(l.latencyErr), counts)
	case capacity.MissingVariation:
		set.SetFalse(kind, "ConstantLatency", "the latency is the same in every step, so it is no measurement: "+
			"check what spec.capacity.objective.query measures, and the buckets of its histogram; %s", counts)
	case capacity.MissingMet:
		set.SetFalse(kind, "ObjectiveNeverMet", "the objective of at most %s is missed at every load: check that "+
			"spec.capacity.objective.atMost is in the unit of the query (most are in seconds), or raise it; %s",
			figure(atMost), counts)
	default:
		set.SetUnknown(kind, "FewSteps", "there is too little evidence yet (%s); %s", known.Missing, counts)
	}
}

// problem is what keeps a capacity from being learned, or from being kept up to date.
type problem struct {
	// part is what cannot be read; empty for the settings.
	part reads.Part
	err  error
}

// problem returns the problem of the newest read; nil where there is none. Steps without a latency are
// none: there may have been no requests.
func (l *Learner) problem() *problem {
	silent := errors.Is(l.latencyErr, history.ErrNoSeries) || errors.Is(l.latencyErr, history.ErrNotFinite)
	switch {
	case l.err != nil:
		return &problem{err: l.err}
	case l.latencyErr != nil && (!silent || l.stopped()):
		return &problem{reads.Latency, l.latencyErr}
	case history.KindOf(l.replicasErr) != "" && !errors.Is(l.replicasErr, history.ErrNoSeries):
		return &problem{reads.Replicas, l.replicasErr}
	}
	return nil
}

// stopped reports whether there was no latency for so long that the query is to be looked at.
func (l *Learner) stopped() bool { return l.Until().Sub(l.latencyAt) >= stoppedAfter }

// explain returns the reason of a problem, and a message that says what to change.
func (p *problem) explain() (reason, message string) {
	fields := map[reads.Part]string{
		reads.Latency: "spec.capacity.objective.query", reads.Replicas: "spec.capacity.replicas.query",
	}
	switch kind := history.KindOf(p.err); {
	case p.part == "":
		return "NoDefault", kube.OneLine(p.err)
	case kind == history.ErrSeveralSeries:
		return string(kind), fields[p.part] + " gives several series, and one is needed: aggregate it, such as " +
			"histogram_quantile(0.95, sum by (le) (rate(…))) or max(…)"
	case kind != "":
		return string(kind), fmt.Sprintf("%s: %s", fields[p.part], kube.OneLine(p.err))
	}
	return "ReadFailed", fmt.Sprintf("%s: %s", fields[p.part], kube.OneLine(p.err))
}

// because returns an error as the reason in a message; empty without one.
func because(err error) string {
	if err == nil {
		return ""
	}
	return " (" + kube.OneLine(err) + ")"
}

// figure formats a capacity for a message.
func figure(c float64) string { return strconv.FormatFloat(c, 'g', 4, 64) }
