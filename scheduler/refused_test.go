package scheduler

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	kubejson "k8s.io/apimachinery/pkg/util/json" // whole numbers stay whole
	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/api/v1alpha1"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// invalidObject is an object with one bad field. Either the API server refuses it, or, where the
// API server cannot know, a condition names the field.
type invalidObject struct {
	Name      string         `json:"name"`
	RefusedBy string         `json:"refusedBy"` // byServer or byCondition
	Message   string         `json:"message"`   // words that the refusal or the condition must contain
	Object    map[string]any `json:"object"`
}

const (
	byServer    = "APIServer"
	byCondition = "Condition"
)

// invalidFields lists every bad field of a PeakSchedule and a Calendar. json is a merge patch; at
// says what it is merged into: the spec of a valid object, or its first window or day.
var invalidFields = []struct{ name, kind, at, json, by, says string }{
	{"NoForecasts", "PeakSchedule", "spec", `{"forecastRefs": null}`, byServer, "select Forecasts by forecastRefs"},
	{"ForecastNameEmpty", "PeakSchedule", "spec", `{"forecastRefs": [{"name": ""}]}`, byServer, "forecastRefs[0].name"},
	{
		"SelectorOperator", "PeakSchedule", "spec",
		`{"forecastSelector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}}`,
		byCondition, "spec.forecastSelector",
	},
	{"ZoneMissing", "PeakSchedule", "spec", `{"timeZone": null}`, byServer, "timeZone"},
	{"ZoneEmpty", "PeakSchedule", "spec", `{"timeZone": ""}`, byServer, "timeZone"},
	{"ZoneLocal", "PeakSchedule", "spec", `{"timeZone": "Local"}`, byServer, "Local depends on the machine"},
	{"ZoneOffset", "PeakSchedule", "spec", `{"timeZone": "+08:00"}`, byServer, "timeZone"},
	{"ZoneUnknown", "PeakSchedule", "spec", `{"timeZone": "Europe/Berlim"}`, byCondition, "Europe/Berlim"},
	{"ZoneOfTheMachine", "PeakSchedule", "spec", `{"timeZone": "localtime"}`, byCondition, "depends on the machine"},
	{"ZoneWithLeapSeconds", "PeakSchedule", "spec", `{"timeZone": "right/UTC"}`, byCondition, "depends on the machine"},
	{"ZonePath", "PeakSchedule", "spec", `{"timeZone": "../../etc/passwd"}`, byServer, "timeZone"},
	{"State", "PeakSchedule", "spec", `{"state": "Off"}`, byServer, "spec.state"},
	{"NoWindows", "PeakSchedule", "spec", `{"windows": []}`, byServer, "spec.windows"},
	{"TooManyWindows", "PeakSchedule", "spec", manyWindows(65), byServer, "spec.windows"},
	{"SameName", "PeakSchedule", "spec", manyWindows(2, "same"), byServer, "Duplicate"},
	{"NameEmpty", "PeakSchedule", "window", `{"name": ""}`, byServer, "name"},
	{"NameUpperCase", "PeakSchedule", "window", `{"name": "Noon"}`, byServer, "name"},
	{"NeitherScheduleNorStart", "PeakSchedule", "window", `{"schedule": null}`, byServer, "exactly one of schedule"},
	{
		"ScheduleAndStart", "PeakSchedule", "window",
		`{"start": "2026-11-11T00:00"}`,
		byServer, "exactly one of schedule",
	},
	{"CronSixFields", "PeakSchedule", "window", `{"schedule": "0 0 12 * * 1-5"}`, byServer, "five cron fields"},
	{"CronFourFields", "PeakSchedule", "window", `{"schedule": "0 12 * *"}`, byServer, "five cron fields"},
	{"CronMacro", "PeakSchedule", "window", `{"schedule": "@daily"}`, byServer, "macros"},
	{"CronEvery", "PeakSchedule", "window", `{"schedule": "@every 1h"}`, byServer, "macros"},
	{"CronZone", "PeakSchedule", "window", `{"schedule": "TZ=UTC 0 12 * * *"}`, byServer, "TZ="},
	{"CronZoneAlone", "PeakSchedule", "window", `{"schedule": "TZ=UTC"}`, byServer, "TZ="},
	{"CronPlus", "PeakSchedule", "window", `{"schedule": "+5 12 * * *"}`, byServer, "five cron fields"},
	{"CronMinute60", "PeakSchedule", "window", `{"schedule": "60 12 * * *"}`, byCondition, "minutes go from 0 to 59"},
	{"CronHour24", "PeakSchedule", "window", `{"schedule": "0 24 * * *"}`, byCondition, "hours from 0 to 23"},
	{"CronDay0", "PeakSchedule", "window", `{"schedule": "0 0 0 * *"}`, byCondition, "days from 1 to 31"},
	{"CronMonth13", "PeakSchedule", "window", `{"schedule": "0 0 1 13 *"}`, byCondition, "months from 1 to 12"},
	{"CronWeekday8", "PeakSchedule", "window", `{"schedule": "0 0 * * 8"}`, byCondition, "weekdays from 0 to 7"},
	{"CronRangeBackwards", "PeakSchedule", "window", `{"schedule": "0 0 * * 5-1"}`, byCondition, "beyond end of range"},
	{"CronStep0", "PeakSchedule", "window", `{"schedule": "*/0 * * * *"}`, byCondition, "positive"},
	{"CronWord", "PeakSchedule", "window", `{"schedule": "0 0 * * weekdays"}`, byCondition, "weekdays"},
	{"CronStrayComma", "PeakSchedule", "window", `{"schedule": "0,,5 0 * * *"}`, byCondition, "stray comma"},
	{"CronCommaOnly", "PeakSchedule", "window", `{"schedule": ", 0 * * *"}`, byCondition, "stray comma"},
	{"CronStarRange", "PeakSchedule", "window", `{"schedule": "*-5 0 * * *"}`, byCondition, "not a range"},
	{"CronNever", "PeakSchedule", "window", `{"schedule": "0 0 31 2 *"}`, byCondition, "never fires"},
	{
		"CronNeverInShortMonths", "PeakSchedule", "window",
		`{"schedule": "0 0 31 2,4,6,9,11 *"}`,
		byCondition, "never fires",
	},
	{"StartOffset", "PeakSchedule", "window", `{"schedule": null, "start": "2026-11-11T00:00Z"}`, byServer, "start"},
	{
		"StartNoSuchDay", "PeakSchedule", "window",
		`{"schedule": null, "start": "2026-02-30T00:00"}`,
		byCondition, "2026-02-30T00:00",
	},
	{
		"StartHour24", "PeakSchedule", "window",
		`{"schedule": null, "start": "2026-11-11T24:00"}`,
		byCondition, "YYYY-MM-DDTHH:MM",
	},
	{
		"StartTooEarly", "PeakSchedule", "window",
		`{"schedule": null, "start": "1969-12-31T00:00"}`,
		byCondition, "years from 1970",
	},
	{"DurationMissing", "PeakSchedule", "window", `{"duration": null}`, byServer, "duration"},
	{"DurationUnit", "PeakSchedule", "window", `{"duration": "2 hours"}`, byServer, "duration"},
	{"DurationNegative", "PeakSchedule", "window", `{"duration": "-2h"}`, byServer, "duration"},
	{"DurationOrder", "PeakSchedule", "window", `{"duration": "30m2h"}`, byServer, "duration"},
	{"DurationZero", "PeakSchedule", "window", `{"duration": "0s"}`, byCondition, "above 0"},
	{"DurationTooLong", "PeakSchedule", "window", `{"duration": "11y"}`, byCondition, "longer than"},
	{"DurationOverflow", "PeakSchedule", "window", `{"duration": "99999999999999y"}`, byCondition, "too long"},
	{"RampUpUnit", "PeakSchedule", "window", `{"rampUp": "soon"}`, byServer, "rampUp"},
	{"RampUpTooLong", "PeakSchedule", "window", `{"rampUp": "11y"}`, byCondition, "longer than"},
	{"RampDownUnit", "PeakSchedule", "window", `{"rampDown": "soon"}`, byServer, "rampDown"},
	{
		"RampOfMaximum", "PeakSchedule", "window",
		`{"demand": {"atLeast": null, "atMost": "5"}, "rampUp": "5m"}`,
		byCondition, "has no ramp",
	},
	{"DemandMissing", "PeakSchedule", "window", `{"demand": null}`, byServer, "demand"},
	{"DemandEmpty", "PeakSchedule", "window", `{"demand": {"atLeast": null}}`, byServer, "exactly one of atLeast"},
	{"DemandTwice", "PeakSchedule", "window", `{"demand": {"add": "5"}}`, byServer, "exactly one of atLeast"},
	{
		"AtLeastNegative", "PeakSchedule", "window",
		`{"demand": {"atLeast": "-1"}}`,
		byServer, "atLeast must not be below 0",
	},
	{"AtLeastExponent", "PeakSchedule", "window", `{"demand": {"atLeast": "1e-200"}}`, byServer, "atLeast"},
	{"AtLeastWord", "PeakSchedule", "window", `{"demand": {"atLeast": "much"}}`, byServer, "atLeast"},
	{
		"AddNegative", "PeakSchedule", "window",
		`{"demand": {"atLeast": null, "add": "-1"}}`,
		byServer, "add must not be below 0",
	},
	{
		"AtMostNegative", "PeakSchedule", "window",
		`{"demand": {"atLeast": null, "atMost": "-1"}}`,
		byServer, "atMost must not be below 0",
	},
	{
		"MultiplyZero", "PeakSchedule", "window",
		`{"demand": {"atLeast": null, "multiply": "0"}}`,
		byServer, "multiply must be above 0",
	},
	{
		"MultiplyNegative", "PeakSchedule", "window",
		`{"demand": {"atLeast": null, "multiply": "-3"}}`,
		byServer, "multiply",
	},
	{
		"MultiplyTooLarge", "PeakSchedule", "window",
		`{"demand": {"atLeast": null, "multiply": "1001"}}`,
		byServer, "at most 1000",
	},
	{
		"MultiplyWord", "PeakSchedule", "window",
		`{"demand": {"atLeast": null, "multiply": "three"}}`,
		byServer, "multiply",
	},
	{
		"ReplicasNegative", "PeakSchedule", "window",
		`{"demand": {"atLeast": null, "replicas": -1}}`,
		byServer, "replicas",
	},
	{
		"ReplicasTooMany", "PeakSchedule", "window",
		`{"demand": {"atLeast": null, "replicas": 100001}}`,
		byServer, "replicas",
	},
	{"ExceptEmpty", "PeakSchedule", "spec", `{"except": {}}`, byServer, "give dates or calendars"},
	{"ExceptNoDay", "PeakSchedule", "spec", `{"except": {"dates": []}}`, byCondition, "names no day"},
	{"OnlyNoDay", "PeakSchedule", "spec", `{"only": {"calendars": []}}`, byCondition, "names no day"},
	{"DateForm", "PeakSchedule", "spec", `{"except": {"dates": ["11/11/2026"]}}`, byServer, "dates[0]"},
	{
		"DateNoSuchDay", "PeakSchedule", "spec",
		`{"except": {"dates": ["2026-02-29"]}}`,
		byCondition, "spec.except.dates[0]",
	},
	{
		"DateRangeBackwards", "PeakSchedule", "spec",
		`{"only": {"dates": ["2026-10-07/2026-10-01"]}}`,
		byCondition, "ends before it begins",
	},
	{"DateYear", "PeakSchedule", "spec", `{"only": {"dates": ["2500-01-01"]}}`, byCondition, "out of range"},
	{
		"CalendarUnknown", "PeakSchedule", "spec",
		`{"except": {"calendars": ["cn-holidays"]}}`,
		byCondition, "no Calendar of this name",
	},
	{"CalendarNoDays", "Calendar", "spec", `{"days": []}`, byServer, "spec.days"},
	{"CalendarNameEmpty", "Calendar", "day", `{"name": ""}`, byServer, "name"},
	{"CalendarNeither", "Calendar", "day", `{"yearly": null}`, byServer, "exactly one of dates and yearly"},
	{"CalendarBoth", "Calendar", "day", `{"dates": ["2026-02-17"]}`, byServer, "exactly one of dates and yearly"},
	{
		"CalendarDatesEmpty", "Calendar", "day",
		`{"dates": [], "yearly": null}`,
		byCondition, "exactly one of dates and yearly",
	},
	{"CalendarDateForm", "Calendar", "day", `{"dates": ["17.2.2026"], "yearly": null}`, byServer, "dates[0]"},
	{
		"CalendarDateNoSuchDay", "Calendar", "day",
		`{"dates": ["2026-02-30"], "yearly": null}`,
		byCondition, "spec.days[0].dates[0]",
	},
	{"CalendarMonth", "Calendar", "day", `{"yearly": {"month": 13}}`, byServer, "month"},
	{"CalendarDay32", "Calendar", "day", `{"yearly": {"day": 32}}`, byServer, "day"},
	{"CalendarFebruary30", "Calendar", "day", `{"yearly": {"month": 2, "day": 30}}`, byCondition, "no such day"},
	{
		"CalendarDayAndWeekday", "Calendar", "day",
		`{"yearly": {"weekday": "Monday", "nth": 1}}`,
		byServer, "give day, or weekday together with nth",
	},
	{
		"CalendarWeekdayAlone", "Calendar", "day",
		`{"yearly": {"day": null, "weekday": "Monday"}}`,
		byServer, "weekday and nth go together",
	},
	{"CalendarNthAlone", "Calendar", "day", `{"yearly": {"nth": 1}}`, byServer, "weekday and nth go together"},
	{
		"CalendarWeekdayShort", "Calendar", "day",
		`{"yearly": {"day": null, "weekday": "Mon", "nth": 1}}`,
		byServer, "weekday",
	},
	{"CalendarNth6", "Calendar", "day", `{"yearly": {"day": null, "weekday": "Monday", "nth": 6}}`, byServer, "nth"},
	{
		"CalendarNothingYearly", "Calendar", "day",
		`{"yearly": {"day": null}}`,
		byServer, "give day, or weekday together with nth",
	},
}

