package schedules

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner/plan"
)

// scheduleRow is what the status of a PeakSchedule shows.
type scheduleRow struct {
	Active, Next, Expired string
	Forecasts             string
	Requeue               time.Duration
}

func (f *scheduleFixture) row(t *testing.T) scheduleRow {
	t.Helper()
	status, requeue := f.reconcile(t)
	out := scheduleRow{
		Active: status.ActiveWindows, Expired: strings.Join(status.Expired, " "),
		Requeue: requeue.Truncate(time.Second),
	}
	var next []string
	for _, o := range status.Next {
		next = append(next, o.Window+" "+o.LocalStart+" "+o.Start.UTC().Format("15:04Z"))
	}
	out.Next = strings.Join(next, ", ")
	for _, fc := range status.Forecasts {
		out.Forecasts += fc.Name
		if fc.Demand != nil {
			out.Forecasts += " now " + fc.Demand.String()
		}
		if fc.DemandAtNext != nil {
			out.Forecasts += " next " + fc.DemandAtNext.String()
		}
	}
	return out
}

func TestPeakScheduleStatus(t *testing.T) {
	sale := v1alpha1.PeakWindow{
		Name: "sale", Start: "2026-03-02T13:00", Duration: "1h", RampDown: new(v1alpha1.Duration("30m")),
		Demand: atLeast("1500"),
	}
	values := make([]float64, 24*60)
	for i := range values {
		values[i] = 100.5
		if i >= 4*60 && i < 6*60 {
			values[i] = 1234.5
		}
	}
	plan := &plan.Plan{ComputedAt: epoch, Start: epoch, Segments: []plan.Segment{{Step: time.Minute, Values: values}}}
	f := newScheduleFixture(
		peakSchedule(noonWindow(), sale), forecastNamed("affected", plan), forecastNamed("other", nil))
	first, requeue := f.reconcile(t)
	if requeue != demandRefresh {
		t.Errorf("requeued after %s, want %s, since its Forecast has a plan", requeue, demandRefresh)
	}
	if c := readyOf(first); c.Status != metav1.ConditionTrue || c.Reason != "Evaluated" {
		t.Errorf("Ready is %+v, want True with Evaluated", c)
	}
	const (
		saleComes = "noon 2026-03-02T12:00:00+08:00 04:00Z, sale 2026-03-02T13:00:00+08:00 05:00Z, " +
			"noon 2026-03-03T12:00:00+08:00 04:00Z"
		saleStarted = "noon 2026-03-03T12:00:00+08:00 04:00Z, noon 2026-03-04T12:00:00+08:00 04:00Z, " +
			"noon 2026-03-05T12:00:00+08:00 04:00Z"
	)
	for _, tc := range []struct {
		reason, at string
		want       scheduleRow
	}{
		{"no window is active", "2026-03-02T00:00:00Z", scheduleRow{
			Next: saleComes, Forecasts: "affected next 1240", Requeue: demandRefresh,
		}},
		{"the next window starts before the next refresh", "2026-03-02T03:58:00Z", scheduleRow{
			Next: saleComes, Forecasts: "affected next 1240", Requeue: 2 * time.Minute,
		}},
		{"both windows are active", "2026-03-02T05:30:00Z", scheduleRow{
			Active: "noon, sale", Next: saleStarted, Forecasts: "affected now 1240", Requeue: demandRefresh,
		}},
		{"the sale ramps down for another 20 minutes", "2026-03-02T06:10:00Z", scheduleRow{
			Next: saleStarted, Forecasts: "affected", Requeue: 20 * time.Minute,
		}},
		{"the sale has expired", "2026-03-02T06:30:00Z", scheduleRow{
			Next: saleStarted, Expired: "sale", Forecasts: "affected", Requeue: maxRequeue,
		}},
	} {
		at, err := time.Parse(time.RFC3339, tc.at)
		if err != nil {
			t.Fatal(err)
		}
		f.clock.SetTime(at)
		if diff := cmp.Diff(tc.want, f.row(t)); diff != "" {
			t.Errorf("%s, %s: -want, +got\n%s", tc.at, tc.reason, diff)
		}
	}
	last, _ := f.reconcile(t)
	if c := readyOf(last); !strings.Contains(c.Message, "expired: sale") {
		t.Errorf("Ready has the message %q, want the expired window", c.Message)
	}
}

