package report

import (
	"math"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/history"
)

func TestAbsurdRowsAreGapsAndNamed(t *testing.T) {
	values := make([]float64, 1000)
	for i := range values {
		values[i] = 100 + float64(i%50)
	}
	values[700] = 2e7
	o := Options{Series: history.Series{
		Start: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Step: 5 * time.Minute,
		Values: values,
	}}
	notes := o.leaveOutAbsurd()
	if len(notes) != 1 || !strings.Contains(notes[0], "2026-03-04T10:20:00Z (2e+07)") {
		t.Errorf("notes %q do not name the row", notes)
	}
	if !math.IsNaN(o.Series.Values[700]) || values[700] != 2e7 {
		t.Errorf("the row is %v in the replay and %v in the input", o.Series.Values[700], values[700])
	}
	values[700] = 1050
	o.Series.Values = values
	if notes := o.leaveOutAbsurd(); notes != nil || &o.Series.Values[0] != &values[0] {
		t.Errorf("sevenfold demand is not left alone: %q", notes)
	}
}
