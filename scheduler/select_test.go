package scheduler

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
)

// declare returns a PeakSchedule in namespace shop with one valid window, and applies the changes
// to it.
func declare(name string, changes ...func(*v1alpha1.PeakSchedule)) v1alpha1.PeakSchedule {
	ps := v1alpha1.PeakSchedule{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name), Generation: 1},
		Spec: v1alpha1.PeakScheduleSpec{
			TimeZone: "UTC",
			Windows:  []v1alpha1.PeakWindow{{Name: "noon", Schedule: "0 12 * * *", Duration: "1h", Demand: atLeast("5")}},
		},
	}
	for _, change := range changes {
		change(&ps)
	}
	return ps
}

func naming(forecasts ...string) func(*v1alpha1.PeakSchedule) {
	return func(ps *v1alpha1.PeakSchedule) {
		for _, name := range forecasts {
			ps.Spec.ForecastRefs = append(ps.Spec.ForecastRefs, v1alpha1.ForecastReference{Name: name})
		}
	}
}

func selecting(key, value string) func(*v1alpha1.PeakSchedule) {
	return func(ps *v1alpha1.PeakSchedule) {
		ps.Spec.ForecastSelector = &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
	}
}

func selectingBadly(ps *v1alpha1.PeakSchedule) {
	ps.Spec.ForecastSelector = &metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: "Near"}},
	}
}

func except(calendars ...string) func(*v1alpha1.PeakSchedule) {
	return func(ps *v1alpha1.PeakSchedule) { ps.Spec.Except = &v1alpha1.Days{Calendars: calendars} }
}

func inNamespace(namespace string) func(*v1alpha1.PeakSchedule) {
	return func(ps *v1alpha1.PeakSchedule) { ps.Namespace = namespace }
}

func withZone(zone v1alpha1.TimeZone) func(*v1alpha1.PeakSchedule) {
	return func(ps *v1alpha1.PeakSchedule) { ps.Spec.TimeZone = zone }
}

func calendarOf(name, date string) v1alpha1.Calendar {
	return v1alpha1.Calendar{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1},
		Spec:       v1alpha1.CalendarSpec{Days: []v1alpha1.CalendarDay{{Name: "off", Dates: []string{date}}}},
	}
}

var webForecast = &v1alpha1.Forecast{
	ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Labels: map[string]string{"tier": "front"}},
}

// summary writes a Selection as text: the names of what was selected, and each error.
func summary(s Selection) []string {
	var out []string
	for _, schedule := range s.Schedules {
		out = append(out, "schedule "+schedule.Name())
	}
	var names []string
	for name := range s.Calendars {
		names = append(names, "calendar "+name)
	}
	slices.Sort(names)
	out = append(out, names...)
	for _, invalid := range []struct {
		kind string
		errs []error
	}{
		{"invalid schedule", s.InvalidSchedules},
		{"invalid selector", s.InvalidSelectors},
		{"invalid calendar", s.InvalidCalendars},
	} {
		for _, err := range invalid.errs {
			out = append(out, invalid.kind+": "+err.Error())
		}
	}
	return out
}

const (
	badSelector = `spec.forecastSelector: "Near" is not a valid label selector operator: ` +
		"write matchLabels, or matchExpressions with In, NotIn, Exists or DoesNotExist"
	badZone    = `spec.timeZone: unknown time zone "Europe/Berlim": name an IANA zone such as Europe/Berlin or UTC`
	noCalendar = `spec.except.calendars[0] "off": there is no Calendar of this name that can be evaluated: ` +
		"create or repair it, or remove it here"
	badDay = `calendar "off": spec.days[0].dates[0] "2026-02-30": "2026-02-30" is not a date: ` +
		"write a day that exists as YYYY-MM-DD, such as 2026-02-17"
)

var invalidOff, validOff = calendarOf("off", "2026-02-30"), calendarOf("off", "2026-02-17")

