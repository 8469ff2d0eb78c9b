package warmer

import (
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/gpuwarm/warmer/allocate"
	"headstart.dev/headstart/gpuwarm/warmer/images"
)

// metrics of the warmer. All are per WarmPool: there are few of those.
type metrics struct {
	held      *prometheus.GaugeVec
	heldTime  *prometheus.CounterVec
	usedTime  *prometheus.CounterVec
	placed    *prometheus.CounterVec
	images    *prometheus.GaugeVec
	shortfall *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	pool := []string{"namespace", "warmpool"}
	m := &metrics{
		held: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "headstart_warm_placeholders", Help: "Placeholders that hold a node now.",
		}, pool),
		heldTime: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "headstart_warm_held_seconds_total",
			Help: "Time that resources were held ahead, by placeholders or by what a CapacityBuffer or " +
				"ProvisioningRequest brought up, by resource: GPU-seconds for nvidia.com/gpu.",
		}, append(pool[:2:2], "resource")),
		usedTime: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "headstart_warm_used_seconds_total",
			Help: "Time that the same resources were taken by replicas of the warmed services, to compare with what " +
				"was held.",
		}, append(pool[:2:2], "resource")),
		placed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "headstart_warm_placements_total",
			Help: "Replicas of the warmed services that came onto a node, by whether it had their image when that was " +
				"seen first.",
		}, append(pool[:2:2], "node")),
		images: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "headstart_warm_image_nodes", Help: "Nodes that are to have the image now, by whether they do.",
		}, append(pool[:2:2], "state")),
		shortfall: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "headstart_capacity_shortfall_replicas",
			Help: "Replicas that plans need at their peaks beyond what nodes, pool and quota can give.",
		}, pool),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.held, m.heldTime, m.usedTime, m.placed, m.images, m.shortfall,
	} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// measure is called once a look, by one worker.
func (m *metrics) measure(
	pool types.NamespacedName, st *poolState, o *observation, d *allocate.Desired, r *report,
	outcomes map[string]*outcome,
) {
	held, using := 0.0, corev1.ResourceList{}
	for i := range o.Pods {
		p := &o.Pods[i]
		if !o.IsOwnPlaceholder(p) || p.Spec.NodeName == "" || !allocate.IsAlive(p) {
			continue
		}
		held++
		for _, c := range p.Spec.Containers {
			addResources(using, c.Resources.Requests, 1)
		}
	}
	for _, w := range d.Works {
		if h := r.held[w.Key]; h.ByAutoscaler {
			addResources(using, w.SeenTarget().Shape.Requests, int64(h.Nodes))
		}
	}
	first := st.measured.IsZero()
	used := m.countPlacements(pool, st, o, d, outcomes)
	if !first {
		elapsed := max(0, o.Now.Sub(st.measured).Seconds())
		addSeconds(m.heldTime, pool, using, elapsed)
		addSeconds(m.usedTime, pool, used, elapsed)
	}
	st.measured = o.Now
	m.held.WithLabelValues(pool.Namespace, pool.Name).Set(held)
	m.images.WithLabelValues(pool.Namespace, pool.Name, "warm").Set(float64(r.totals.ready))
	m.images.WithLabelValues(pool.Namespace, pool.Name, "cold").Set(float64(max(0, r.totals.images-r.totals.ready)))
	m.shortfall.WithLabelValues(pool.Namespace, pool.Name).Set(float64(r.shortBy()))
}

// addResources adds n times a list of resources to another, except for the places of pods.
func addResources(to, list corev1.ResourceList, n int64) {
	for name, q := range list {
		if name == corev1.ResourcePods || n == 0 {
			continue
		}
		q = q.DeepCopy()
		q.Mul(n)
		q.Add(to[name])
		to[name] = q
	}
}

// forget drops the series of a WarmPool that is gone. Names that come and go would add up without
// bound.
func (m *metrics) forget(pool types.NamespacedName) {
	labels := prometheus.Labels{"namespace": pool.Namespace, "warmpool": pool.Name}
	for _, v := range []*prometheus.MetricVec{
		m.held.MetricVec, m.images.MetricVec, m.shortfall.MetricVec, m.heldTime.MetricVec, m.usedTime.MetricVec,
		m.placed.MetricVec,
	} {
		v.DeletePartialMatch(labels)
	}
}

func addSeconds(
	c *prometheus.CounterVec, pool types.NamespacedName, resources corev1.ResourceList, seconds float64,
) {
	for name, q := range resources {
		c.WithLabelValues(pool.Namespace, pool.Name, string(name)).Add(q.AsApproximateFloat64() * seconds)
	}
}

// countPlacements counts the replicas that came onto a node since the last look, and returns what
// all of them request. How those came that were there at the first look, or before their Forecast
// had a plan, is not known. Which those are is remembered for all pods of the namespace, and not
// read from their conditions: the API server's clock can differ from ours.
func (m *metrics) countPlacements(
	pool types.NamespacedName, st *poolState, o *observation, d *allocate.Desired, outcomes map[string]*outcome,
) corev1.ResourceList {
	before, first := st.placedOn, st.measured.IsZero()
	now, using := map[types.UID]bool{}, corev1.ResourceList{}
	for i := range o.Pods {
		p := &o.Pods[i]
		if p.Namespace != pool.Namespace || p.Spec.NodeName == "" || !allocate.IsAlive(p) {
			continue
		}
		n := o.cluster.Get(p.Spec.NodeName)
		now[p.UID] = before[p.UID] || n != nil
		w := workOf(d.Works, p)
		if w == nil || n == nil {
			continue
		}
		addResources(using, w.SeenTarget().Shape.Requests, 1)
		if !before[p.UID] && !first {
			m.placed.WithLabelValues(pool.Namespace, pool.Name, warmth(w, outcomes[w.Key], p, n)).Inc()
		}
	}
	st.placedOn = now
	return using
}

// workOf returns the first work whose target a pod is a replica of; nil where there is none, or
// where another WarmPool holds for it and counts it.
func workOf(works []*allocate.Work, p *corev1.Pod) *allocate.Work {
	for _, w := range works {
		if t := w.SeenTarget(); t != nil && w.HolderPool == nil && t.IsReplica(p) {
			return w
		}
	}
	return nil
}

// warmth returns whether a replica found its image on its node, as the metric says it. In a rollout
// replicas of the old template have another image than the target has now.
func warmth(w *allocate.Work, out *outcome, p *corev1.Pod, n *corev1.Node) string {
	image := gpuwarm.MainImage(p.Annotations, &p.Spec)
	if gpuwarm.HasImage(n, image) || (w.Target != nil && image == w.Target.Admitted && hasImage(w, out)(n)) {
		return "warm"
	}
	return "cold"
}

// hasImage reports whether a node has the target's image.
func hasImage(w *allocate.Work, out *outcome) func(*corev1.Node) bool {
	return func(n *corev1.Node) bool { return images.HasImage(w.Target, out.history, n) }
}
