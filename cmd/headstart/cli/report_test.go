package cli

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReportDecisions(t *testing.T) {
	input, decisions := file(t, "demand.csv", twoWeeks()), filepath.Join(t.TempDir(), "decisions.csv")
	stdout, stderr, code := headstart(t, "report --lead 1h --capacity 5 --from 2026-03-11 --shortage-cost 20 -o json",
		"--input", input, "--decisions", decisions)
	if code != 0 || stderr != "" {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	var report struct {
		Input    struct{ Scored, Gaps int }
		Policies []struct {
			Policy         string
			CostOverOracle float64
		}
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatal(err)
	}
	if report.Input.Scored != 5*24 || report.Input.Gaps != 2 || len(report.Policies) != 8 ||
		report.Policies[7].CostOverOracle != 1 {
		t.Errorf("got %+v", report)
	}
	f, err := os.Open(decisions)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1+5*24 || !cmp.Equal(rows[0], []string{"timestamp", "replicas"}) {
		t.Fatalf("%d rows under %v, want one for each of 120 steps", len(rows), rows[0])
	}
	for i, row := range rows[1:] {
		want := time.Date(2026, 3, 11, i, 0, 0, 0, time.UTC).Format("2006-01-02 15:04")
		if n, err := strconv.Atoi(row[1]); row[0] != want || err != nil || n < 1 {
			t.Errorf("row %d is %v, want %s and a whole number of at least 1", i, row, want)
		}
	}
}

// failing is a report that must fail: its flags, and what the error must say.
type failing struct {
	flags string
	want  []string
}

// mustFail runs each report with --lead 1h --capacity 5 and its own flags, and expects an error.
func mustFail(t *testing.T, cases map[string]failing) {
	t.Helper()
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := headstart(t, "report --lead 1h --capacity 5 "+tc.flags)
			if code == 0 || stdout != "" {
				t.Errorf("exit %d, wrote %q; want an error", code, stdout)
			}
			for _, want := range tc.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("%q does not say %q", stderr, want)
				}
			}
		})
	}
}

func TestReportRefusesInputs(t *testing.T) {
	good := " --input " + file(t, "demand.csv", twoWeeks())
	multi := " --input " + file(t, "multi.csv", "series,timestamp,value\n"+
		"a,2026-03-02T00:00:00Z,1\na,2026-03-02T01:00:00Z,1\nb,2026-03-02T00:00:00Z,1\nb,2026-03-02T01:00:00Z,1\n")
	rows := func(lines ...string) string {
		return " --input " + file(t, "rows.csv", "timestamp,value\n"+strings.Join(lines, ""))
	}
	const (
		level         = "--service-level 0.99"
		rowAt0h       = "2026-03-02T00:00:00Z,1\n"
		rowAt1h       = "2026-03-02T01:00:00Z,1\n"
		otherAt1h     = "2026-03-02T01:00:00Z,2\n"
		nowhere       = " --prometheus http://127.0.0.1:1"
		rowNotANumber = "2026-03-02T01:00:00Z,many\n"
	)
	none := filepath.Join(t.TempDir(), "none.csv")
	mustFail(t, map[string]failing{
		"NoInput":      {level, []string{"--input FILE", "--prometheus URL"}},
		"BothInputs":   {level + good + nowhere, []string{"not both"}},
		"QueryOnFile":  {level + good + " --query up", []string{"--query needs --prometheus"}},
		"NoQuery":      {level + nowhere, []string{"--query"}},
		"NoFile":       {level + " --input " + none, []string{"none.csv"}},
		"EmptyFile":    {level + " --input " + file(t, "empty.csv", ""), []string{"empty", "timestamp,value"}},
		"HeaderOnly":   {level + rows(), []string{"at least one"}},
		"OneRow":       {level + rows(rowAt0h), []string{"line 2", "step"}},
		"OneRowStep":   {level + " --step 1h" + rows(rowAt0h), []string{"1 rows are not enough"}},
		"BadRow":       {level + rows(rowAt0h, rowNotANumber), []string{"line 3", "many"}},
		"Duplicate":    {level + rows(rowAt1h, otherAt1h), []string{"line 3", "line 2", "another value"}},
		"StepsTooMany": {level + good + " --step 1s", []string{"steps of 1s", "more than 1000000", "coarser --step"}},
		"StepsEmpty": {
			level + good + " --step 30s",
			[]string{"only 334 of 40201 steps of 30s have a value", "own --step"},
		},
		"NoSuchSeries": {level + multi + " --series c", []string{`"c"`, "a, b"}},
	})
}