func TestPeakScheduleReadyCondition(t *testing.T) {
	day := int32(30)
	bad := &v1alpha1.Calendar{
		ObjectMeta: metav1.ObjectMeta{Name: "bad", UID: "bad"},
		Spec: v1alpha1.CalendarSpec{
			Days: []v1alpha1.CalendarDay{{Name: "d", Yearly: &v1alpha1.YearlyRule{Month: 2, Day: &day}}},
		},
	}
	tests := map[string]struct {
		reason string
		change func(ps *v1alpha1.PeakSchedule)
		status metav1.ConditionStatus
		want   string   // The reason of Ready.
		parts  []string // Parts of the message.
	}{
		"Good": {
			"nothing is wrong",
			func(*v1alpha1.PeakSchedule) {},
			metav1.ConditionTrue, "Evaluated",
			[]string{"every window"},
		},
		"Zone": {
			"there is no such time zone",
			func(ps *v1alpha1.PeakSchedule) { ps.Spec.TimeZone = "Mars/Olympus" },
			metav1.ConditionFalse, "InvalidSpec",
			[]string{"spec.timeZone", "Mars/Olympus", "IANA"},
		},
		"MachineZone": {
			"localtime is different on each machine",
			func(ps *v1alpha1.PeakSchedule) { ps.Spec.TimeZone = "localtime" },
			metav1.ConditionFalse, "InvalidSpec",
			[]string{"spec.timeZone", "localtime", "depends on the machine"},
		},
		"NoCalendar": {
			"the message has the field and the Calendar",
			func(ps *v1alpha1.PeakSchedule) { ps.Spec.Except = &v1alpha1.Days{Calendars: []string{"gone"}} },
			metav1.ConditionFalse, "InvalidSpec",
			[]string{`spec.except.calendars[0] "gone"`, "create"},
		},
		"BadCalendar": {
			"the message has the error of the Calendar",
			func(ps *v1alpha1.PeakSchedule) { ps.Spec.Only = &v1alpha1.Days{Calendars: []string{"bad"}} },
			metav1.ConditionFalse, "InvalidSpec",
			[]string{`spec.only.calendars[0] "bad"`, "spec.days[0].yearly.day", "no such day"},
		},
		"Both": {"the message has all errors", func(ps *v1alpha1.PeakSchedule) {
			ps.Spec.Except = &v1alpha1.Days{Calendars: []string{"gone"}}
			ps.Spec.Windows[0].Schedule = "0 0 31 2 *"
		}, metav1.ConditionFalse, "InvalidSpec", []string{`"gone"`, "never fires"}},
		"NoForecast": {
			"a name has a typing error",
			func(ps *v1alpha1.PeakSchedule) { ps.Spec.ForecastRefs[0].Name = "afected" },
			metav1.ConditionFalse, "ForecastNotFound",
			[]string{`spec.forecastRefs[0].name "afected"`, "create it, or correct the name"},
		},
		"NothingSelected": {"a selector selects nothing", func(ps *v1alpha1.PeakSchedule) {
			ps.Spec.ForecastRefs = nil
			ps.Spec.ForecastSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "none"}}
		}, metav1.ConditionFalse, "ForecastNotFound", []string{`spec.forecastSelector "app=none"`, "label one"}},
		"Selected": {"a selector selects one", func(ps *v1alpha1.PeakSchedule) {
			ps.Spec.ForecastRefs = nil
			ps.Spec.ForecastSelector = &metav1.LabelSelector{}
		}, metav1.ConditionTrue, "Evaluated", nil},
		"NeverStarts": {"a window that never starts is probably a mistake", func(ps *v1alpha1.PeakSchedule) {
			ps.Spec.Only = &v1alpha1.Days{Dates: []string{"2026-03-02"}}
			ps.Spec.Windows[0].Schedule = "0 12 * * 2"
		}, metav1.ConditionTrue, "Evaluated", []string{"warning", `"noon" never starts`}},
		"AllExpired": {"all windows are in the past", func(ps *v1alpha1.PeakSchedule) {
			ps.Spec.Windows[0].Schedule = ""
			ps.Spec.Windows[0].Start = "2026-01-01T00:00"
		}, metav1.ConditionTrue, "Expired", []string{"expired: noon"}},
		"Suspended": {
			"no window counts",
			func(ps *v1alpha1.PeakSchedule) { ps.Spec.State = v1alpha1.PeakScheduleSuspended },
			metav1.ConditionTrue, "Suspended",
			[]string{"no window counts"},
		},
		"BadSelector": {"the message has the operator", func(ps *v1alpha1.PeakSchedule) {
			ps.Spec.ForecastSelector = &metav1.LabelSelector{
				MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}},
			}
		}, metav1.ConditionFalse, "InvalidSpec", []string{"spec.forecastSelector", "Near"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			ps := peakSchedule(noonWindow())
			tc.change(ps)
			status, _ := newScheduleFixture(ps, bad, forecastNamed("affected", nil)).reconcile(t)
			c := readyOf(status)
			if c.Status != tc.status || c.Reason != tc.want || !contains(c.Message, tc.parts...) {
				t.Errorf("\nReason: %s\nReady is %+v, want %s with %s and %q",
					tc.reason, c, tc.status, tc.want, tc.parts)
			}
		})
	}
}