// manyWindows returns a patch with n windows, which all have the given name or each its own.
func manyWindows(n int, name ...string) string {
	var windows []string
	for i := range n {
		called := "w" + string(rune('a'+i/26)) + string(rune('a'+i%26))
		if len(name) > 0 {
			called = name[0]
		}
		windows = append(windows,
			`{"name": "`+called+`", "schedule": "0 12 * * *", "duration": "2h", "demand": {"atLeast": "5"}}`)
	}
	return `{"windows": [` + strings.Join(windows, ",") + `]}`
}

// validObject returns a valid object of a kind.
func validObject(t *testing.T, kind string) map[string]any {
	t.Helper()
	text := map[string]string{
		"PeakSchedule": `{"apiVersion": "headstart.dev/v1alpha1", "kind": "PeakSchedule",
			"metadata": {"name": "good", "namespace": "default"}, "spec": {
			"forecastRefs": [{"name": "face-fusion"}], "timeZone": "Asia/Shanghai", "state": "Active",
			"windows": [{"name": "noon", "schedule": "0 12 * * 1-5", "duration": "2h", "demand": {"atLeast": "1200"}}]}}`,
		"Calendar": `{"apiVersion": "headstart.dev/v1alpha1", "kind": "Calendar", "metadata": {"name": "good"}, "spec": {
			"days": [{"name": "new-year", "yearly": {"month": 1, "day": 1}}]}}`,
	}[kind]
	var object map[string]any
	if err := kubejson.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	return object
}

