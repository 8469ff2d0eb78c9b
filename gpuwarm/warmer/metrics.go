package warmer

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/gpuwarm"
)

// metrics of the warmer. All are per WarmPool: there are few of those.
type metrics struct {
	held      *prometheus.GaugeVec
	heldTime  *prometheus.CounterVec
	usedTime  *prometheus.CounterVec
	placed    *prometheus.CounterVec
	images    *prometheus.GaugeVec
	shortfall *prometheus.GaugeVec
	last      map[types.NamespacedName]time.Time
	placedOn  map[types.NamespacedName]map[types.UID]bool // the namespace's pods that have a node, and whether that is known
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	pool := []string{"namespace", "warmpool"}
	m := &metrics{
		held: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "headstart_warm_placeholders", Help: "Placeholders that hold a node now.",
		}, pool),
		heldTime: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "headstart_warm_held_seconds_total", Help: "Time that resources were held ahead, by placeholders or by what a CapacityBuffer or ProvisioningRequest brought up, by resource: GPU-seconds for nvidia.com/gpu.",
		}, append(pool[:2:2], "resource")),
		usedTime: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "headstart_warm_used_seconds_total", Help: "Time that the same resources were taken by replicas of the warmed services, to compare with what was held.",
		}, append(pool[:2:2], "resource")),
		placed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "headstart_warm_placements_total", Help: "Replicas of the warmed services that came onto a node, by whether it had their image when that was seen first.",
		}, append(pool[:2:2], "node")),
		images: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "headstart_warm_image_nodes", Help: "Nodes that are to have the image now, by whether they do.",
		}, append(pool[:2:2], "state")),
		shortfall: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "headstart_capacity_shortfall_replicas", Help: "Replicas that plans need at their peaks beyond what nodes, pool and quota can give.",
		}, pool),
		last:     map[types.NamespacedName]time.Time{},
		placedOn: map[types.NamespacedName]map[types.UID]bool{},
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.held, m.heldTime, m.usedTime, m.placed, m.images, m.shortfall} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// report is called once a look, by one worker.
func (m *metrics) report(pool types.NamespacedName, l *look, jobs []*job, out *outcome) {
	held, using := 0.0, corev1.ResourceList{}
	for i := range l.pods {
		p := &l.pods[i]
		if p.Labels[labelRole] != rolePlaceholder || p.Labels[labelPool] != poolHash(pool.Namespace, pool.Name) || p.Spec.NodeName == "" || !alive(p) {
			continue
		}
		held++
		for _, c := range p.Spec.Containers {
			times(using, c.Resources.Requests, 1)
		}
	}
	for _, j := range jobs {
		if j.byAPI {
			times(using, j.seen().shape.Requests, int64(j.there))
		}
	}
	if last, ok := m.last[pool]; ok {
		elapsed := max(0, l.now.Sub(last).Seconds())
		spend(m.heldTime, pool, using, elapsed)
		spend(m.usedTime, pool, m.placements(pool, l, jobs), elapsed)
	} else {
		m.placements(pool, l, jobs)
	}
	m.last[pool] = l.now
	nodes, have := out.totals.images, out.totals.have
	m.held.WithLabelValues(pool.Namespace, pool.Name).Set(held)
	m.images.WithLabelValues(pool.Namespace, pool.Name, "warm").Set(float64(have))
	m.images.WithLabelValues(pool.Namespace, pool.Name, "cold").Set(float64(max(0, nodes-have)))
	m.shortfall.WithLabelValues(pool.Namespace, pool.Name).Set(float64(out.shortBy))
}

// times adds so many times a list of resources to another, but for the places of pods.
func times(to, list corev1.ResourceList, n int64) {
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

// forget drops the series of a WarmPool that is gone. Names that come and go would add up to ever more.
func (m *metrics) forget(pool types.NamespacedName) {
	delete(m.last, pool)
	delete(m.placedOn, pool)
	labels := prometheus.Labels{"namespace": pool.Namespace, "warmpool": pool.Name}
	for _, v := range []*prometheus.MetricVec{
		m.held.MetricVec, m.images.MetricVec, m.shortfall.MetricVec, m.heldTime.MetricVec, m.usedTime.MetricVec, m.placed.MetricVec,
	} {
		v.DeletePartialMatch(labels)
	}
}

func spend(c *prometheus.CounterVec, pool types.NamespacedName, resources corev1.ResourceList, seconds float64) {
	for name, q := range resources {
		c.WithLabelValues(pool.Namespace, pool.Name, string(name)).Add(q.AsApproximateFloat64() * seconds)
	}
}

// placements counts replicas that came onto a node since the last look, and returns what all of them ask for. Those that were there at the first look, or before
// their Forecast had a plan, came nobody knows how. Which those are is remembered of all pods of the namespace, and not read from their conditions: the API server's
// clock can be another than ours.
func (m *metrics) placements(pool types.NamespacedName, l *look, jobs []*job) corev1.ResourceList {
	before, first := m.placedOn[pool], m.last[pool].IsZero()
	now, using := map[types.UID]bool{}, corev1.ResourceList{}
	for i := range l.pods {
		p := &l.pods[i]
		if p.Namespace != pool.Namespace || p.Spec.NodeName == "" || !alive(p) {
			continue
		}
		n := l.node(p.Spec.NodeName)
		now[p.UID] = before[p.UID] || n != nil
		j := jobOf(jobs, p)
		if j == nil || n == nil {
			continue
		}
		times(using, j.seen().shape.Requests, 1)
		if !before[p.UID] && !first {
			m.placed.WithLabelValues(pool.Namespace, pool.Name, warmth(j, p, n)).Inc()
		}
	}
	m.placedOn[pool] = now
	return using
}

// jobOf is the first job whose target a pod is a replica of; nil where there is none, or another WarmPool holds for it and counts it.
func jobOf(jobs []*job, p *corev1.Pod) *job {
	for _, j := range jobs {
		if t := j.seen(); t != nil && j.elsewhere == nil && t.replica(p) {
			return j
		}
	}
	return nil
}

// warmth is whether a replica found its image on its node. In a rollout those of the old template have another one than the target has now.
func warmth(j *job, p *corev1.Pod, n *corev1.Node) string {
	image := gpuwarm.MainImage(p.Annotations, &p.Spec)
	if gpuwarm.HasImage(n, image) || (j.target != nil && image == j.target.admitted && j.has(n)) {
		return "warm"
	}
	return "cold"
}
