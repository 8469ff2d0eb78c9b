package controller

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner/plan"
)

// desk is a reconciler of PeakSchedules over a fake API server and a clock that is moved by hand.
type desk struct {
	*PeakScheduleReconciler
	clock *clocktesting.FakePassiveClock
}

func newDesk(objects ...client.Object) *desk {
	d := &desk{clock: clocktesting.NewFakePassiveClock(epoch)}
	c := fake.NewClientBuilder().WithScheme(NewScheme()).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.PeakSchedule{}, &v1alpha1.Calendar{}).Build()
	d.PeakScheduleReconciler = &PeakScheduleReconciler{client: c, compiler: NewCompiler(c), recorder: events.NewFakeRecorder(1000), clock: passive{d.clock}}
	return d
}

// look reconciles the schedule called peak, and returns its status and when it is looked at again.
func (d *desk) look(t *testing.T) (v1alpha1.PeakScheduleStatus, time.Duration) {
	t.Helper()
	key := types.NamespacedName{Namespace: "ai", Name: "peak"}
	result, err := d.Reconcile(t.Context(), ctrl.Request{NamespacedName: key})
	if err != nil {
		t.Fatal(err)
	}
	var ps v1alpha1.PeakSchedule
	if err := d.client.Get(t.Context(), key, &ps); err != nil {
		t.Fatal(err)
	}
	return ps.Status, result.RequeueAfter
}

func (d *desk) change(t *testing.T, obj client.Object, change func()) {
	t.Helper()
	if err := d.client.Get(t.Context(), client.ObjectKeyFromObject(obj), obj); err != nil {
		t.Fatal(err)
	}
	change()
	obj.SetGeneration(obj.GetGeneration() + 1)
	if err := d.client.Update(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
}

func peakSchedule(windows ...v1alpha1.PeakWindow) *v1alpha1.PeakSchedule {
	return &v1alpha1.PeakSchedule{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ai", Name: "peak", Generation: 1, UID: "peak"},
		Spec: v1alpha1.PeakScheduleSpec{
			TimeZone: "Asia/Shanghai", State: v1alpha1.PeakScheduleActive, Windows: windows, ForecastRefs: []v1alpha1.ForecastReference{{Name: "lifted"}},
		},
	}
}

func forecastNamed(name string, plan *plan.Plan) *v1alpha1.Forecast {
	fc := &v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: "ai", Name: name, Labels: map[string]string{"app": name}}}
	if plan != nil {
		encoded := plan.Encode()
		fc.Status.Plan = &encoded
	}
	return fc
}

func atLeast(text string) v1alpha1.PeakDemand {
	q := resource.MustParse(text)
	return v1alpha1.PeakDemand{AtLeast: &q}
}

