package controller

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/clusters"
	"headstart.dev/headstart/planner/plan"
)

// observeShares sets the metrics of what overflows, and of the planned share of each cluster. p is
// the current plan.
func (e *evaluation) observeShares(p *plan.Plan) {
	key := client.ObjectKeyFromObject(e.fc)
	fits := e.conditions.Get(v1alpha1.ConditionFitsCluster)
	if p == nil || fits == nil || fits.Status == metav1.ConditionUnknown {
		e.metrics.forgetShares(key)
		return
	}
	over := plan.Plan{}
	e.metrics.overStart.DeleteLabelValues(key.Namespace, key.Name)
	e.metrics.overPeak.DeleteLabelValues(key.Namespace, key.Name)
	if next := e.next.Overflow; next != nil {
		var err error
		if over, err = plan.Decode(next.Timeline); err != nil {
			return
		}
		e.metrics.overStart.WithLabelValues(key.Namespace, key.Name).Set(float64(next.From.Unix()))
		e.metrics.overPeak.WithLabelValues(key.Namespace, key.Name).Set(next.Peak.AsApproximateFloat64())
	}
	for at, t := range map[string]time.Time{"now": e.now, "lead": e.now.Add(e.leadTime)} {
		if shares := plan.SharesAt(p, &over, t); shares != nil {
			e.metrics.overflow.WithLabelValues(key.Namespace, key.Name, at).Set(shares.OverflowDemand)
			e.metrics.share.WithLabelValues(key.Namespace, key.Name, "here", at).Set(shares.Here)
			e.metrics.share.WithLabelValues(key.Namespace, key.Name, "overflow", at).Set(shares.Overflow)
		}
	}
}

// observeReading sets the metrics about the link to another cluster. timeline is what is known of
// its overflow; nil where nothing is.
func (m *reconcilerMetrics) observeReading(
	key types.NamespacedName, r clusters.Reading, timeline *plan.Plan, away bool,
) {
	if timeline != nil {
		m.timeline.WithLabelValues(key.Namespace, key.Name).Set(float64(timeline.ComputedAt.Unix()))
	} else {
		m.timeline.DeleteLabelValues(key.Namespace, key.Name)
	}
	up := 1.0
	if away {
		up = 0
	}
	m.linkUp.WithLabelValues(key.Namespace, key.Name).Set(up)
	if r.SkewKnown {
		m.skew.WithLabelValues(key.Namespace, key.Name).Set(r.Skew.Seconds())
	}
}

// forgetLink drops the series about the link to another cluster.
func (m *reconcilerMetrics) forgetLink(key types.NamespacedName) {
	m.linkUp.DeleteLabelValues(key.Namespace, key.Name)
	m.timeline.DeleteLabelValues(key.Namespace, key.Name)
	m.skew.DeleteLabelValues(key.Namespace, key.Name)
}

// forgetShares drops the series of what overflows, at each evaluation. It names them one by one: a
// partial match looks at the series of all Forecasts.
func (m *reconcilerMetrics) forgetShares(key types.NamespacedName) {
	m.overStart.DeleteLabelValues(key.Namespace, key.Name)
	m.overPeak.DeleteLabelValues(key.Namespace, key.Name)
	for _, at := range []string{"now", "lead"} {
		m.overflow.DeleteLabelValues(key.Namespace, key.Name, at)
		m.share.DeleteLabelValues(key.Namespace, key.Name, "here", at)
		m.share.DeleteLabelValues(key.Namespace, key.Name, "overflow", at)
	}
}
