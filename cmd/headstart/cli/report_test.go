package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// progressLine is what a job that takes long says of itself: how fast this machine is, which no test is about.
var progressLine = regexp.MustCompile(`(?m)^.+: \d+ %\n`)

// headstart runs one command line and returns what it wrote.
func headstart(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Execute(context.Background(), append([]string{"headstart"}, args...), "dev", Streams{strings.NewReader(""), &out, &errs})
	return out.String(), progressLine.ReplaceAllString(errs.String(), ""), code
}

// file writes a file of its own for a test.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// twoWeeks is an hourly day that repeats, as CSV, with a gap and a missing row.
func twoWeeks() string {
	var b strings.Builder
	b.WriteString("timestamp,value\n")
	at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for i := range 14 * 24 {
		value := fmt.Sprintf("%.3f", 60+40*math.Sin(2*math.Pi*float64(i)/24))
		switch i {
		case 250:
			value = ""
		case 260:
			continue
		}
		fmt.Fprintf(&b, "%s,%s\n", at.Add(time.Duration(i)*time.Hour).Format("2006-01-02 15:04"), value)
	}
	return b.String()
}

func TestReportDecisions(t *testing.T) {
	input, decisions := file(t, "demand.csv", twoWeeks()), filepath.Join(t.TempDir(), "decisions.csv")
	stdout, stderr, code := headstart(t, "report", "--input", input, "--lead", "1h", "--capacity", "5", "--from", "2026-03-11",
		"--shortage-cost", "20", "-o", "json", "--decisions", decisions)
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
	if report.Input.Scored != 5*24 || report.Input.Gaps != 2 || len(report.Policies) != 4 || report.Policies[3].CostOverOracle != 1 {
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
			t.Errorf("row %d is %v, want %s and a whole number from 1", i, row, want)
		}
	}
}