func TestPeakScheduleStatus(t *testing.T) {
	noon := v1alpha1.PeakWindow{Name: "noon", Schedule: "0 12 * * *", Duration: "2h", Demand: atLeast("1200")}
	rampDown := v1alpha1.Duration("30m")
	sale := v1alpha1.PeakWindow{Name: "sale", Start: "2026-03-02T13:00", Duration: "1h", RampDown: &rampDown, Demand: atLeast("1500")}
	values := make([]float64, 24*60)
	for i := range values {
		values[i] = 100.5
		if i >= 4*60 && i < 6*60 {
			values[i] = 1234.5
		}
	}
	plan := &plan.Plan{ComputedAt: epoch, Start: epoch, Segments: []plan.Segment{{Step: time.Minute, Values: values}}}
	d := newDesk(peakSchedule(noon, sale), forecastNamed("lifted", plan), forecastNamed("other", nil))

	first, again := d.look(t)
	if again != demandAge {
		t.Errorf("a new schedule is looked at again in %s, and its Forecasts have plans", again)
	}
	if c := meta.FindStatusCondition(first.Conditions, "Ready"); c == nil || c.Status != metav1.ConditionTrue || c.Reason != "Evaluated" {
		t.Errorf("Ready is %+v", c)
	}
	type row struct {
		Active, Next, Expired string
		Forecasts             string
		Again                 time.Duration
	}
	say := func() row {
		status, again := d.look(t)
		out := row{Active: status.ActiveWindows, Expired: strings.Join(status.Expired, " "), Again: again.Truncate(time.Second)}
		for _, o := range status.Next {
			out.Next += o.Window + " " + o.LocalStart + " " + o.Start.UTC().Format("15:04Z") + ";"
		}
		for _, f := range status.Forecasts {
			out.Forecasts += f.Name
			if f.Demand != nil {
				out.Forecasts += " now " + f.Demand.String()
			}
			if f.DemandAtNext != nil {
				out.Forecasts += " next " + f.DemandAtNext.String()
			}
		}
		return out
	}
	for _, tc := range []struct {
		reason, at string
		want       row
	}{
		{"before", "2026-03-02T00:00:00Z", row{
			Next:      "noon 2026-03-02T12:00:00+08:00 04:00Z;sale 2026-03-02T13:00:00+08:00 05:00Z;noon 2026-03-03T12:00:00+08:00 04:00Z;",
			Forecasts: "lifted next 1240", Again: demandAge,
		}},
		{"the next start is closer than a refresh", "2026-03-02T03:58:00Z", row{
			Next:      "noon 2026-03-02T12:00:00+08:00 04:00Z;sale 2026-03-02T13:00:00+08:00 05:00Z;noon 2026-03-03T12:00:00+08:00 04:00Z;",
			Forecasts: "lifted next 1240", Again: 2 * time.Minute,
		}},
		{"both are active", "2026-03-02T05:30:00Z", row{
			Active: "noon, sale", Next: "noon 2026-03-03T12:00:00+08:00 04:00Z;noon 2026-03-04T12:00:00+08:00 04:00Z;noon 2026-03-05T12:00:00+08:00 04:00Z;",
			Forecasts: "lifted now 1240", Again: demandAge,
		}},
		{"the sale ramps down, and is over in half an hour at most", "2026-03-02T06:10:00Z", row{
			Next: "noon 2026-03-03T12:00:00+08:00 04:00Z;noon 2026-03-04T12:00:00+08:00 04:00Z;noon 2026-03-05T12:00:00+08:00 04:00Z;", Forecasts: "lifted", Again: 20 * time.Minute,
		}},
		{"the sale has expired", "2026-03-02T06:30:00Z", row{
			Next: "noon 2026-03-03T12:00:00+08:00 04:00Z;noon 2026-03-04T12:00:00+08:00 04:00Z;noon 2026-03-05T12:00:00+08:00 04:00Z;", Expired: "sale", Forecasts: "lifted", Again: longestSleep,
		}},
	} {
		at, err := time.Parse(time.RFC3339, tc.at)
		if err != nil {
			t.Fatal(err)
		}
		d.clock.SetTime(at)
		if diff := cmp.Diff(tc.want, say()); diff != "" {
			t.Errorf("%s, %s: -want, +got\n%s", tc.at, tc.reason, diff)
		}
	}
	status, _ := d.look(t)
	if c := meta.FindStatusCondition(status.Conditions, "Ready"); !strings.Contains(c.Message, "over and done with: sale") {
		t.Errorf("Ready says %q", c.Message)
	}
}

