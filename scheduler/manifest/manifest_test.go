package manifest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	tests := map[string]struct{ reason, text, want string }{
		"Empty":     {"nothing is nothing", "", ""},
		"Comments":  {"a document of comments is none", "# a\n---\n# b\n", ""},
		"Documents": {"one after the other", "{kind: A, metadata: {name: a}}\n---\nkind: B\n", "A/a B/"},
		"MarkerComment": {
			"what follows a marker is not the end of the file",
			"kind: A\n--- # the next\nkind: B\n---   \nkind: C", "A/ B/ C/",
		},
		"MarkerContent": {"a document may begin on the marker's line", "--- {kind: A}\n--- {kind: B}\n", "A/ B/"},
		"NotAMarker": {
			"three dashes in a value, or with text right behind them",
			"kind: A\nmetadata: {name: x---y}\ndata: |\n  ---\n  z\n", "A/x---y",
		},
		"CRLF":          {"files of Windows", "kind: A\r\n---\r\nkind: B\r\n", "A/ B/"},
		"ByteOrderMark": {"files of Windows", "\ufeffkind: A\n", "A/"},
		"JSON":          {"JSON is YAML", "{\n\t\"kind\": \"A\",\n\t\"metadata\": {\"name\": \"a\"}\n}\n", "A/a"},
		"List": {
			"as kubectl prints it",
			"kind: List\nitems:\n- {kind: A, metadata: {name: a}}\n- {kind: BList, items: [{kind: B}]}\n",
			"A/a B/",
		},
		"EmptyList":    {"nothing was found", "kind: List\nitems: []\n", ""},
		"NullItems":    {"nothing was found", "kind: List\nitems: null\n", ""},
		"DuplicateKey": {"the API server refuses it too", "kind: A\nkind: B\n", "!document 1 is not YAML"},
		"BoolForText": {
			"n is no text in YAML", "kind: A\nmetadata: {name: a, namespace: n}\n",
			"!metadata.namespace: bool is not text: put it into quotes",
		},
		"NoKind":     {"some other YAML", "---\na: b\n", "!document 2: this is not a manifest: it has no kind"},
		"Text":       {"no manifest", "hello\n", "!this is not a manifest"},
		"Broken":     {"no YAML", "kind: [\n", "!document 1 is not YAML"},
		"BrokenItem": {"the item is counted", "kind: List\nitems: [{kind: A}, 7]\n", "!item 1"},
		"ManyDocuments": {
			"opening a document takes a while, however little is in it", strings.Repeat("---\n", maxDocuments),
			"!the file has 100001 documents: split it",
		},
		"SecondIsBroken": {"the document is counted", "kind: A\n---\nkind: [\n", "!document 2"},
		"ListsWithoutEnd": {
			"a stack is not for the taking",
			strings.Repeat("{kind: List, items: [", 20) + strings.Repeat("]}", 20), "!Lists are nested",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			objects, err := Read(strings.NewReader(tc.text))
			var got []string
			for _, o := range objects {
				got = append(got, o.Kind+"/"+o.Name)
			}
			if want, bad := strings.CutPrefix(tc.want, "!"); bad {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("\nReason: %s\ngot %v and %v, want %q", tc.reason, got, err, want)
				}
			} else if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" || err != nil {
				t.Errorf("\nReason: %s\n%v, -want, +got\n%s", tc.reason, err, diff)
			}
		})
	}
}

const noon = `apiVersion: headstart.dev/v1alpha1
kind: PeakSchedule
metadata: {name: noon, namespace: a}
spec:
  timeZone: UTC
  forecastSelector: {}
  windows: [{name: lunch, schedule: "0 12 * * *", duration: 1h, demand: {atLeast: "400"}}]
  except: {calendars: [days-off]}
`

const off = `apiVersion: headstart.dev/v1alpha1
kind: Calendar
metadata: {name: days-off}
spec: {days: [{name: founding, dates: ["2026-03-10"]}]}
`

var noonOfB = strings.Replace(noon, "namespace: a", "namespace: b", 1)

