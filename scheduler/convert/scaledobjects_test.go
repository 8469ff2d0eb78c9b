package convert

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/robfig/cron/v3"

	"headstart.dev/headstart/scheduler"
	"headstart.dev/headstart/scheduler/manifest"
)

// lastEnd is why a converted ScaledObject differs from what KEDA does.
const lastEnd = "the end matches on more days than the start: KEDA stays active until the last end before " +
	"the next start"

// differing are the ScaledObjects that do not do what KEDA does in every minute of 2026, beside an
// hour where clocks change, with the reason and the number of minutes.
var differing = map[string]struct {
	reason  string
	minutes int
}{
	"late-end": {lastEnd, 50 * 48 * 60},
	// From the last end in December to the first one in November, and from 1 to 25 December.
	"november-nights": {lastEnd, 297*day + 2*60 + 24*day - 2*60},
}

// TestScaledObjects converts ScaledObjects as people write them, and compares them with KEDA over a
// year.
func TestScaledObjects(t *testing.T) {
	file, err := os.Open(filepath.Join("testdata", "scaledobjects.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	objects, err := manifest.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) < 30 {
		t.Fatalf("%d ScaledObjects, want at least 30", len(objects))
	}
	for _, object := range objects {
		t.Run(object.Name, func(t *testing.T) {
			result, err := Convert([]manifest.Object{object}, Options{Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
			if err != nil {
				t.Fatal(err)
			}
			var in struct {
				Spec kedaSpec `json:"spec"`
			}
			if err := json.Unmarshal(object.Raw, &in); err != nil {
				t.Fatal(err)
			}
			want := differing[object.Name]
			if got := kedaYear(t, in.Spec).differs(t, compiledSchedules(t, result)); got != want.minutes {
				t.Errorf("%d minutes differ, want %d %s", got, want.minutes, want.reason)
			}
		})
	}
}

// scaledYear is how many replicas KEDA's cron triggers want in every minute of 2026. Where nothing is
// active, idle replicas run.
type scaledYear struct {
	year              year
	idle, least, most float64
	replicas          []float64
	zones             []*time.Location
}

// kedaYear does what KEDA does with the cron triggers of a ScaledObject.
func kedaYear(t *testing.T, spec kedaSpec) scaledYear {
	t.Helper()
	all := yearIn(t, "UTC")
	minutes := len(all.at)
	for range minutes { // what KEDA does depends on the year after
		all.at = append(all.at, all.at[len(all.at)-1].Add(time.Minute))
	}
	y := scaledYear{
		year: year{all.at[:minutes]}, least: float64(valueOr(spec.MinReplicaCount, 0)),
		most: float64(valueOr(spec.MaxReplicaCount, 100)),
	}
	y.idle = y.least
	if spec.IdleReplicaCount != nil {
		y.idle = float64(*spec.IdleReplicaCount)
	}
	y.replicas = make([]float64, len(y.year.at))
	for _, trigger := range spec.Triggers {
		if trigger.Type != "cron" {
			continue
		}
		zone, err := time.LoadLocation(string(trigger.Metadata["timezone"]))
		if err != nil {
			t.Fatal(err)
		}
		desired, err := wholeNumber(string(trigger.Metadata["desiredReplicas"]))
		if err != nil {
			t.Fatal(err)
		}
		y.zones = append(y.zones, zone)
		active := betweenNext(all.matches(t, string(trigger.Metadata["start"]), zone),
			all.matches(t, string(trigger.Metadata["end"]), zone))
		for i, is := range active[:minutes] {
			if is {
				y.replicas[i] = math.Max(y.replicas[i], float64(desired))
			}
		}
	}
	return y
}

// matches reports, for every minute, whether a cron expression matches on the clock of a zone.
func (y year) matches(t *testing.T, expression string, zone *time.Location) []bool {
	t.Helper()
	parsed, err := cron.ParseStandard(expression)
	if err != nil {
		t.Fatal(err)
	}
	spec := parsed.(*cron.SpecSchedule)
	const star = 1 << 63
	out := make([]bool, len(y.at))
	for i, at := range y.at {
		at = at.In(zone)
		day, weekday := spec.Dom>>at.Day()&1 == 1, spec.Dow>>int(at.Weekday())&1 == 1
		onDay := day && weekday
		if spec.Dom&star == 0 && spec.Dow&star == 0 {
			onDay = day || weekday
		}
		out[i] = onDay && spec.Minute>>at.Minute()&1 == 1 && spec.Hour>>at.Hour()&1 == 1 && spec.Month>>int(at.Month())&1 == 1
	}
	return out
}

// differs returns in how many minutes schedules want other replicas. It leaves out the day after a
// clock change, and the first and the last week, because the model does not know what is beyond.
func (y scaledYear) differs(t *testing.T, schedules []*scheduler.Schedule) int {
	t.Helper()
	const margin = 7 * 24 * 60
	n := 0
	within := func(v float64) float64 {
		if v == 0 { // neither a cron trigger nor that of the Forecast is active
			return y.idle
		}
		return math.Min(y.most, math.Max(y.least, v))
	}
	for i := margin; i < len(y.year.at)-margin; i++ {
		at := y.year.at[i]
		demand := scheduler.Neutral()
		for _, s := range schedules {
			demand = demand.And(s.At(at))
		}
		got, want := within(math.Max(demand.Replicas, demand.AtLeast)), within(y.replicas[i])
		if got == want || y.clockChanged(at) {
			continue
		}
		if n++; n <= 3 {
			t.Logf("at %s: %v, KEDA %v", at, got, want)
		}
	}
	return n
}

// clockChanged reports whether a clock changed in the day before.
func (y scaledYear) clockChanged(at time.Time) bool {
	for _, zone := range y.zones {
		_, now := at.In(zone).Zone()
		if _, before := at.Add(-24 * time.Hour).In(zone).Zone(); now != before {
			return true
		}
	}
	return false
}