func TestPeakScheduleReadySaysWhatToChange(t *testing.T) {
	window := v1alpha1.PeakWindow{Name: "noon", Schedule: "0 12 * * *", Duration: "2h", Demand: atLeast("1200")}
	day := int32(30)
	bad := &v1alpha1.Calendar{ObjectMeta: metav1.ObjectMeta{Name: "bad", UID: "bad"}, Spec: v1alpha1.CalendarSpec{Days: []v1alpha1.CalendarDay{{Name: "d", Yearly: &v1alpha1.YearlyRule{Month: 2, Day: &day}}}}}
	tests := map[string]struct {
		reason string
		change func(ps *v1alpha1.PeakSchedule)
		status metav1.ConditionStatus
		why    string
		says   []string
	}{
		"Good":        {"nothing is wrong", func(*v1alpha1.PeakSchedule) {}, metav1.ConditionTrue, "Evaluated", []string{"every window"}},
		"Zone":        {"only a database knows zones", func(ps *v1alpha1.PeakSchedule) { ps.Spec.TimeZone = "Mars/Olympus" }, metav1.ConditionFalse, "InvalidSpec", []string{"spec.timeZone", "Mars/Olympus", "IANA"}},
		"MachineZone": {"it differs from machine to machine", func(ps *v1alpha1.PeakSchedule) { ps.Spec.TimeZone = "localtime" }, metav1.ConditionFalse, "InvalidSpec", []string{"spec.timeZone", "localtime", "depends on the machine"}},
		"NoCalendar":  {"the field is named with the Calendar", func(ps *v1alpha1.PeakSchedule) { ps.Spec.Except = &v1alpha1.Days{Calendars: []string{"gone"}} }, metav1.ConditionFalse, "InvalidSpec", []string{`spec.except.calendars[0] "gone"`, "create"}},
		"BadCalendar": {"what is wrong in the Calendar is said too", func(ps *v1alpha1.PeakSchedule) { ps.Spec.Only = &v1alpha1.Days{Calendars: []string{"bad"}} }, metav1.ConditionFalse, "InvalidSpec", []string{`spec.only.calendars[0] "bad"`, "spec.days[0].yearly.day", "no such day"}},
		"Both": {"a missing Calendar hides nothing else", func(ps *v1alpha1.PeakSchedule) {
			ps.Spec.Except = &v1alpha1.Days{Calendars: []string{"gone"}}
			ps.Spec.Windows[0].Schedule = "0 0 31 2 *"
		}, metav1.ConditionFalse, "InvalidSpec", []string{`"gone"`, "never fires"}},
		"NoForecast": {"a name is misspelt", func(ps *v1alpha1.PeakSchedule) { ps.Spec.ForecastRefs[0].Name = "lfited" }, metav1.ConditionFalse, "ForecastNotFound", []string{`spec.forecastRefs[0].name "lfited"`, "create it, or correct the name"}},
		"EmptyRefs": {"nobody is named", func(ps *v1alpha1.PeakSchedule) {
			ps.Spec.ForecastRefs = nil
			ps.Spec.ForecastSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "none"}}
		}, metav1.ConditionFalse, "ForecastNotFound", []string{`spec.forecastSelector "app=none"`, "label one"}},
		"Selected": {"a selector picks one", func(ps *v1alpha1.PeakSchedule) {
			ps.Spec.ForecastRefs = nil
			ps.Spec.ForecastSelector = &metav1.LabelSelector{}
		}, metav1.ConditionTrue, "Evaluated", nil},
		"NeverStarts": {"what is hardly meant is said", func(ps *v1alpha1.PeakSchedule) {
			ps.Spec.Only = &v1alpha1.Days{Dates: []string{"2026-03-02"}}
			ps.Spec.Windows[0].Schedule = "0 12 * * 2"
		}, metav1.ConditionTrue, "Evaluated", []string{"warning", `"noon" never starts`}},
		"AllExpired": {"a schedule that is over says so", func(ps *v1alpha1.PeakSchedule) {
			ps.Spec.Windows[0].Schedule = ""
			ps.Spec.Windows[0].Start = "2026-01-01T00:00"
		}, metav1.ConditionTrue, "Expired", []string{"over and done with: noon"}},
		"Suspended": {"no window counts", func(ps *v1alpha1.PeakSchedule) { ps.Spec.State = v1alpha1.PeakScheduleSuspended }, metav1.ConditionTrue, "Suspended", []string{"no window counts"}},
		"BadSelector": {"the operator is named", func(ps *v1alpha1.PeakSchedule) {
			ps.Spec.ForecastSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}
		}, metav1.ConditionFalse, "InvalidSpec", []string{"spec.forecastSelector", "Near"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			ps := peakSchedule(window)
			tc.change(ps)
			status, _ := newDesk(ps, bad, forecastNamed("lifted", nil)).look(t)
			c := meta.FindStatusCondition(status.Conditions, "Ready")
			if c == nil || c.Status != tc.status || c.Reason != tc.why {
				t.Fatalf("\nReason: %s\nReady is %+v, want %s %s", tc.reason, c, tc.status, tc.why)
			}
			for _, part := range tc.says {
				if !strings.Contains(c.Message, part) {
					t.Errorf("\nReason: %s\n%q does not say %q", tc.reason, c.Message, part)
				}
			}
		})
	}
}

