package csvfile_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"headstart.dev/headstart/history"
	"headstart.dev/headstart/history/csvfile"
)

// exports are files as dashboards and tools write them. Each has the series "" or those in want,
// with the values 1.5, 2 and 1234.25 for the first three minutes of 2026.
var exports = map[string]struct {
	reason string
	lines  []string
	want   []string // names of the series
}{
	"Grafana": {
		"one series, with quotes",
		[]string{
			`"Time","{job=""api"", code=""200""}"`, "2026-01-01 00:00:00,1.5", "2026-01-01 00:01:00,2",
			"2026-01-01 00:02:00,1234.25",
		},
		[]string{""},
	},
	"GrafanaMillis": {
		"unformatted",
		[]string{`"Time","Value"`, "1767225600000,1.5", "1767225660000,2", "1767225720000,1234.25"},
		[]string{""},
	},
	"GrafanaExcel": {
		"for a spreadsheet",
		[]string{"sep=,", `"Time","a","b"`, "1767225600000,1.5,1.5", "1767225660000,2,2", "1767225720000,1234.25,1234.25"},
		[]string{"a", "b"},
	},
	"GrafanaRows": {
		"series as rows, with semicolons and thousands", []string{
			`"Series";"Time";"Value"`, "a;2026-01-01T00:00:00+00:00;1.5", "a;2026-01-01T00:01:00+00:00;2",
			"a;2026-01-01T00:02:00+00:00;1,234.25",
		}, []string{"a"},
	},
	"GrafanaColumns": {
		"series as columns", []string{
			"Time;a;b;", "2026-01-01T00:00:00.000Z;1.5;1.5;", "2026-01-01T00:01:00.000Z;2;2;",
			"2026-01-01T00:02:00.000Z;1234.25;1234.25;",
		}, []string{"a", "b"},
	},
	"CloudWatchCLI": {
		"in no order, with a unit", []string{
			"Timestamp,Sum,Unit", "2026-01-01T00:02:00+00:00,1234.25,Count", "2026-01-01T00:00:00+00:00,1.5,Count",
			"2026-01-01T00:01:00+00:00,2.0,Count",
		}, []string{""},
	},
	"CloudWatchConsole": {
		"names in rows before the values", []string{
			"Full label,RequestCount", "Label,RequestCount", "Period,60", "Statistic,Sum",
			"2026/01/01 00:00:00,1.5", "2026/01/01 00:01:00,2", "2026/01/01 00:02:00,1234.25",
		}, []string{""},
	},
	"NewestFirst": {
		"the newest row first, and one twice", []string{
			"timestamp,value", "1767225720,1234.25", "1767225660,2", "1767225660,2", "1767225600,1.5",
		}, []string{""},
	},
	"GermanSpreadsheet": {
		"semicolons, decimal commas and points for thousands", []string{
			"time;value", "01.01.2026 00:00;1,5", "01.01.2026 00:01;2", "01.01.2026 00:02;1.234,25",
		}, []string{""},
	},
	"Tabs": {
		"tabs",
		[]string{"date\tvalue", "2026-01-01 00:00\t1.5", "2026-01-01 00:01\t2", "2026-01-01 00:02\t1234.25"},
		[]string{""},
	},
	"TimeInUTC": {
		"a zone in the header",
		[]string{
			"Time (UTC),rps", "2026-01-01 00:00:00 UTC,1.5", "2026-01-01 00:01:00 UTC,2",
			"2026-01-01 00:02:00 UTC,1234.25",
		},
		[]string{""},
	},
	"Micros": {
		"microseconds",
		[]string{"ts,v", "1767225600000000,1.5", "1767225660000000,2", "1767225720000000,1234.25"},
		[]string{""},
	},
	"Nanos": {
		"nanoseconds",
		[]string{"ts,v", "1767225600000000000,1.5", "1767225660000000000,2", "1767225720000000000,1234.25"},
		[]string{""},
	},
	"Exponents": {
		"numbers as a data frame prints them",
		[]string{"ts,v", "1.7672256e+09,1.5e0", "1.76722566e+09,2e0", "1.76722572e+09,1.23425e3"},
		[]string{""},
	},
	"Annotated": {
		"comments, and columns that say nothing",
		[]string{
			"#datatype,string,long", ",result,table,_time,_value", ",_result,0,2026-01-01T00:00:00Z,1.5",
			",,0,2026-01-01T00:01:00Z,2", ",,0,2026-01-01T00:02:00Z,1234.25",
		},
		[]string{""},
	},
	"NoOffset": {
		"an offset without a colon",
		[]string{
			"time,value", "2026-01-01T01:00:00+0100,1.5", "2026-01-01T01:01:00+0100,2",
			"2026-01-01T01:02:00+0100,1234.25",
		},
		[]string{""},
	},
	"OtherLanguage": {
		"names in another language, above dates",
		[]string{"Zeit;Größe", "01.01.2026 00:00;1,5", "01.01.2026 00:01;2", "01.01.2026 00:02;1234,25"},
		[]string{""},
	},
	"OtherLanguageColumns": {
		"and several series, in a file with decimal commas in the times too",
		[]string{
			"Heure;a;b", "2026-01-01 00:00:00,000;1,5;1,5", "2026-01-01 00:01:00,000;2;2",
			"2026-01-01 00:02:00,000;1234,25;1234,25",
		},
		[]string{"a", "b"},
	},
	"LogsQuery": {
		"a time that is named by the expression of a query",
		[]string{
			"bin(1m),count(*)", "2026-01-01 00:00:00.000,1.5", "2026-01-01 00:01:00.000,2",
			"2026-01-01 00:02:00.000,1234.25",
		},
		[]string{""},
	},
	"Kibana": {
		"a date as people read it",
		[]string{
			`"@timestamp per minute","Count"`, `"Jan 1, 2026 @ 00:00:00.000","1.5"`, `"Jan 1, 2026 @ 00:01:00.000","2"`,
			`"Jan 1, 2026 @ 00:02:00.000","1,234.25"`,
		},
		[]string{""},
	},
	"Azure": {
		"a zone in brackets",
		[]string{
			"TimeGenerated [UTC],Count", "2026-01-01T00:00:00.0000000Z,1.5", "2026-01-01T00:01:00.0000000Z,2",
			"2026-01-01T00:02:00.0000000Z,1234.25",
		},
		[]string{""},
	},
	"GoogleCloud": {
		"rows of labels, and times as JavaScript writes them",
		[]string{
			"TimeSeries ID,0", "project,shop", "Thu Jan 01 2026 00:00:00 GMT+0000 (Coordinated Universal Time),1.5",
			"Thu Jan 01 2026 01:01:00 GMT+0100 (CET),2", "Thu Jan 01 2026 00:02:00 GMT+0000 (UTC),1234.25",
		},
		[]string{""},
	},
	"Index": {
		"a data frame whose index has no name",
		[]string{",rps", "2026-01-01 00:00:00,1.5", "2026-01-01 00:01:00,2", "2026-01-01 00:02:00,1234.25"},
		[]string{""},
	},
	"CloudWatchTrailing": {
		"each row of the console's file ends with a separator",
		[]string{
			"Label,RequestCount,", "Id,m1,", "2026/01/01 00:00:00,1.5,", "2026/01/01 00:01:00,2,",
			"2026/01/01 00:02:00,1234.25,",
		},
		[]string{""},
	},
	"Scope": {
		"Datadog's scope is the series",
		[]string{
			"time,scope,hits", "2026-01-01T00:00:00.000Z,*,1.5", "2026-01-01T00:01:00.000Z,*,2",
			"2026-01-01T00:02:00.000Z,*,1234.25",
		},
		[]string{"*"},
	},
	"Serial": {
		"days as a spreadsheet counts them",
		[]string{"Time;Value", "46023;1,5", "46023,0006944444;2", "46023,0013888889;1234,25"},
		[]string{""},
	},
	"SpaceGroups": {
		"thousands apart", []string{
			"Time;Value", "2026-01-01 00:00;1,5", "2026-01-01 00:01;2", "2026-01-01 00:02;1 234,25",
		}, []string{""},
	},
	"ApostropheGroups": {
		"thousands as in Switzerland", []string{
			"Time;Value", "2026-01-01 00:00;1.5", "2026-01-01 00:01;2", "2026-01-01 00:02;1'234.25",
		}, []string{""},
	},
	"HeaderAgain": {
		"files that were put together", []string{
			"Time,Value", "2026-01-01 00:00,1.5", "2026-01-01 00:01,2", "Time,Value", "2026-01-01 00:02,1234.25",
		}, []string{""},
	},
	"TwelveHours": {
		"a clock of twelve hours, beside a date that is clear", []string{
			"Time,Value", "2026-01-01 12:00:00 AM,1.5", "2026-01-01 12:01:00 AM,2", "2026-01-01 12:02:00 AM,1234.25",
		}, []string{""},
	},
	"MailDate": {
		"dates as in mails", []string{
			"Time,Value", `"Thu, 01 Jan 2026 00:00:00 GMT",1.5`, `"Thu, 01 Jan 2026 00:01:00 GMT",2`,
			`"Thu, 01 Jan 2026 00:02:00 GMT",1234.25`,
		}, []string{""},
	},
	"Headless": {
		"no header",
		[]string{"2026-01-01T00:00:00Z,1.5", "2026-01-01T00:01:00Z,2", "2026-01-01T00:02:00Z,1234.25"},
		[]string{""},
	},
	"HeadlessSeconds": {
		"no header, and Unix times",
		[]string{"1767225600\t1.5", "1767225660\t2", "1767225720\t1234.25"},
		[]string{""},
	},
	"DateAbove": {
		"what only looks like a date, above the header",
		[]string{
			"16/16/2026;Export", "Time;Value", "2026-01-01 00:00;1,5", "2026-01-01 00:01;2", "2026-01-01 00:02;1234,25",
		},
		[]string{""},
	},
	"GermanShort": {
		"days and months of one digit",
		[]string{"Zeit;Wert", "1.1.2026 00:00;1,5", "1.1.2026 00:01;2", "1.1.2026 00:02;1234,25"},
		[]string{""},
	},
	"SeriesLast": {
		"columns in another order",
		[]string{"value,timestamp,metric", "1.5,1767225600,m", "2,1767225660,m", "1234.25,1767225720,m"},
		[]string{"m"},
	},
}

