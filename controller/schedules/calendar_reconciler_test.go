package schedules

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	"headstart.dev/headstart/api/v1alpha1"
)

func TestCalendarStatus(t *testing.T) {
	yearly := func(month, day int32) *v1alpha1.YearlyRule { return &v1alpha1.YearlyRule{Month: month, Day: &day} }
	fifth := &v1alpha1.YearlyRule{Month: 2, Weekday: new("Monday"), Nth: new(int32(5))}
	tests := map[string]struct {
		reason string
		days   []v1alpha1.CalendarDay
		status metav1.ConditionStatus
		want   string // The reason of Ready.
		next   string
	}{
		"Soonest": {
			"three days, in their order; today, 2 March 2026, counts",
			[]v1alpha1.CalendarDay{
				{Name: "Christmas", Yearly: yearly(12, 25)},
				{Name: "today", Dates: []string{"2026-03-01/2026-03-02"}},
				{Name: "May", Yearly: yearly(5, 1)},
			},
			metav1.ConditionTrue, "Read", "2026-03-02 today, 2026-05-01 May, 2026-12-25 Christmas",
		},
		"FarAway": {
			"a day that comes every few decades is found",
			[]v1alpha1.CalendarDay{{Name: "rare", Yearly: fifth}},
			metav1.ConditionTrue, "Read", "2044-02-29 rare, 2072-02-29 rare, 2112-02-29 rare",
		},
		"Past": {
			"all days are in the past",
			[]v1alpha1.CalendarDay{{Name: "moon", Dates: []string{"2025-01-29"}}},
			metav1.ConditionTrue, "Expired", "",
		},
		"Invalid": {
			"2026-02-30 does not exist",
			[]v1alpha1.CalendarDay{{Name: "d", Dates: []string{"2026-02-30"}}},
			metav1.ConditionFalse, "InvalidSpec", "",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f := newScheduleFixture(&v1alpha1.Calendar{
				ObjectMeta: metav1.ObjectMeta{Name: "c", UID: "c", Generation: 1},
				Spec:       v1alpha1.CalendarSpec{Days: tc.days},
			})
			r := &CalendarReconciler{
				Options: f.Options,
			}
			key := types.NamespacedName{Name: "c"}
			if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
				t.Fatal(err)
			}
			var cal v1alpha1.Calendar
			if err := f.Client.Get(t.Context(), key, &cal); err != nil {
				t.Fatal(err)
			}
			c := meta.FindStatusCondition(cal.Status.Conditions, "Ready")
			if c == nil || c.Status != tc.status || c.Reason != tc.want {
				t.Errorf("\nReason: %s\nReady is %+v, want %s with %s", tc.reason, c, tc.status, tc.want)
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
