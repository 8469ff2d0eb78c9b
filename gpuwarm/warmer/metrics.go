package warmer

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
)

// metrics of the warmer. All are per WarmPool: there are few of those.
type metrics struct {
	held      *prometheus.GaugeVec
	heldTime  *prometheus.CounterVec
	images    *prometheus.GaugeVec
	shortfall *prometheus.GaugeVec
	last      map[types.NamespacedName]time.Time
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	pool := []string{"namespace", "warmpool"}
	m := &metrics{
		held: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "headstart_warm_placeholders", Help: "Placeholders that hold a node now.",
		}, pool),
		heldTime: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "headstart_warm_held_seconds_total", Help: "Time that resources were held by placeholders, by resource: GPU-seconds for nvidia.com/gpu.",
		}, append(pool[:2:2], "resource")),
		images: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "headstart_warm_image_nodes", Help: "Nodes that are to have the image now, by whether they do.",
		}, append(pool[:2:2], "state")),
		shortfall: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "headstart_capacity_shortfall_replicas", Help: "Replicas that plans need at their peaks beyond what nodes, pool and quota can give.",
		}, pool),
		last: map[types.NamespacedName]time.Time{},
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.held, m.heldTime, m.images, m.shortfall} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// report is called once a look, by one worker.
func (m *metrics) report(pool types.NamespacedName, l *look, s *v1alpha1.WarmPoolStatus, shortBy int) {
	held, using := 0.0, corev1.ResourceList{}
	for i := range l.pods {
		p := &l.pods[i]
		if p.Labels[labelRole] != rolePlaceholder || p.Labels[labelPool] != poolHash(pool.Namespace, pool.Name) || p.Spec.NodeName == "" || !alive(p) {
			continue
		}
		held++
		for _, c := range p.Spec.Containers {
			for name, q := range c.Resources.Requests {
				sum := using[name].DeepCopy()
				sum.Add(q)
				using[name] = sum
			}
		}
	}
	if last, ok := m.last[pool]; ok {
		for name, q := range using {
			m.heldTime.WithLabelValues(pool.Namespace, pool.Name, string(name)).Add(q.AsApproximateFloat64() * max(0, l.now.Sub(last).Seconds()))
		}
	}
	m.last[pool] = l.now
	var nodes, have int32
	for _, f := range s.Forecasts {
		nodes, have = nodes+f.ImageNodes, have+f.ImageNodesReady
	}
	m.held.WithLabelValues(pool.Namespace, pool.Name).Set(held)
	m.images.WithLabelValues(pool.Namespace, pool.Name, "warm").Set(float64(have))
	m.images.WithLabelValues(pool.Namespace, pool.Name, "cold").Set(float64(max(0, nodes-have)))
	m.shortfall.WithLabelValues(pool.Namespace, pool.Name).Set(float64(shortBy))
}

// forget drops the gauges of a WarmPool that is gone; what it held in its time stays counted.
func (m *metrics) forget(pool types.NamespacedName) {
	delete(m.last, pool)
	labels := prometheus.Labels{"namespace": pool.Namespace, "warmpool": pool.Name}
	m.held.DeletePartialMatch(labels)
	m.images.DeletePartialMatch(labels)
	m.shortfall.DeletePartialMatch(labels)
}