func TestExports(t *testing.T) {
	for name, tc := range exports {
		for how, encode := range map[string]func(string) []byte{
			"":      func(s string) []byte { return []byte(s) },
			"CR":    func(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r")) },
			"CRLF":  func(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) },
			"Mark":  func(s string) []byte { return []byte("\ufeff" + s) },
			"UTF16": utf16LE,
		} {
			t.Run(name+how, func(t *testing.T) {
				text := encode(strings.Join(tc.lines, "\n") + "\n")
				all, err := csvfile.Read(bytes.NewReader(text), csvfile.Options{})
				if err != nil {
					t.Fatalf("%v\nReason: %s", err, tc.reason)
				}
				var names []string
				for _, n := range all {
					names = append(names, n.Name)
					want := history.Series{Start: at("2026-01-01T00:00:00Z"), Step: time.Minute, Values: []float64{1.5, 2, 1234.25}}
					if diff := cmp.Diff(want, n.Series); diff != "" {
						t.Errorf("Reason: %s\n-want, +got:\n%s", tc.reason, diff)
					}
				}
				if diff := cmp.Diff(tc.want, names); diff != "" {
					t.Errorf("Reason: %s\nnames: -want, +got:\n%s", tc.reason, diff)
				}
			})
		}
	}
}

func utf16LE(s string) []byte {
	out := []byte{0xff, 0xfe}
	for _, c := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, c)
	}
	return out
}

