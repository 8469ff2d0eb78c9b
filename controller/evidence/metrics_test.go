package evidence

import (
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/reads"
)

// Forget names each series. One that is added to Observe alone would stay for ever.
func TestForgetLeavesNoSeries(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	one := resource.MustParse("1")
	learned := &v1alpha1.LearnedCapacity{
		Value: one, Estimate: &one, Lower: &one, Carried: &one, Steps: 5, Missed: 1,
		Source: v1alpha1.CapacitySourceLearned,
	}
	mine, other := types.NamespacedName{Namespace: "a", Name: "mine"}, types.NamespacedName{Namespace: "a", Name: "other"}
	terms := &v1alpha1.DemandSource{
		Weights: v1alpha1.WeightsLearned, Terms: slices.Repeat([]v1alpha1.DemandTerm{{Weight: "1"}}, reads.MaxTerms),
	}
	m.Observe(mine, learned, 2)
	m.ObserveWeights(mine, terms, nil)
	before := count(t, registry)
	if before < 8+reads.MaxTerms {
		t.Fatalf("%d series of a learned capacity, want all that Observe has", before)
	}
	m.Observe(other, learned, 2)
	m.ObserveWeights(other, terms, nil)
	m.Observe(mine, nil, 2)
	if n := count(t, registry); n != before {
		t.Errorf("%d series are left, want the %d of the other Forecast", n, before)
	}
}

func count(t *testing.T, registry *prometheus.Registry) (n int) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		n += len(f.Metric)
	}
	return n
}
