package controller

import (
	"errors"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/clusters"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/planner"
)

// OverflowReader reads Forecasts of other clusters. A [clusters.Clusters] is one.
type OverflowReader interface {
	// Of follows, for a Forecast here, one of another cluster, and returns what is known of it.
	Of(types.NamespacedName, clusters.Reference) (clusters.Reading, error)
	// Forget stops following.
	Forget(types.NamespacedName)
	// Changes has an event for each Forecast here about whose Forecast there something else is known.
	Changes() <-chan event.GenericEvent
}

// readOverflowOf reads what does not fit into the cluster that spec.overflowOf names. It sets the
// condition OverflowRead. It returns nil where nothing is to be planned for it.
func (e *evaluation) readOverflowOf() *planner.Beyond {
	key := client.ObjectKeyFromObject(e.fc)
	if e.set.OverflowOf == nil || e.set.Mode == v1alpha1.ForecastPaused {
		e.overflows.Forget(key)
		e.metrics.forgetLink(key)
		return nil
	}
	of := clusters.Reference(*e.set.OverflowOf)
	reading, err := e.overflows.Of(key, of)
	over := clusters.Overflow{}
	if err == nil {
		over, err = clusters.Interpret(reading, of, clusters.Own{UID: e.fc.UID, Unit: e.set.Unit}, e.now)
	}
	kind := clusters.KindOf(err)
	if over.Timeline == nil && !kind.Refuses() {
		last := clusters.Restore(e.fc.Status.OverflowOf, of, e.now)
		over.Timeline, over.Encoded, over.Lead = last.Timeline, last.Encoded, last.Lead
		if over.Chain == nil {
			over.Chain = last.Chain
		}
	}
	e.next.OverflowOf = e.overflowSource(of, over, reading, kind)
	e.setOverflowReadCondition(over, err)
	e.overflowRefused = kind.Refuses()
	e.metrics.observeReading(key, reading, over.Timeline, kind == clusters.LinkAway)
	if over.Timeline == nil || kind.Refuses() {
		return nil
	}
	return &planner.Beyond{Timeline: *over.Timeline, Lead: over.Lead}
}

// dropsPlan reports whether the published plan was made for an overflow that is refused now, and for
// nothing else. It is dropped, since it would count until it ends.
func (e *evaluation) dropsPlan() bool {
	return e.overflowRefused && e.out.Outcome == planner.OverflowUnknown
}

// overflowSource returns what status keeps of a reading.
func (e *evaluation) overflowSource(
	of clusters.Reference, over clusters.Overflow, r clusters.Reading, kind clusters.Kind,
) *v1alpha1.OverflowSource {
	out := &v1alpha1.OverflowSource{
		Cluster: of.Cluster, Forecast: of.Namespace + "/" + of.Name, Chain: slices.Clone(over.Chain), Timeline: over.Encoded,
	}
	if over.Encoded != nil {
		out.Lead = v1alpha1.FormatDuration(over.Lead)
	}
	if r.SkewKnown {
		out.ClockSkew = clusters.FormatSkew(r.Skew)
	}
	if kind == clusters.LinkAway {
		out.AwaySince = new(kube.MetaTime(e.awaySince(r)))
	}
	return out
}

// chainIn returns the chain of a status. Others find cycles by it, so a change of it is worth a write.
func chainIn(s *v1alpha1.OverflowSource) []string {
	if s == nil {
		return nil
	}
	return s.Chain
}

// awaySince returns since when the other cluster cannot be reached: an earlier owner may have seen
// it.
func (e *evaluation) awaySince(r clusters.Reading) time.Time {
	if old := e.fc.Status.OverflowOf; old != nil && old.AwaySince != nil && old.AwaySince.Time.Before(r.Since) {
		return old.AwaySince.Time
	}
	return r.Since
}

// setOverflowReadCondition says whether the overflow of the other cluster is known. err says why it
// is not, or with what care it is used.
func (e *evaluation) setOverflowReadCondition(over clusters.Overflow, err error) {
	const kind = v1alpha1.ConditionOverflowRead
	why, _ := errors.AsType[*clusters.Error](err)
	if why == nil {
		e.conditions.SetTrue(kind, "Read", "what does not fit into cluster %q is planned for here, and known until %s",
			e.set.OverflowOf.Cluster, over.Timeline.End().UTC().Format(time.RFC3339))
		return
	}
	status, message := metav1.ConditionFalse, kube.OneLine(why)
	if why.Kind == clusters.NotReadYet {
		status = metav1.ConditionUnknown
	}
	switch {
	case why.Kind == clusters.ClockSkew:
	case why.Kind.Refuses() || over.Timeline == nil:
		message += "; nothing is planned for it"
	case e.now.Before(over.Timeline.End()):
		message += fmt.Sprintf("; the last timeline counts until %s, then onPlanExpiry (%s)",
			over.Timeline.End().UTC().Format(time.RFC3339), e.set.Expiry)
	default:
		message += fmt.Sprintf("; the last timeline ended at %s, and onPlanExpiry is %s",
			over.Timeline.End().UTC().Format(time.RFC3339), e.set.Expiry)
	}
	e.conditions.Put(kind, status, string(why.Kind), message)
}
