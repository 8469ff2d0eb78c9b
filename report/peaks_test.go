package report

import (
	_ "embed" // the file of peaks
	"strings"
	"testing"
	"time"
)

// noonYAML is a Calendar and a PeakSchedule that it interrupts.
//
//go:embed testdata/noon.yaml
var noonYAML string

func TestReadPeaks(t *testing.T) {
	p, err := ReadPeaks(strings.NewReader(noonYAML))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Schedules) != 1 || len(p.Calendars) != 1 {
		t.Fatalf("got %d schedules and %d calendars", len(p.Schedules), len(p.Calendars))
	}
	noon := func(day int) float64 {
		return p.Schedules[0].At(time.Date(2026, 3, day, 12, 30, 0, 0, time.UTC)).AtLeast
	}
	if noon(9) != 400 || noon(10) != 0 {
		t.Errorf("at least %v on the 9th and %v on the day off", noon(9), noon(10))
	}
}

func TestReadPeaksRefuses(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"Nothing":  {"# nothing\n", "no PeakSchedule"},
		"NotYAML":  {"a: [\n", "document 1"},
		"Group":    {strings.ReplaceAll(noonYAML, "v1alpha1", "v1"), "headstart.dev/v1alpha1"},
		"Kind":     {"apiVersion: headstart.dev/v1alpha1\nkind: Forecast\n", "no PeakSchedule"},
		"Field":    {strings.Replace(noonYAML, "duration:", "lasts:", 1), "lasts"},
		"Cron":     {strings.Replace(noonYAML, "0 12 * * *", "0 0 12 * * *", 1), "noon"},
		"Zone":     {strings.Replace(noonYAML, "timeZone: UTC", "timeZone: Mars/Olympus", 1), "Mars/Olympus"},
		"Calendar": {strings.Replace(noonYAML, "calendars: [days-off]", "calendars: [none]", 1), "none"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := ReadPeaks(strings.NewReader(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}
