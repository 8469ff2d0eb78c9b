package controller

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
)

// A service level that costs too much is lowered. The condition says which level is reached, and a
// new owner continues the count.
func TestSpendLimited(t *testing.T) {
	fc := fiveMinuteForecast()
	fc.Spec.CapacityPerReplica = new(resource.MustParse("1"))
	fc.Spec.LeadTime = v1alpha1.LeadTime{Mode: v1alpha1.LeadTimeFixed, Fixed: new(v1alpha1.Duration("10m"))}
	fc.Spec.ProvisionFor.AtMost = new(v1alpha1.Decimal("1.05"))
	f := newFixture(t, dailyHistory(0.25), deployment(), fc)
	hours := func(n int) {
		for range 12 * n {
			f.step(t, "fc", 5*time.Minute)
		}
	}
	hours(1)
	if got := f.get(t, "fc").Status.Spend; got == nil || got.Ratio == "" || got.Record == "" {
		t.Fatalf("status says nothing of what the plans ask for: %+v", got)
	}
	hours(23)
	f.wantCondition(t, "fc", v1alpha1.ConditionSpendLimited, metav1.ConditionTrue, "LevelLowered")
	message := f.condition(t, "fc", v1alpha1.ConditionSpendLimited).Message
	for _, want := range []string{"provisionFor.atMost is 1.05", "reaches a service level of 0.", "of 0.99 asks for 1."} {
		if !strings.Contains(message, want) {
			t.Errorf("the message lacks %q: %s", want, message)
		}
	}
	f.wantReady(t, "fc")
	before := f.get(t, "fc").Status.Spend
	f.changeLeader()
	hours(1)
	after := f.get(t, "fc").Status.Spend
	if !after.RecordSince.Equal(before.RecordSince) || !before.RecordUntil.Before(after.RecordUntil) {
		t.Errorf("a new owner begins again: %+v after %+v", after, before)
	}
	f.wantCondition(t, "fc", v1alpha1.ConditionSpendLimited, metav1.ConditionTrue, "LevelLowered")
	if n := collected(f.metrics.spend); n < 3 {
		t.Errorf("%d metrics, want ratio, unbounded and at_most", n)
	}

	// Without the bound nothing is left of it.
	change := f.get(t, "fc")
	change.Spec.ProvisionFor.AtMost = nil
	change.Generation++
	if err := f.client.Update(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	hours(1)
	status := f.get(t, "fc").Status
	if meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionSpendLimited) != nil || status.Spend != nil {
		t.Errorf("the bound is gone, and status still has %+v", status.Spend)
	}
	if n := collected(f.metrics.spend); n != 0 {
		t.Errorf("%d metrics are left of a bound that is gone", n)
	}
}

// Without a capacity there are no replica-hours to bound.
func TestSpendWithoutACapacity(t *testing.T) {
	fc := fiveMinuteForecast()
	fc.Spec.ProvisionFor.AtMost = new(v1alpha1.Decimal("2"))
	f := newFixture(t, dailyHistory(0.05), deployment(), fc)
	f.step(t, "fc", 5*time.Minute)
	f.wantCondition(t, "fc", v1alpha1.ConditionSpendLimited, metav1.ConditionUnknown, "CapacityUnknown")
	f.wantReady(t, "fc")
}
