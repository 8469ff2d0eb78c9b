package controller

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
)

// A plan that was made before a schedule provides for nothing in its windows, and is looked at again soon.
func TestPlanLags(t *testing.T) {
	zero, some := resource.MustParse("0"), resource.MustParse("15")
	for name, tc := range map[string]struct {
		lifted []v1alpha1.LiftedForecast
		want   bool
	}{
		"NoPlan":      {[]v1alpha1.LiftedForecast{{Name: "a"}}, false},
		"Provided":    {[]v1alpha1.LiftedForecast{{Name: "a", Demand: &some, DemandAtNext: &some}}, false},
		"NothingNow":  {[]v1alpha1.LiftedForecast{{Name: "a", Demand: &some}, {Name: "b", Demand: &zero}}, true},
		"NothingNext": {[]v1alpha1.LiftedForecast{{Name: "a", DemandAtNext: &zero}}, true},
	} {
		if got := planLags(tc.lifted); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
