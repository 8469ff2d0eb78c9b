package scheduler

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
)

// TestErrorsNameFieldValueAndRemedy compares whole messages.
func TestErrorsNameFieldValueAndRemedy(t *testing.T) {
	_, err := Compile("s", v1alpha1.PeakScheduleSpec{
		ForecastSelector: &metav1.LabelSelector{}, TimeZone: "Europe/Berlim", State: "Off",
		Windows: []v1alpha1.PeakWindow{
			{Name: "a", Schedule: "0 0 31 2 *", Duration: "0s", Demand: atLeast("1")},
			{Name: "a", Start: "2026-02-30T00:00", Duration: "1h", Demand: v1alpha1.PeakDemand{}},
		},
		Only: &v1alpha1.Days{Calendars: []string{"gone"}},
	}, nil)
	if err == nil {
		t.Fatal("it is accepted")
	}
	want := []string{
		`spec.state "Off": write Active or Suspended`,
		`spec.timeZone: unknown time zone "Europe/Berlim": name an IANA zone such as Europe/Berlin or UTC`,
		`spec.only.calendars[0] "gone": there is no Calendar of this name that can be evaluated: ` +
			`create or repair it, or remove it here`,
		`spec.windows[0].schedule "0 0 31 2 *": it never fires, because none of its months has such a day: ` +
			`name a day that exists`,
		`spec.windows[0].duration "0s": a window needs a duration above 0: write for example 2h`,
		`spec.windows[1].name "a": another window has this name: give each its own`,
		`spec.windows[1].start "2026-02-30T00:00": there is no such date and time: ` +
			`write YYYY-MM-DDTHH:MM on the wall clock of spec.timeZone, without an offset, such as 2026-11-11T00:00`,
		`spec.windows[1].demand: it has 0 statements: give exactly one of atLeast, add, multiply, replicas and atMost`,
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
}

// TestRefusesWhatTheAPIServerRefuses checks the limits of the CRDs for files that are evaluated
// without an API server.
func TestRefusesWhatTheAPIServerRefuses(t *testing.T) {
	window := func(change func(*v1alpha1.PeakWindow)) v1alpha1.PeakScheduleSpec {
		w := v1alpha1.PeakWindow{Name: "a", Schedule: "0 12 * * *", Duration: "1h", Demand: atLeast("1")}
		change(&w)
		return v1alpha1.PeakScheduleSpec{TimeZone: "UTC", Windows: []v1alpha1.PeakWindow{w}}
	}
	except := func(days v1alpha1.Days) v1alpha1.PeakScheduleSpec {
		spec := window(func(*v1alpha1.PeakWindow) {})
		spec.Except = &days
		return spec
	}
	tests := map[string]struct {
		reason string
		spec   v1alpha1.PeakScheduleSpec
		want   string
	}{
		"ControlCharacter": {
			"a terminal would take it for a command",
			window(func(w *v1alpha1.PeakWindow) { w.Name = "\x1b[31m" }),
			`spec.windows[0].name "\x1b[31m": write up to 63`,
		},
		"CapitalLetter": {
			"no name in Kubernetes has one", window(func(w *v1alpha1.PeakWindow) { w.Name = "Noon" }),
			`spec.windows[0].name "Noon": write up to 63`,
		},
		"LongName": {
			"64 characters", window(func(w *v1alpha1.PeakWindow) { w.Name = strings.Repeat("a", 64) }),
			"write up to 63",
		},
		"LongCron": {
			"one minute after the other",
			window(func(w *v1alpha1.PeakWindow) { w.Schedule = strings.Repeat("1,", 100) + "1 * * * *" }),
			"it has 209 characters: write at most 128",
		},
		"ManyDates": {
			"a year has 366", except(v1alpha1.Days{Dates: make([]string, 367)}),
			"spec.except: 367 dates and 0 calendars",
		},
		"ManyCalendars": {
			"eight will do", except(v1alpha1.Days{Calendars: make([]string, 9)}),
			"spec.except: 0 dates and 9 calendars",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := Compile("s", tc.spec, nil); err == nil || !strings.Contains(err.Error(), tc.want) ||
				strings.Contains(err.Error(), "\n") {
				t.Errorf("\nReason: %s\ngot %v, want %q alone", tc.reason, err, tc.want)
			}
		})
	}
	day := v1alpha1.CalendarDay{Name: "a", Dates: make([]string, maxDatesOfDay+1)}
	if _, err := CompileCalendar("c", v1alpha1.CalendarSpec{Days: []v1alpha1.CalendarDay{day}}); err == nil ||
		!strings.Contains(err.Error(), "spec.days[0].dates: 65 dates") {
		t.Errorf("65 dates of one day: got %v", err)
	}
}