// TestCalendarsComeAndGo holds a schedule to the Calendar as it is now, not as it was when it was compiled.
func TestCalendarsComeAndGo(t *testing.T) {
	ps := peakSchedule(v1alpha1.PeakWindow{Name: "noon", Schedule: "0 12 * * *", Duration: "2h", Demand: atLeast("1200")})
	ps.Spec.Except = &v1alpha1.Days{Calendars: []string{"days-off"}}
	off := func(date string) *v1alpha1.Calendar {
		return &v1alpha1.Calendar{ObjectMeta: metav1.ObjectMeta{Name: "days-off", UID: types.UID(date), Generation: 1}, Spec: v1alpha1.CalendarSpec{Days: []v1alpha1.CalendarDay{{Name: "off", Dates: []string{date}}}}}
	}
	d := newDesk(ps, forecastNamed("lifted", nil))
	next := func() string {
		d.clock.SetTime(d.clock.Now().Add(leastSleep))
		status, _ := d.look(t)
		if len(status.Next) == 0 {
			return meta.FindStatusCondition(status.Conditions, "Ready").Reason
		}
		return status.Next[0].LocalStart[:10]
	}
	var got []string
	got = append(got, next())
	for _, do := range []func(context.Context) error{
		func(ctx context.Context) error { return d.client.Create(ctx, off("2026-03-02")) },
		func(ctx context.Context) error { return d.client.Delete(ctx, off("2026-03-02")) },
		func(ctx context.Context) error { return d.client.Create(ctx, off("2026-03-03")) },
	} {
		if err := do(t.Context()); err != nil {
			t.Fatal(err)
		}
		got = append(got, next())
	}
	cal := off("2026-03-03")
	d.change(t, cal, func() { cal.Spec.Days[0].Dates = []string{"2026-03-02/2026-03-04"} })
	got = append(got, next())
	if diff := cmp.Diff([]string{"InvalidSpec", "2026-03-03", "InvalidSpec", "2026-03-02", "2026-03-05"}, got); diff != "" {
		t.Errorf("next start on: -want, +got\n%s", diff)
	}
}

// TestBadSelectorHarmsNoForecast keeps one user's mistake from every Forecast of the namespace.
func TestBadSelectorHarmsNoForecast(t *testing.T) {
	bad := peakSchedule(v1alpha1.PeakWindow{Name: "noon", Schedule: "0 12 * * *", Duration: "2h", Demand: atLeast("1200")})
	bad.Spec.ForecastRefs = nil
	bad.Spec.ForecastSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}
	good := peakSchedule(v1alpha1.PeakWindow{Name: "noon", Schedule: "0 12 * * *", Duration: "2h", Demand: atLeast("1200")})
	good.Name = "good"
	d := newDesk(bad, good)
	found, err := d.compiler.selection(t.Context(), forecastNamed("lifted", nil), nil)
	if err != nil || len(found.InvalidSchedules) > 0 || len(found.Schedules) != 1 {
		t.Errorf("%d schedules, %v, %v; want the good one and no error", len(found.Schedules), found.InvalidSchedules, err)
	}
}