var selections = map[string]struct {
	reason    string
	learned   []string
	schedules []v1alpha1.PeakSchedule
	calendars []v1alpha1.Calendar
	want      []string
}{
	"Nothing": {reason: "nothing is declared"},
	"NamedAndSelected": {
		reason: "selected by name or by label, in the Forecast's namespace only, sorted by name",
		schedules: []v1alpha1.PeakSchedule{
			declare("d", selecting("tier", "front")), declare("c", naming("db", "web")), declare("b", naming("db")),
			declare("a", selecting("tier", "back")), declare("e", naming("web"), inNamespace("other")),
		},
		want: []string{"schedule c", "schedule d"},
	},
	"Suspended": {
		reason: "it is selected, although its windows do not count",
		schedules: []v1alpha1.PeakSchedule{declare("a", naming("web"), func(ps *v1alpha1.PeakSchedule) {
			ps.Spec.State = v1alpha1.PeakScheduleSuspended
		})},
		want: []string{"schedule a"},
	},
	"InvalidSchedule": {
		reason: "the others still count",
		schedules: []v1alpha1.PeakSchedule{
			declare("a", naming("web"), withZone("Europe/Berlim")), declare("b", naming("web")),
		},
		want: []string{"schedule b", "invalid schedule: PeakSchedule a: " + badZone},
	},
	"InvalidScheduleOfOthers": {
		reason: "the error of a schedule for another Forecast is not reported",
		schedules: []v1alpha1.PeakSchedule{
			declare("a", naming("db"), withZone("Europe/Berlim")), declare("b", naming("web"), withZone("x"),
				inNamespace("other")),
		},
	},
	"InvalidSelector": {
		reason:    "whether it is for this Forecast is unknown, so it does not count, and is reported apart",
		schedules: []v1alpha1.PeakSchedule{declare("a", selectingBadly), declare("b", naming("web"))},
		want:      []string{"schedule b", "invalid selector: PeakSchedule a: " + badSelector},
	},
	"InvalidSelectorOfOthers": {
		reason:    "a schedule in another namespace is never for this Forecast",
		schedules: []v1alpha1.PeakSchedule{declare("a", selectingBadly, inNamespace("other"))},
	},
	"InvalidSelectorAndName": {
		reason:    "the schedule names this Forecast, so it is one of its invalid schedules",
		schedules: []v1alpha1.PeakSchedule{declare("a", naming("web"), selectingBadly)},
		want:      []string{"invalid schedule: PeakSchedule a: " + badSelector},
	},
	"Calendar": {
		reason:    "the schedule's Calendar exists and is valid",
		schedules: []v1alpha1.PeakSchedule{declare("a", naming("web"), except("off"))},
		calendars: []v1alpha1.Calendar{calendarOf("other", "2026-02-17"), validOff},
		want:      []string{"schedule a"},
	},
	"InvalidCalendarOfNobody": {
		reason:    "an invalid Calendar that no schedule of this Forecast uses changes nothing",
		schedules: []v1alpha1.PeakSchedule{declare("a", naming("web")), declare("b", naming("db"), except("off"))},
		calendars: []v1alpha1.Calendar{invalidOff},
		want:      []string{"schedule a"},
	},
	"InvalidCalendarOfASchedule": {
		reason:    "the schedule is left out, and the error says why the Calendar is invalid",
		schedules: []v1alpha1.PeakSchedule{declare("a", naming("web"), except("off")), declare("b", naming("web"))},
		calendars: []v1alpha1.Calendar{invalidOff},
		want:      []string{"schedule b", "invalid schedule: PeakSchedule a: " + noCalendar + "\n" + badDay},
	},
	"MissingCalendarOfASchedule": {
		reason:    "a Calendar that does not exist leaves the schedule out too",
		schedules: []v1alpha1.PeakSchedule{declare("a", naming("web"), except("off"))},
		want:      []string{"invalid schedule: PeakSchedule a: " + noCalendar},
	},
	"Learned": {
		reason:    "the Calendars that the forecast learns from, and no others",
		learned:   []string{"off"},
		calendars: []v1alpha1.Calendar{validOff, calendarOf("other", "2026-02-17")},
		want:      []string{"calendar off"},
	},
	"LearnedInvalid": {
		reason:    "it is left out, the others count",
		learned:   []string{"off", "sale"},
		calendars: []v1alpha1.Calendar{calendarOf("sale", "2026-11-27"), invalidOff},
		want:      []string{"calendar sale", "invalid calendar: " + badDay},
	},
	"LearnedMissing": {
		reason:    "it is left out, the others count",
		learned:   []string{"off", "sale"},
		calendars: []v1alpha1.Calendar{calendarOf("sale", "2026-11-27")},
		want: []string{
			"calendar sale",
			`invalid calendar: calendar "off" does not exist: create it, or remove its name`,
		},
	},
}

func TestSelect(t *testing.T) {
	for name, tc := range selections {
		t.Run(name, func(t *testing.T) {
			given := fmt.Sprint(tc.schedules)
			got := summary(NewCache().Select(webForecast, tc.learned, tc.schedules, tc.calendars))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\nReason: %s\n-want, +got\n%s", tc.reason, diff)
			}
			if fmt.Sprint(tc.schedules) != given {
				t.Errorf("the list of schedules was changed")
			}
			// The Calendars that CalendarNames returns are enough for the same result.
			names := CalendarNames(tc.learned, tc.schedules)
			needed := slices.DeleteFunc(slices.Clone(tc.calendars), func(cal v1alpha1.Calendar) bool {
				return !slices.Contains(names, cal.Name)
			})
			if diff := cmp.Diff(tc.want, summary(NewCache().Select(webForecast, tc.learned, tc.schedules, needed))); diff != "" {
				t.Errorf("\nReason: %s\nwith the needed Calendars alone: -want, +got\n%s", tc.reason, diff)
			}
		})
	}
}