func TestReportRefusesContracts(t *testing.T) {
	good := " --input " + file(t, "demand.csv", twoWeeks())
	mustFail(t, map[string]failing{
		"None":       {good, []string{"--service-level", "--shortage-cost"}},
		"Both":       {good + " --service-level 0.99 --shortage-cost 20", []string{"not both"}},
		"LevelZero":  {good + " --service-level 0", []string{"0.5 to 0.9999"}},
		"LevelOne":   {good + " --service-level 1", []string{"0.5 to 0.9999"}},
		"LevelAbove": {good + " --service-level 1.5", []string{"0.5 to 0.9999"}},
		"LevelWord":  {good + " --service-level high", []string{"high", "0.5 to 0.9999"}},
		"CostOne":    {good + " --shortage-cost 1", []string{"above 1"}},
	})
}

func TestReportRefusesFlags(t *testing.T) {
	path := file(t, "demand.csv", twoWeeks())
	good := "--service-level 0.99 --input " + path
	mustFail(t, map[string]failing{
		"CapacityZero":  {good + " --capacity 0", []string{"--capacity"}},
		"CapacityWord":  {good + " --capacity abc", []string{`--capacity "abc" is not a number`}},
		"ReplicasWord":  {good + " --min-replicas 1.5", []string{`--min-replicas "1.5" is not a whole number`}},
		"FromAfterEnd":  {good + " --from 2027-01-01", []string{"2026-03-16T00:00:00Z", "earlier --from"}},
		"FromBefore":    {good + " --from 2025-01-01", []string{"later --from"}},
		"FromWord":      {good + " --from soon", []string{"soon", "14d"}},
		"LeadBare":      {good + " --lead 0", []string{"--lead", "needs a unit", "0s"}},
		"LeadWord":      {good + " --lead ten", []string{"ten"}},
		"HorizonTooFar": {good + " --horizon 2y", []string{"horizon of 730d has 17520 steps of 1h", "--horizon"}},
		"Policy":        {good + " --policies magic", []string{"magic", "oracle"}},
		"PolicyTwice": {
			good + " --policies static,headstart,static",
			[]string{`"static" is named twice`, "leave one out"},
		},
		"Decisions": {good + " --policies static --decisions x.csv", []string{"headstart"}},
		"Output":    {good + " -o xml", []string{"xml", "html"}},
		"Ramp":      {good + " --hpa-ramp fast", []string{"fast", "proposed"}},
		"Zone":      {good + " --time-zone Mars/Olympus", []string{"Mars/Olympus"}},
		"Argument":  {"--service-level 0.99 " + path, []string{"--input"}},
	})
}

func TestReportRefusesPeaks(t *testing.T) {
	good := "--service-level 0.99 --input " + file(t, "demand.csv", twoWeeks())
	pod := file(t, "pod.yaml", "apiVersion: v1\nkind: Pod\n")
	sixFields := file(t, "noon.yaml", `apiVersion: headstart.dev/v1alpha1
kind: PeakSchedule
metadata: {name: noon}
spec:
  timeZone: UTC
  forecastSelector: {}
  windows:
  - {name: w, schedule: '0 0 12 * * 1', duration: 2h, demand: {atLeast: '1200'}}
`)
	mustFail(t, map[string]failing{
		"NoFile":    {good + " --peaks " + filepath.Join(t.TempDir(), "none.yaml"), []string{"none.yaml"}},
		"Kind":      {good + " --peaks " + pod, []string{"no PeakSchedule"}},
		"Cron":      {good + " --peaks " + sixFields, []string{"noon", "windows"}},
		"Calendars": {good + " --calendars holidays", []string{"--peaks"}},
	})
}

// After an error there is no partial file of decisions, and an existing file is unchanged.
func TestReportLeavesNoPartialFile(t *testing.T) {
	dir := t.TempDir()
	decisions := filepath.Join(dir, "decisions.csv")
	if err := os.WriteFile(decisions, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	line := "report --capacity 5 --service-level 0.99 --input " + file(t, "demand.csv", twoWeeks())
	if _, _, code := headstart(t, line, "--decisions", decisions, "--from", "2030-01-01"); code == 0 {
		t.Fatal("wanted an error")
	}
	left, err := os.ReadFile(decisions)
	if err != nil || string(left) != "old\n" {
		t.Errorf("the old file became %q, %v", left, err)
	}
	if _, stderr, code := headstart(t, line, "--decisions", decisions); code != 0 {
		t.Fatal(stderr)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	hidden, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(names) != 1 || len(hidden) != 0 {
		t.Errorf("left behind: %v %v", names, hidden)
	}
	_, stderr, code := headstart(t, line, "--decisions", filepath.Join(dir, "none", "d.csv"))
	if code == 0 || !strings.Contains(stderr, "none") {
		t.Errorf("exit %d: %q, want an error that names the folder", code, stderr)
	}
}
