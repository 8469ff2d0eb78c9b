package controller

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/adapter/values"
	"headstart.dev/headstart/api/v1alpha1"
)

func TestServedSettings(t *testing.T) {
	fc := faceFusion()
	spec := &fc.Spec
	spec.Bounds.Min, spec.OnPlanExpiry = new(resource.MustParse("3")), v1alpha1.OnPlanExpiry{
		Policy: v1alpha1.ExpiryStatic, Value: new(resource.MustParse("7")),
	}
	want := values.Settings{
		Demand: &values.Query{Expr: "sum(rate(requests_total[1m]))", Source: "default", Settle: 30 * time.Second},
		Mode:   v1alpha1.ForecastActive, Expiry: v1alpha1.ExpiryStatic, Static: 7, Min: 3,
	}
	got, err := ServedSettings(fc)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v; settings (-want +got):\n%s", err, diff)
	}
	spec.Demand, spec.Horizon = nil, "soon"
	if got, err := ServedSettings(fc); err == nil || got.Demand != nil {
		t.Errorf("got %+v, %v, want an error and nothing to poll", got, err)
	}
}

// The cache keeps neither managed fields nor what kubectl applied last, and everything else.
func TestStripMeta(t *testing.T) {
	fc := faceFusion()
	want := fc.DeepCopy()
	want.Annotations = map[string]string{"team": "shop"}
	fc.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	fc.Annotations = map[string]string{"team": "shop", corev1.LastAppliedConfigAnnotation: "{}"}
	got, err := stripMeta(fc)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v; (-want +got):\n%s", err, diff)
	}
	if got, err := stripMeta("a tombstone"); err != nil || got != "a tombstone" {
		t.Errorf("%v, %v", got, err)
	}
}