// TestJitter reads rows whose times jitter, and checks that the grid is that of whole steps.
func TestJitter(t *testing.T) {
	tests := map[string]struct {
		reason       string
		step, jitter time.Duration
		least        time.Duration // of the jitter
		n            int
		drift        time.Duration // in each step
	}{
		"Late":       {"a scraper is a little late", time.Minute, 900 * time.Millisecond, 0, 500, 0},
		"LateFew":    {"few rows are enough", time.Minute, 900 * time.Millisecond, 0, 12, 0},
		"FiveMin":    {"steps of five minutes", 5 * time.Minute, 2 * time.Second, 0, 4000, 0},
		"EitherSide": {"early and late", time.Minute, 40 * time.Millisecond, -40 * time.Millisecond, 2000, 0},
		"Hour":       {"steps of an hour", time.Hour, 20 * time.Second, -20 * time.Second, 100, 0},
		"Seconds":    {"steps of fifteen seconds", 15 * time.Second, time.Second, 0, 1000, 0},
		"Odd":        {"a step that is no round number of minutes", 61 * time.Second, 900 * time.Millisecond, 0, 3000, 0},
		"Drift":      {"a loop that sleeps a minute", time.Minute, time.Millisecond, 0, 3000, 30 * time.Millisecond},
		"DriftBack":  {"a clock that is fast", time.Minute, 0, 0, 3000, -30 * time.Millisecond},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			text.WriteString("timestamp,value\n")
			random := rand.New(rand.NewPCG(1, 2))
			start := time.Unix(1_770_000_000, 0).UTC()
			start = start.Add(-time.Duration(start.UnixNano() % int64(tc.step)))
			for i := range tc.n {
				jitter := tc.least + time.Duration(random.Int64N(int64(tc.jitter-tc.least)+1)) + time.Duration(i)*tc.drift
				at := start.Add(time.Duration(i)*tc.step + jitter)
				fmt.Fprintf(&text, "%d,%d\n", at.UnixMilli(), i+1)
			}
			all, err := csvfile.Read(strings.NewReader(text.String()), csvfile.Options{})
			if err != nil {
				t.Fatalf("%v\nReason: %s", err, tc.reason)
			}
			s := all[0].Series
			if s.Step != tc.step || !s.Start.Equal(start) && tc.drift == 0 {
				t.Errorf("Reason: %s\nstep %s from %s, want %s from %s", tc.reason, s.Step, s.Start, tc.step, start)
			}
			if tc.drift == 0 && len(s.Values) != tc.n {
				t.Errorf("Reason: %s\n%d steps, want %d", tc.reason, len(s.Values), tc.n)
			}
			if next := all[0].Timestamp(len(s.Values)); next != fmt.Sprint(s.End().UnixMilli()) {
				t.Errorf("Reason: %s\nthe next step is stamped %s, want %d", tc.reason, next, s.End().UnixMilli())
			}
		})
	}
}

