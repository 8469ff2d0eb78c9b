package values

import (
	"sync/atomic"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
)

// With another query comes another capacity: 100 of demand for 10 a replica, and then 1,000 for 100.
// Both are ten replicas. At no instant a door divides the demand of one by the capacity of the other.
func TestQueryAndCapacityChangeAtOnce(t *testing.T) {
	of := func(query, capacity string) *v1alpha1.Forecast {
		fc := forecast()
		fc.Spec.Demand.Prometheus.Query = query
		fc.Spec.Serve.Unit = v1alpha1.ServeReplicas
		fc.Spec.Mode = v1alpha1.ForecastActive
		fc.Status.CapacityPerReplica = &v1alpha1.CapacityStatus{Value: resource.MustParse(capacity), Source: "Spec"}
		fc.Status.ObservedGeneration = 1
		return fc
	}
	both := []*v1alpha1.Forecast{of("a", "10"), of("b", "100")}
	p := plansWith(t, both[0], map[string]float64{"a": 100, "b": 1000})
	const want = 10_000
	if v, err := p.Value("shop", "fc", epoch); err != nil || v.Milli != want {
		t.Fatalf("%v, %v", v, err)
	}
	var ended atomic.Bool
	go func() {
		defer ended.Store(true)
		for i := range 20_000 {
			p.store(both[(i+1)%2])
			p.demand.poll(t.Context(), named("fc"), p.demand.queries[named("fc")].Query)
		}
	}()
	for !ended.Load() {
		if v, err := p.Value("shop", "fc", epoch); err == nil && v.Milli != want {
			t.Errorf("%d thousandths of a replica, want %d", v.Milli, want)
		}
	}
}