func TestReportRefuses(t *testing.T) {
	good := file(t, "demand.csv", twoWeeks())
	multi := file(t, "multi.csv", "series,timestamp,value\na,2026-03-02T00:00:00Z,1\na,2026-03-02T01:00:00Z,1\nb,2026-03-02T00:00:00Z,1\nb,2026-03-02T01:00:00Z,1\n")
	head := "timestamp,value\n"
	base := []string{"report", "--lead", "1h", "--capacity", "5"}
	level := []string{"--service-level", "0.99"}
	cases := map[string]struct {
		args []string
		want []string
	}{
		"NoInput":       {level, []string{"--input FILE", "--prometheus URL"}},
		"BothInputs":    {append([]string{"--input", good, "--prometheus", "http://127.0.0.1:1"}, level...), []string{"not both"}},
		"QueryOnFile":   {append([]string{"--input", good, "--query", "up"}, level...), []string{"--query needs --prometheus"}},
		"NoQuery":       {append([]string{"--prometheus", "http://127.0.0.1:1"}, level...), []string{"--query"}},
		"NoContract":    {[]string{"--input", good}, []string{"--service-level", "--shortage-cost"}},
		"BothContracts": {append([]string{"--input", good, "--shortage-cost", "20"}, level...), []string{"not both"}},
		"LevelZero":     {[]string{"--input", good, "--service-level", "0"}, []string{"0.5 to 0.9999"}},
		"LevelOne":      {[]string{"--input", good, "--service-level", "1"}, []string{"0.5 to 0.9999"}},
		"LevelAbove":    {[]string{"--input", good, "--service-level", "1.5"}, []string{"0.5 to 0.9999"}},
		"LevelWord":     {[]string{"--input", good, "--service-level", "high"}, []string{"high", "0.5 to 0.9999"}},
		"CostOne":       {[]string{"--input", good, "--shortage-cost", "1"}, []string{"above 1"}},
		"CapacityZero":  {append([]string{"--input", good, "--capacity", "0"}, level...), []string{"--capacity"}},
		"NoFile":        {append([]string{"--input", filepath.Join(t.TempDir(), "none.csv")}, level...), []string{"none.csv"}},
		"EmptyFile":     {append([]string{"--input", file(t, "empty.csv", "")}, level...), []string{"empty", "timestamp,value"}},
		"HeaderOnly":    {append([]string{"--input", file(t, "head.csv", head)}, level...), []string{"at least one"}},
		"OneRow":        {append([]string{"--input", file(t, "one.csv", head+"2026-03-02T00:00:00Z,1\n")}, level...), []string{"line 2", "step"}},
		"OneRowStep":    {append([]string{"--step", "1h", "--input", file(t, "one.csv", head+"2026-03-02T00:00:00Z,1\n")}, level...), []string{"1 rows are not enough"}},
		"BadRow":        {append([]string{"--input", file(t, "bad.csv", head+"2026-03-02T00:00:00Z,1\n2026-03-02T01:00:00Z,many\n")}, level...), []string{"line 3", "many"}},
		"Unsorted":      {append([]string{"--input", file(t, "bad.csv", head+"2026-03-02T01:00:00Z,1\n2026-03-02T00:00:00Z,2\n")}, level...), []string{"line 3", "sort"}},
		"Duplicate":     {append([]string{"--input", file(t, "bad.csv", head+"2026-03-02T01:00:00Z,1\n2026-03-02T01:00:00Z,2\n")}, level...), []string{"line 3", "line 2"}},
		"FromAfterEnd":  {append([]string{"--input", good, "--from", "2027-01-01"}, level...), []string{"2026-03-16T00:00:00Z", "earlier --from"}},
		"FromBefore":    {append([]string{"--input", good, "--from", "2025-01-01"}, level...), []string{"later --from"}},
		"FromWord":      {append([]string{"--input", good, "--from", "soon"}, level...), []string{"soon", "14d"}},
		"PolicyTwice":   {append([]string{"--input", good, "--policies", "static,headstart,static"}, level...), []string{`"static" is named twice`, "leave one out"}},
		"LeadBare":      {append([]string{"--input", good, "--lead", "0"}, level...), []string{"--lead", "needs a unit", "0s"}},
		"CapacityWord":  {append([]string{"--input", good, "--capacity", "abc"}, level...), []string{`--capacity "abc" is not a number`}},
		"ReplicasWord":  {append([]string{"--input", good, "--min-replicas", "1.5"}, level...), []string{`--min-replicas "1.5" is not a whole number`}},
		"StepsTooMany":  {append([]string{"--input", good, "--step", "1s"}, level...), []string{"steps of 1s", "more than 1000000", "coarser --step"}},
		"StepsEmpty":    {append([]string{"--input", good, "--step", "30s"}, level...), []string{"only 334 of 40201 steps of 30s have a value", "own --step"}},
		"HorizonTooFar": {append([]string{"--input", good, "--horizon", "2y"}, level...), []string{"horizon of 730d has 17520 steps of 1h", "--horizon"}},
		"Policy":        {append([]string{"--input", good, "--policies", "magic"}, level...), []string{"magic", "oracle"}},
		"Decisions":     {append([]string{"--input", good, "--policies", "static", "--decisions", "x.csv"}, level...), []string{"headstart"}},
		"Output":        {append([]string{"--input", good, "-o", "xml"}, level...), []string{"xml", "html"}},
		"Ramp":          {append([]string{"--input", good, "--hpa-ramp", "fast"}, level...), []string{"fast", "proposed"}},
		"Zone":          {append([]string{"--input", good, "--time-zone", "Mars/Olympus"}, level...), []string{"Mars/Olympus"}},
		"Duration":      {append([]string{"--input", good, "--lead", "ten"}, level...), []string{"ten"}},
		"Argument":      {append([]string{good}, level...), []string{"--input"}},
		"WhichSeries":   {append([]string{"--input", multi}, level...), []string{"2 series", "--series", "a, b"}},
		"NoSuchSeries":  {append([]string{"--input", multi, "--series", "c"}, level...), []string{`"c"`, "a, b"}},
		"NoPeaks":       {append([]string{"--input", good, "--peaks", filepath.Join(t.TempDir(), "none.yaml")}, level...), []string{"none.yaml"}},
		"PeaksKind":     {append([]string{"--input", good, "--peaks", file(t, "p.yaml", "apiVersion: v1\nkind: Pod\n")}, level...), []string{"no PeakSchedule"}},
		"PeaksCron": {append([]string{"--input", good, "--peaks", file(t, "p.yaml", "apiVersion: headstart.dev/v1alpha1\nkind: PeakSchedule\nmetadata: {name: noon}\n"+
			"spec:\n  timeZone: UTC\n  forecastSelector: {}\n  windows:\n  - {name: w, schedule: '0 0 12 * * 1', duration: 2h, demand: {atLeast: '1200'}}\n")}, level...), []string{"noon", "windows"}},
		"Calendars": {append([]string{"--input", good, "--calendars", "holidays"}, level...), []string{"--peaks"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := headstart(t, append(append([]string{}, base...), tc.args...)...)
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

// An error leaves no partial file of decisions, and an old one as it was.
func TestReportLeavesNoPartialFile(t *testing.T) {
	dir := t.TempDir()
	decisions := filepath.Join(dir, "decisions.csv")
	if err := os.WriteFile(decisions, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	input := file(t, "demand.csv", twoWeeks())
	args := []string{"report", "--input", input, "--capacity", "5", "--service-level", "0.99", "--decisions", decisions}
	if _, _, code := headstart(t, append(args, "--from", "2030-01-01")...); code == 0 {
		t.Fatal("wanted an error")
	}
	left, err := os.ReadFile(decisions)
	if err != nil || string(left) != "old\n" {
		t.Errorf("the old file became %q, %v", left, err)
	}
	if _, stderr, code := headstart(t, args...); code != 0 {
		t.Fatal(stderr)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	hidden, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(names) != 1 || len(hidden) != 0 {
		t.Errorf("left behind: %v %v", names, hidden)
	}
	if _, stderr, code := headstart(t, append(args[:len(args)-1], filepath.Join(dir, "none", "d.csv"))...); code == 0 || !strings.Contains(stderr, "none") {
		t.Errorf("exit %d: %q, want an error that names the folder", code, stderr)
	}
}