// TestSlashedDates reads dates that say only together which part is the day.
func TestSlashedDates(t *testing.T) {
	cases := map[string]struct {
		reason string
		times  []string
		want   string // the first and the last time
		next   string // the stamp after the last one
	}{
		"MonthFirst": {
			"a day above 12 tells it, wherever it is",
			[]string{"03/11/2026 00:00", "03/12/2026 00:00", "03/13/2026 00:00"},
			"2026-03-11T00:00:00Z 2026-03-13T00:00:00Z", "03/14/2026 00:00",
		},
		"DayFirst": {
			"likewise",
			[]string{"11/03/2026 00:00:00", "12/03/2026 00:00:00", "13/03/2026 00:00:00"},
			"2026-03-11T00:00:00Z 2026-03-13T00:00:00Z", "14/03/2026 00:00:00",
		},
		"NewestFirst": {
			"rows may have any order",
			[]string{"13/3/2026 0:00", "12/3/2026 0:00", "11/3/2026 0:00"},
			"2026-03-11T00:00:00Z 2026-03-13T00:00:00Z", "14/3/2026 00:00",
		},
		"TwelveHours": {
			"a clock of twelve hours, as spreadsheets write it",
			[]string{"3/13/2026 11:00:00 AM", "3/13/2026 12:00:00 PM", "3/13/2026 1:00:00 PM"},
			"2026-03-13T11:00:00Z 2026-03-13T13:00:00Z", "3/13/2026 2:00:00 PM",
		},
		"Dashes": {
			"other separators",
			[]string{"11-03-2026 00:00", "12-03-2026 00:00", "13-03-2026 00:00"},
			"2026-03-11T00:00:00Z 2026-03-13T00:00:00Z", "14-03-2026 00:00",
		},
		"JavaScript": {
			"a comma before the time",
			[]string{`"3/13/2026, 1:00:00 PM"`, `"3/13/2026, 2:00:00 PM"`},
			"2026-03-13T13:00:00Z 2026-03-13T14:00:00Z", "3/13/2026, 3:00:00 PM",
		},
		"DaysOnly": {
			"no time of day",
			[]string{"12/03/2026", "13/03/2026"},
			"2026-03-12T00:00:00Z 2026-03-13T00:00:00Z", "14/03/2026",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			text := "Time,Value\n"
			for i, at := range tc.times {
				text += fmt.Sprintf("%s,%d\n", at, i)
			}
			all, err := csvfile.Read(strings.NewReader(text), csvfile.Options{})
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			s := all[0].Series
			got := s.Start.Format(time.RFC3339) + " " + s.End().Add(-s.Step).Format(time.RFC3339)
			if next := all[0].Timestamp(len(s.Values)); got != tc.want || next != tc.next || len(s.Values) != len(tc.times) {
				t.Errorf("%s: %s and then %s, want %s and %s", tc.reason, got, next, tc.want, tc.next)
			}
		})
	}
}
