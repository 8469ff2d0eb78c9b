package controller

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"

	"headstart.dev/headstart/api/v1alpha1"
)

func TestCalendarStatus(t *testing.T) {
	yearly := func(month, day int32) *v1alpha1.YearlyRule { return &v1alpha1.YearlyRule{Month: month, Day: &day} }
	fifth := &v1alpha1.YearlyRule{Month: 2, Weekday: new("Monday"), Nth: new(int32(5))}
	tests := map[string]struct {
		reason string
		days   []v1alpha1.CalendarDay
		ready  metav1.ConditionStatus
		why    string
		next   string
	}{
		"Soonest": {
			"three of them, soonest first; today counts", // it is 2 March 2026
			[]v1alpha1.CalendarDay{{Name: "Christmas", Yearly: yearly(12, 25)}, {Name: "today", Dates: []string{"2026-03-01/2026-03-02"}}, {Name: "May", Yearly: yearly(5, 1)}},
			metav1.ConditionTrue, "Read", "2026-03-02 today, 2026-05-01 May, 2026-12-25 Christmas",
		},
		"FarAway": {"a day that comes every few decades is found", []v1alpha1.CalendarDay{{Name: "rare", Yearly: fifth}}, metav1.ConditionTrue, "Read", "2044-02-29 rare, 2072-02-29 rare, 2112-02-29 rare"},
		"Over":    {"last year's holidays are no use", []v1alpha1.CalendarDay{{Name: "moon", Dates: []string{"2025-01-29"}}}, metav1.ConditionTrue, "Expired", ""},
		"Bad":     {"the field is named", []v1alpha1.CalendarDay{{Name: "d", Dates: []string{"2026-02-30"}}}, metav1.ConditionFalse, "InvalidSpec", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDesk(&v1alpha1.Calendar{ObjectMeta: metav1.ObjectMeta{Name: "c", UID: "c", Generation: 1}, Spec: v1alpha1.CalendarSpec{Days: tc.days}})
			r := &CalendarReconciler{client: d.client, compiler: d.compiler, recorder: events.NewFakeRecorder(10), clock: passive{d.clock}}
			key := types.NamespacedName{Name: "c"}
			if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
				t.Fatal(err)
			}
			var cal v1alpha1.Calendar
			if err := d.client.Get(t.Context(), key, &cal); err != nil {
				t.Fatal(err)
			}
			c := meta.FindStatusCondition(cal.Status.Conditions, "Ready")
			if c == nil || c.Status != tc.ready || c.Reason != tc.why {
				t.Errorf("\nReason: %s\nReady is %+v", tc.reason, c)
			}
			var next []string
			for _, n := range cal.Status.Next {
				next = append(next, n.Date+" "+n.Name)
			}
			if diff := cmp.Diff(tc.next, strings.Join(next, ", ")); diff != "" {
				t.Errorf("\nReason: %s\n-want, +got\n%s", tc.reason, diff)
			}
		})
	}
}

// TestWindowsWithoutEffectAreSaid looks at windows that need what the Forecast does not have.
func TestWindowsWithoutEffectAreSaid(t *testing.T) {
	tests := map[string]struct {
		reason string
		demand v1alpha1.PeakDemand
		change func(fc *v1alpha1.Forecast)
		why    string
		says   string
	}{
		"ReplicasWithoutCapacity": {"nobody says what one serves", v1alpha1.PeakDemand{Replicas: new(int32(4))}, nil, "CapacityUnknown", "spec.capacityPerReplica"},
		"ReplicasWithCapacity":    {"now it is said", v1alpha1.PeakDemand{Replicas: new(int32(4))}, func(fc *v1alpha1.Forecast) { q := *atLeast("5").AtLeast; fc.Spec.CapacityPerReplica = &q }, "Valid", ""},
		"FactorWithoutDemand":     {"three times nothing", v1alpha1.PeakDemand{Multiply: new(v1alpha1.Decimal("3"))}, func(fc *v1alpha1.Forecast) { fc.Spec.Demand = nil }, "NothingToMultiply", "spec.demand"},
		"FactorWithDemand":        {"three times the forecast", v1alpha1.PeakDemand{Multiply: new(v1alpha1.Decimal("3"))}, nil, "Valid", ""},
		"MinimumWithoutDemand":    {"a minimum stands alone", atLeast("12"), func(fc *v1alpha1.Forecast) { fc.Spec.Demand = nil }, "Valid", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			fc := shortForecast("lifted", "q")
			fc.Spec.CapacityPerReplica = nil
			if tc.change != nil {
				tc.change(fc)
			}
			ps := peakSchedule(v1alpha1.PeakWindow{Name: "launch", Start: "2026-06-01T00:00", Duration: "1h", Demand: tc.demand})
			ps.Namespace = "shop"
			h := newHouse(t, map[string]*trace{"q": {demand: daily(0.05)}}, fc, deployment(), ps)
			h.step(t, "lifted", 0)
			c := meta.FindStatusCondition(h.get(t, "lifted").Status.Conditions, v1alpha1.ConditionPeaksValid)
			if c == nil || c.Reason != tc.why || !strings.Contains(c.Message, tc.says) || tc.says != "" && !strings.Contains(c.Message, "launch") {
				t.Errorf("\nReason: %s\nPeaksValid is %+v, want %s that says %q", tc.reason, c, tc.why, tc.says)
			}
		})
	}
}
