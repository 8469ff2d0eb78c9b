package controller

import (
	"testing"

	"headstart.dev/headstart/api/v1alpha1"
)

// The condition PeaksValid names windows that need something that the Forecast does not have.
func TestWindowsWithoutEffect(t *testing.T) {
	tests := map[string]struct {
		reason string
		demand v1alpha1.PeakDemand
		change func(fc *v1alpha1.Forecast)
		want   string // The reason of PeaksValid.
		field  string // The field to set, in the message.
	}{
		"ReplicasWithoutCapacity": {
			"the capacity of a replica is not known",
			v1alpha1.PeakDemand{Replicas: new(int32(4))},
			nil,
			"CapacityUnknown", "spec.capacityPerReplica",
		},
		"ReplicasWithCapacity": {
			"the spec has the capacity of a replica",
			v1alpha1.PeakDemand{Replicas: new(int32(4))},
			func(fc *v1alpha1.Forecast) { fc.Spec.CapacityPerReplica = atLeast("5").AtLeast },
			"Valid", "",
		},
		"FactorWithoutDemand": {
			"there is no forecast to multiply",
			v1alpha1.PeakDemand{Multiply: new(v1alpha1.Decimal("3"))},
			func(fc *v1alpha1.Forecast) { fc.Spec.Demand = nil },
			"NothingToMultiply", "spec.demand",
		},
		"FactorWithDemand": {
			"three times the forecast",
			v1alpha1.PeakDemand{Multiply: new(v1alpha1.Decimal("3"))},
			nil,
			"Valid", "",
		},
		"MinimumWithoutDemand": {
			"a minimum needs no forecast",
			atLeast("12"),
			func(fc *v1alpha1.Forecast) { fc.Spec.Demand = nil },
			"Valid", "",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			fc := shortForecast("affected", "q")
			fc.Spec.CapacityPerReplica = nil
			if tc.change != nil {
				tc.change(fc)
			}
			ps := noonPeak("affected")
			ps.Spec.Windows[0] = v1alpha1.PeakWindow{
				Name: "launch", Start: "2026-06-01T00:00", Duration: "1h", Demand: tc.demand,
			}
			f := newFixture(t, dailyHistory(0.05), fc, deployment(), ps)
			f.step(t, "affected", 0)
			c := f.condition(t, "affected", v1alpha1.ConditionPeaksValid)
			if c.Reason != tc.want || tc.field != "" && !contains(c.Message, "launch", tc.field) {
				t.Errorf("\nReason: %s\nPeaksValid is %+v, want %s with %q", tc.reason, c, tc.want, tc.field)
			}
		})
	}
}
