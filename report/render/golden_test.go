package render

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/history/csvfile"
	"headstart.dev/headstart/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// goldenJSON is a report that the tests of package report write.
var goldenJSON = filepath.Join("..", "testdata", "report.json")

// load reads the first series of a file of testdata.
func load(name string) (history.Series, error) {
	all, err := csvfile.Open(filepath.Join("..", "..", "testdata", name), csvfile.Options{})
	if err != nil {
		return history.Series{}, err
	}
	return all[0].Series, nil
}

// noon returns a PeakSchedule with a Calendar.
func noon() (report.Peaks, error) {
	return report.OpenPeaks(filepath.Join("..", "testdata", "noon.yaml"))
}

// replayed is the replay behind the golden report, without Headstart. It is made once, because it
// takes long, and no test changes it.
var replayed = sync.OnceValues(func() (*report.Report, error) {
	series, err := load("gaps_10m.csv.gz")
	if err != nil {
		return nil, err
	}
	peaks, err := noon()
	if err != nil {
		return nil, err
	}
	today, err := readGolden()
	if err != nil {
		return nil, err
	}
	o := report.DefaultOptions()
	o.Series = series
	o.From, o.Lead, o.Capacity = len(o.Series.Values)/3, 10*time.Minute, 20
	o.Contract = forecaster.Contract{ServiceLevel: 0.99}
	o.GPUs, o.Price = 2, 2.5
	o.Name, o.Peaks = "gaps_10m.csv.gz", peaks.Schedules
	for _, p := range today.Policies {
		if p.Policy != report.PolicyHeadstart {
			o.Policies = append(o.Policies, p.Policy)
		}
	}
	return report.Run(context.Background(), o)
})

// fixed returns the golden report with its steps. A replay makes the steps of the policies of
// today. Those of Headstart are invented as in the golden report: it knows the future, and adds one
// replica.
func fixed(t *testing.T) *report.Report {
	t.Helper()
	ran, err := replayed()
	if err != nil {
		t.Fatal(err)
	}
	r := golden(t)
	if diff := cmp.Diff(r.Input, ran.Input); diff != "" {
		t.Fatalf("this is not the replay of the golden report: -golden, +ran:\n%s", diff)
	}
	r.Steps = ran.Steps
	for i, p := range r.Policies {
		if result, ok := ran.Result(p.Policy); ok {
			mine := &r.Policies[i]
			mine.Paid, mine.Ready, mine.TunedReady = result.Paid, result.Ready, result.TunedReady
		}
	}
	oracle, _ := ran.Result(report.PolicyOracle)
	isHead := func(p report.Result) bool { return p.Policy == report.PolicyHeadstart }
	head := &r.Policies[slices.IndexFunc(r.Policies, isHead)]
	lastKnown := 0.0
	for i, n := range oracle.Paid {
		head.Paid = append(head.Paid, n+1)
		head.Ready = append(head.Ready, min(n, oracle.Paid[max(0, i-1)])+1) // the lead is one step
		r.Steps.Served = append(r.Steps.Served, (n+0.5)*ran.Steps.Capacity)
		if v := r.Steps.Replayed()[i]; !math.IsNaN(v) {
			lastKnown = v
		}
		r.Steps.Expected = append(r.Steps.Expected, lastKnown)
	}
	return r
}

// golden reads the golden report. The JSON form has no steps.
func golden(t *testing.T) *report.Report {
	t.Helper()
	r, err := readGolden()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func readGolden() (*report.Report, error) {
	text, err := os.ReadFile(goldenJSON)
	if err != nil {
		return nil, err
	}
	r := &report.Report{}
	return r, json.Unmarshal(text, r)
}

// compareGolden compares with a golden file, or rewrites it.
func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want, +got (-update rewrites it):\n%s", diff)
	}
}

// rendered returns what write writes.
func rendered(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	d := Report(fixed(t))
	t.Run("text", func(t *testing.T) {
		compareGolden(t, "report.txt", rendered(t, func(w io.Writer) error { return d.Text(w, TextOptions{}) }))
	})
	t.Run("csv", func(t *testing.T) {
		got := rendered(t, d.CSV)
		compareGolden(t, "report.csv", strings.Join(strings.SplitAfterN(got, "\n", 146)[:145], "")) // the first day is enough
	})
}

// A report that is read from JSON is written as the same JSON.
func TestJSONIsStable(t *testing.T) {
	want, err := os.ReadFile(goldenJSON)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), rendered(t, Report(fixed(t)).JSON)); diff != "" {
		t.Errorf("-read, +written:\n%s", diff)
	}
}

func TestTextFitsTheTerminal(t *testing.T) {
	text := rendered(t, func(w io.Writer) error { return Report(fixed(t)).Text(w, TextOptions{}) })
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if n := utf8.RuneCountInString(line); n > columns || strings.Contains(line, "\x1b") || strings.HasSuffix(line, " ") {
			t.Errorf("%d columns, or colour, or a blank at the end: %q", n, line)
		}
	}
}
