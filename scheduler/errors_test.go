package scheduler

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
)

// TestErrorsNameFieldValueAndRemedy reads the messages as a user does.
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
		`spec.only.calendars[0] "gone": there is no Calendar of this name that can be evaluated: create or repair it, or remove it here`,
		`spec.windows[0].schedule "0 0 31 2 *": it never fires, for none of its months has such a day: name a day that exists`,
		`spec.windows[0].duration "0s": a window must last: write a duration above 0, such as 2h`,
		`spec.windows[1].name "a": another window has this name: give each its own`,
		`spec.windows[1].start "2026-02-30T00:00": it is not a date and time that exist: write YYYY-MM-DDTHH:MM in the wall clock of spec.timeZone, without an offset, such as 2026-11-11T00:00`,
		`spec.windows[1].demand: it makes 0 statements: give exactly one of atLeast, add, multiply, replicas and atMost`,
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
}