var peakFiles = map[string]struct{ reason, text, want string }{
	"CalendarAfter": {"the order does not matter", noon + "---\n" + off, "noon"},
	"OtherKinds":    {"a file has the Forecast too", "kind: Forecast\n---\n" + off + "---\n" + noon, "noon"},
	"Nothing":       {"the caller says what that means", "kind: Forecast\n", ""},
	"TwoNamespaces": {"both are named in full", off + "---\n" + noon + "---\n" + noonOfB, "a/noon b/noon"},
	"Twice":         {"which one counts?", off + "---\n" + noon + "---\n" + noon, "!is declared twice"},
	"CalendarTwice": {"which one counts?", off + "---\n" + off + "---\n" + noon, "!is declared twice"},
	"NoCalendar":    {"the field is named", noon, `!spec.except.calendars[0] "days-off"`},
	"AllIsSaid":     {"one mistake hides no other", strings.Replace(noon, "UTC", "Local", 1), "!depends on the machine"},
	"NoForecasts": {
		"the API server refuses it too",
		strings.Replace(noon, "  forecastSelector: {}\n", "", 1) + "---\n" + off,
		"!select Forecasts by forecastRefs",
	},
	"ZoneOffset": {
		"an offset is no zone", strings.Replace(noon, "UTC", `"+08:00"`, 1) + "---\n" + off,
		"!is not a name",
	},
	"ZoneEmpty": {"nothing is no zone", strings.Replace(noon, "UTC", `""`, 1) + "---\n" + off, "!is refused"},
	"ZoneUnknown": {
		"a misspelt zone is not UTC", strings.Replace(noon, "UTC", "Europe/Berlim", 1) + "---\n" + off,
		`!spec.timeZone: unknown time zone "Europe/Berlim"`,
	},
	"OtherGroup": {
		"the version matters", strings.Replace(noon, "v1alpha1", "v1", 1), "!is not headstart.dev/v1alpha1",
	},
	"UnknownField": {
		"nobody would read it", strings.Replace(noon, "duration:", "lasts:", 1),
		`!unknown field "spec.windows[0].lasts"`,
	},
	"CaseOfAField": {
		"the API server tells them apart", strings.Replace(noon, "timeZone:", "timezone:", 1),
		`!unknown field "spec.timezone"`,
	},
	"NoQuantity": {
		"the field is named", strings.Replace(noon, `"400"`, "many", 1) + "---\n" + off,
		`!spec.windows[0].demand.atLeast "many": write demand`,
	},
	"NumberForText": {
		"in the words of the file", strings.Replace(noon, "timeZone: UTC", "timeZone: 8", 1) + "---\n" + off,
		"!spec.timeZone: number is not text: put it into quotes",
	},
	"TextForNumber": {
		"in the words of the file",
		strings.Replace(noon, `atLeast: "400"`, "replicas: four", 1) + "---\n" + off,
		"!spec.windows.demand.replicas: string is not a whole number within range",
	},
	"BadCalendarDay": {
		"the day is named", noon + "---\n" + strings.Replace(off, "03-10", "02-30", 1),
		"!spec.days[0].dates[0]",
	},
}

func TestReadPeaks(t *testing.T) {
	for name, tc := range peakFiles {
		t.Run(name, func(t *testing.T) {
			peaks, err := ReadPeaks(strings.NewReader(tc.text))
			var got []string
			for _, s := range peaks.Schedules {
				got = append(got, s.Name())
			}
			if want, bad := strings.CutPrefix(tc.want, "!"); bad {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("\nReason: %s\ngot %v and %v, want %q", tc.reason, got, err, want)
				}
			} else if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" || err != nil {
				t.Errorf("\nReason: %s\n%v, -want, +got\n%s", tc.reason, err, diff)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		noon, off, "--- # x\n", "kind: List\nitems: [1]", "a: &a [*a]", "\ufeff---\t{}", "{kind: A}\n{kind: B}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		objects, err := Read(strings.NewReader(text))
		for _, o := range objects {
			if o.Kind == "" || err != nil {
				t.Fatalf("%q: %+v, %v", text, o, err)
			}
		}
		_, _ = ReadPeaks(strings.NewReader(text))
	})
}