// A PeakSchedule is evaluated with its Calendars as they are now, not as they were when it was
// compiled.
func TestChangedCalendar(t *testing.T) {
	ps := peakSchedule(noonWindow())
	ps.Spec.Except = &v1alpha1.Days{Calendars: []string{"days-off"}}
	off := func(date string) *v1alpha1.Calendar {
		return &v1alpha1.Calendar{
			ObjectMeta: metav1.ObjectMeta{Name: "days-off", UID: types.UID(date), Generation: 1},
			Spec:       v1alpha1.CalendarSpec{Days: []v1alpha1.CalendarDay{{Name: "off", Dates: []string{date}}}},
		}
	}
	f := newScheduleFixture(ps, forecastNamed("affected", nil))
	next := func() string {
		f.clock.SetTime(f.clock.Now().Add(maxWritePause))
		status, _ := f.reconcile(t)
		if len(status.Next) == 0 {
			return readyOf(status).Reason
		}
		return status.Next[0].LocalStart[:10]
	}
	var got []string
	got = append(got, next())
	for _, do := range []func(context.Context) error{
		func(ctx context.Context) error { return f.Client.Create(ctx, off("2026-03-02")) },
		func(ctx context.Context) error { return f.Client.Delete(ctx, off("2026-03-02")) },
		func(ctx context.Context) error { return f.Client.Create(ctx, off("2026-03-03")) },
	} {
		if err := do(t.Context()); err != nil {
			t.Fatal(err)
		}
		got = append(got, next())
	}
	cal := off("2026-03-03")
	f.change(t, cal, func() { cal.Spec.Days[0].Dates = []string{"2026-03-02/2026-03-04"} })
	got = append(got, next())
	want := []string{"InvalidSpec", "2026-03-03", "InvalidSpec", "2026-03-02", "2026-03-05"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("next start on: -want, +got\n%s", diff)
	}
}

// A PeakSchedule with an invalid selector does not affect the Forecasts of its namespace.
func TestInvalidSelectorAffectsNoForecast(t *testing.T) {
	bad := peakSchedule(noonWindow())
	bad.Spec.ForecastRefs = nil
	bad.Spec.ForecastSelector = &metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}},
	}
	good := peakSchedule(noonWindow())
	good.Name = "good"
	f := newScheduleFixture(bad, good)
	found, err := f.Compiler.Selection(t.Context(), forecastNamed("affected", nil), nil)
	if err != nil || len(found.InvalidSchedules) > 0 || len(found.Schedules) != 1 {
		t.Errorf("%d schedules, %v, %v; want the good one and no error",
			len(found.Schedules), found.InvalidSchedules, err)
	}
}