// TestSelectVersions changes one object after the other. A version must change when an object
// behind it changes, and the compiled result must follow. An unchanged object must not be compiled
// again.
func TestSelectVersions(t *testing.T) {
	cache := NewCache()
	schedules := []v1alpha1.PeakSchedule{declare("a", naming("web"), except("off")), declare("b", naming("db"))}
	calendars := []v1alpha1.Calendar{calendarOf("off", "2026-02-17"), calendarOf("sale", "2026-11-27")}
	learned := []string{"sale"}
	before := cache.Select(webForecast, learned, schedules, calendars)
	if same := cache.Select(webForecast, learned, schedules, calendars); same.Schedules[0] != before.Schedules[0] ||
		same.Calendars["sale"] != before.Calendars["sale"] {
		t.Error("unchanged objects are compiled again")
	}
	steps := []struct {
		reason string
		change func()
		want   string // which versions change
	}{
		{"nothing changes", func() {}, ""},
		{"a schedule of another Forecast", func() { schedules[1].Generation++ }, ""},
		{"the schedule", func() { schedules[0].Generation++ }, "schedules"},
		{"the schedule, created again", func() { schedules[0].UID = "another" }, "schedules"},
		{"its Calendar", func() { calendars[0].Generation++ }, "schedules"},
		{"the learned Calendar", func() { calendars[1].Generation++ }, "calendars"},
		{"its Calendar is deleted", func() { calendars = calendars[1:] }, "schedules"},
		{
			"its Calendar is created again",
			func() { calendars = append(calendars, calendarOf("off", "2026-02-18")) }, "schedules",
		},
		{"the learned Calendar is deleted", func() { calendars = calendars[1:] }, "calendars"},
		{"another schedule selects it", func() { selecting("tier", "front")(&schedules[1]) }, "schedules"},
	}
	for _, step := range steps {
		step.change()
		after := cache.Select(webForecast, learned, schedules, calendars)
		var changed []string
		if after.SchedulesVersion != before.SchedulesVersion {
			changed = append(changed, "schedules")
		}
		if after.CalendarsVersion != before.CalendarsVersion {
			changed = append(changed, "calendars")
		}
		if diff := cmp.Diff(step.want, strings.Join(changed, " ")); diff != "" {
			t.Errorf("%s: changed versions: -want, +got\n%s", step.reason, diff)
		}
		fresh := NewCache().Select(webForecast, learned, schedules, calendars)
		if diff := cmp.Diff(summary(fresh), summary(after)); diff != "" {
			t.Errorf("%s: -fresh cache, +this cache\n%s", step.reason, diff)
		}
		before = after
	}
}

// TestCacheForgets proves that a deleted object takes no memory.
func TestCacheForgets(t *testing.T) {
	cache := NewCache()
	ps, cal := declare("a", except("off")), calendarOf("off", "2026-02-17")
	if _, err := cache.Schedule(&ps, []v1alpha1.Calendar{cal}); err != nil {
		t.Fatal(err)
	}
	cache.ForgetSchedule(types.NamespacedName{Namespace: "shop", Name: "a"})
	cache.ForgetCalendar("off")
	if n := len(cache.schedules) + len(cache.calendars); n != 0 {
		t.Errorf("%d results are kept", n)
	}
}

// The windows of one Forecast are bounded together: what is beyond is left out and named.
func TestMaxWindows(t *testing.T) {
	with := func(n int) func(*v1alpha1.PeakSchedule) {
		return func(ps *v1alpha1.PeakSchedule) {
			for i := 1; i < n; i++ {
				w := ps.Spec.Windows[0]
				w.Name = fmt.Sprint("w", i)
				ps.Spec.Windows = append(ps.Spec.Windows, w)
			}
		}
	}
	suspended := func(ps *v1alpha1.PeakSchedule) { ps.Spec.State = v1alpha1.PeakScheduleSuspended }
	var list []v1alpha1.PeakSchedule
	for i := range MaxWindows / 64 {
		list = append(list, declare(fmt.Sprint("a", i), naming("fc"), with(64)))
	}
	list = append(list, declare("b", naming("fc"), with(64), suspended), declare("c", naming("fc")))
	fc := &v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "fc"}}
	got := NewCache().Select(fc, nil, list, nil)
	if len(got.Schedules) != MaxWindows/64+1 || len(got.InvalidSchedules) != 1 {
		t.Fatalf("%d schedules, invalid: %v", len(got.Schedules), got.InvalidSchedules)
	}
	if err := got.InvalidSchedules[0].Error(); !strings.Contains(err, "PeakSchedule c: its 1 windows and the 256") {
		t.Errorf("got %s", err)
	}
	got = NewCache().Select(fc, nil, append([]v1alpha1.PeakSchedule{declare("0", naming("fc"))}, list[1:]...), nil)
	if len(got.InvalidSchedules) > 0 {
		t.Errorf("got %v, although %d windows are few enough", got.InvalidSchedules, MaxWindows-62)
	}
}