// merge applies a JSON merge patch to target.
func merge(target, patch map[string]any) {
	for key, value := range patch {
		inner, isMap := value.(map[string]any)
		old, wasMap := target[key].(map[string]any)
		switch {
		case value == nil:
			delete(target, key)
		case isMap && wasMap:
			merge(old, inner)
		default:
			target[key] = value
		}
	}
}

// invalidObjects builds an object for every entry of invalidFields.
func invalidObjects(t *testing.T) []invalidObject {
	t.Helper()
	var all []invalidObject
	for _, tc := range invalidFields {
		object := validObject(t, tc.kind)
		var patch map[string]any
		if err := kubejson.Unmarshal([]byte(tc.json), &patch); err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		target, _ := object["spec"].(map[string]any)
		for where, list := range map[string]string{"window": "windows", "day": "days"} {
			if tc.at == where {
				items, _ := target[list].([]any)
				target, _ = items[0].(map[string]any)
			}
		}
		merge(target, patch)
		object["metadata"].(map[string]any)["name"] = strings.ToLower(tc.name)
		all = append(all, invalidObject{Name: tc.name, RefusedBy: tc.by, Message: tc.says, Object: object})
	}
	return all
}

// conditionMessage returns the message that a condition would carry; empty when the object is
// valid.
func conditionMessage(t *testing.T, object map[string]any) string {
	t.Helper()
	text, err := json.Marshal(object["spec"])
	if err != nil {
		t.Fatal(err)
	}
	if object["kind"] == "Calendar" {
		var spec v1alpha1.CalendarSpec
		if err := json.Unmarshal(text, &spec); err != nil {
			t.Fatal(err)
		}
		_, err = CompileCalendar("c", spec)
	} else {
		var spec v1alpha1.PeakScheduleSpec
		if err := json.Unmarshal(text, &spec); err != nil {
			t.Fatal(err)
		}
		_, err = Compile("s", spec, nil)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// TestInvalidFieldsAreRefused checks the messages of the fields that the API server cannot check.
// The golden file carries all the objects to the tests of the CRDs (test/crds), which ask the API
// server's own validation, and to the end-to-end tests (test/e2e/kinds), which ask a running API
// server.
func TestInvalidFieldsAreRefused(t *testing.T) {
	for _, kind := range []string{"PeakSchedule", "Calendar"} {
		if message := conditionMessage(t, validObject(t, kind)); message != "" {
			t.Fatalf("a valid %s is refused: %s", kind, message)
		}
	}
	all := invalidObjects(t)
	for _, tc := range all {
		if tc.RefusedBy != byCondition {
			continue
		}
		t.Run(tc.Name, func(t *testing.T) {
			if message := conditionMessage(t, tc.Object); !strings.Contains(message, tc.Message) {
				t.Errorf("the condition says %q, want something with %q", message, tc.Message)
			}
		})
	}
	golden(t, "refused.yaml", all)
}

// golden compares v, as YAML, with a file of testdata.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	got, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: run the test with -update", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s: -want, +got (run the test with -update)\n%s", file, diff)
	}
}
