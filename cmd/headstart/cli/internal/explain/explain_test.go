package explain

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const page = "# Page\n\n| condition | good | says whether |\n| --- | --- | --- |\n" +
	"| `Skilled` | True | the forecast beats `simple` rules, see [there](other.md#x) and [here](#y) |\n\n" +
	"| condition | reason | meaning | what to do |\n| --- | --- | --- | --- |\n" +
	"| `Skilled` | `NoSkill` | observed demand is served | wait |\n" +
	"| | `New`, `Old` (Unknown) | nothing is known | |\n" +
	"| | any other | not a reason | |\n\n" +
	"| metric | value |\n| --- | --- |\n| `Skilled` | 1 |\n\n" +
	"| reason | what happened | what to do |\n| --- | --- | --- |\n| `TLS` | unknown authority |\n"

func TestTable(t *testing.T) {
	var table Table
	table.Add(page, "Forecast", "HistoryReady")
	want := Table{
		Conditions: []Condition{{
			Name: "Skilled", Kind: "Forecast", Good: "True",
			Says: "the forecast beats simple rules, see there (docs/other.md) and here",
		}},
		Reasons: []Reason{
			{
				Names: []string{"NoSkill"}, Kind: "Forecast", Condition: "Skilled",
				Meaning: "observed demand is served", Remedy: "wait",
			},
			{Names: []string{"New", "Old"}, Kind: "Forecast", Condition: "Skilled", Meaning: "nothing is known"},
			{Names: []string{"TLS"}, Kind: "Forecast", Condition: "HistoryReady", Meaning: "unknown authority"},
		},
	}
	if diff := cmp.Diff(want, table); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"New", "NoSkill", "Old", "Skilled", "TLS"}, table.Names()); diff != "" {
		t.Errorf("names: -want, +got\n%s", diff)
	}
}

func TestOf(t *testing.T) {
	var table Table
	table.Add(page, "Forecast", "HistoryReady")
	for name, tc := range map[string]struct {
		reason, name        string
		conditions, reasons int
	}{
		"condition":  {"with all its reasons", "Skilled", 1, 2},
		"case":       {"it does not matter", "noskill", 0, 1},
		"one of two": {"both mean the same", "Old", 0, 1},
		"a table's":  {"a table of reasons may name its condition outside", "HistoryReady", 0, 1},
		"unknown":    {"nothing is guessed", "Skill", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			conditions, reasons := table.Of(tc.name)
			if len(conditions) != tc.conditions || len(reasons) != tc.reasons {
				t.Errorf("%s: %v and %v", tc.reason, conditions, reasons)
			}
		})
	}
}

// Any text is read without a panic, and gives no names that are not in it.
func FuzzTable(f *testing.F) {
	f.Add(page)
	f.Add("| condition | good\n|\n||\n| condition | reason |\n| `A` |")
	f.Fuzz(func(t *testing.T, text string) {
		var table Table
		table.Add(text, "Forecast", "")
		for _, name := range table.Names() {
			if conditions, reasons := table.Of(name); len(conditions)+len(reasons) == 0 {
				t.Errorf("%q is listed, and not found", name)
			}
		}
	})
}
