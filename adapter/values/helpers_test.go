package values

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/history"
)

var epoch = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) // a Monday

func named(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "shop", Name: name}
}

func forecast() *v1alpha1.Forecast {
	fc := &v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "fc", UID: "u1", Generation: 1}}
	fc.Spec.Demand = &v1alpha1.DemandSource{
		Prometheus: v1alpha1.PrometheusQuery{Query: "sum(rate(requests_total[1m]))"},
	}
	return fc
}

// parse is a ParseFunc. It refuses the horizon "invalid".
func parse(fc *v1alpha1.Forecast) (Settings, error) {
	spec := &fc.Spec
	set := Settings{Mode: spec.Mode, Expiry: spec.OnPlanExpiry.Policy}
	if set.Mode == "" {
		set.Mode = v1alpha1.ForecastActive
	}
	if spec.Demand != nil {
		set.Demand = &Query{Expr: spec.Demand.Prometheus.Query, Source: "default", Settle: 30 * time.Second}
	}
	if spec.CapacityPerReplica != nil {
		set.Capacity = spec.CapacityPerReplica.AsApproximateFloat64()
	}
	set.InReplicas = spec.Serve.Unit == v1alpha1.ServeReplicas
	if spec.Horizon == "invalid" {
		return set, errors.New("spec.horizon is invalid")
	}
	return set, nil
}

// newTestObserver returns an observer that polls every half minute, on a clock at epoch that is
// moved by hand. The value of a query is looked up in values; a query that is not there fails.
func newTestObserver(values map[string]float64) *Observer {
	o := NewObserver(nil, 30*time.Second, clocktesting.NewFakeClock(epoch), slog.New(slog.DiscardHandler))
	o.query = func(_ context.Context, _ string, q Query, at time.Time) (history.Sample, error) {
		v, ok := values[q.Expr]
		if !ok {
			return history.Sample{}, errors.New("no series")
		}
		return history.Sample{Value: v, At: at}, nil
	}
	return o
}

// plansWith returns a store with one Forecast, whose demand was polled once.
func plansWith(t *testing.T, fc *v1alpha1.Forecast, observed map[string]float64) *Plans {
	t.Helper()
	o := newTestObserver(observed)
	p := NewPlans(o, parse)
	p.store(fc)
	key := types.NamespacedName{Namespace: fc.Namespace, Name: fc.Name}
	if f := o.queries[key]; f != nil {
		o.poll(t.Context(), key, f.Query)
	}
	return p
}
