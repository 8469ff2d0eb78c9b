package cli

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestForecastCSV(t *testing.T) {
	stdout, stderr, code := headstart(t, "forecast --horizon 48h --quantiles 0.975,0.025,0.5 --input",
		file(t, "demand.csv", twoWeeks()))
	if code != 0 || stderr != "" {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	rows, err := csv.NewReader(strings.NewReader(stdout)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(rows[0], ","); got != "timestamp,q0.025,q0.5,q0.975" || len(rows) != 49 {
		t.Fatalf("%d rows under %s", len(rows), got)
	}
	if rows[1][0] != "2026-03-16 00:00" || rows[48][0] != "2026-03-17 23:00" {
		t.Errorf("from %s to %s, want the first row one step after the input's last, in the input's own format",
			rows[1][0], rows[48][0])
	}
	for _, row := range rows[1:] {
		last := 0.0
		for _, cell := range row[1:] {
			v, err := strconv.ParseFloat(cell, 64)
			if err != nil || v < last {
				t.Fatalf("%v: quantiles must be numbers that never fall", row)
			}
			last = v
		}
	}
}

func TestForecastSeveralSeries(t *testing.T) {
	input := filepath.Join("..", "..", "..", "testdata", "two_services_10m.csv.gz")
	stdout, stderr, code := headstart(t, "forecast --horizon 1h --quantiles 0.5 --input", input)
	if code != 0 {
		t.Fatal(stderr)
	}
	rows, err := csv.NewReader(strings.NewReader(stdout)).ReadAll()
	if err != nil || len(rows) != 1+2*6 || strings.Join(rows[0], ",") != "series,timestamp,q0.5" ||
		rows[1][0] == rows[12][0] {
		t.Fatalf("%v: %v", err, rows)
	}
	stdout, stderr, code = headstart(t, "forecast --horizon 1h --quantiles 0.5,0.9 -o json --input", input)
	if code != 0 {
		t.Fatal(stderr)
	}
	var got struct {
		Series []struct {
			Series     string
			Timestamps []string
			Quantiles  []struct {
				Quantile float64
				Values   []float64
			}
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Series) != 2 {
		t.Fatalf("got %+v", got)
	}
	first, second := got.Series[0], got.Series[1]
	if len(second.Timestamps) != 6 || len(second.Quantiles) != 2 || len(second.Quantiles[1].Values) != 6 {
		t.Errorf("got %+v", got)
	}
	if first.Timestamps[0] != rows[1][1] || number(first.Quantiles[0].Values[0]) != rows[1][2] {
		t.Errorf("json and csv differ: %+v, %v", first, rows[1])
	}
}

func TestForecastRefuses(t *testing.T) {
	good := "--input " + file(t, "demand.csv", twoWeeks())
	gaps := file(t, "gaps.csv", "timestamp,value\n2026-03-02T00:00:00Z,\n2026-03-02T01:00:00Z,\n")
	cases := map[string]struct{ flags, want string }{
		"NoInput":    {"", "--input FILE"},
		"Quantile":   {good + " --quantiles 0.5,1", `"1"`},
		"NoQuantile": {good + " --quantiles=", "0.975"},
		"Short":      {good + " --horizon 30m", "shorter than a step of 1h"},
		"Long":       {good + " --horizon 200y", "give a shorter --horizon"},
		"Output":     {good + " -o text", "csv or json"},
		"Gaps":       {"--input " + gaps, "no row has a value"},
		"Zone":       {good + " --time-zone Local", "IANA"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := headstart(t, "forecast "+tc.flags)
			if code == 0 || stdout != "" || !strings.Contains(stderr, tc.want) {
				t.Errorf("exit %d, wrote %q, said %q; want an error with %q", code, stdout, stderr, tc.want)
			}
		})
	}
}

// Every real trace beside the repository can be forecast and, with HEADSTART_ALL_TRACES, replayed.
func TestEveryRealTrace(t *testing.T) {
	dir := os.Getenv("HEADSTART_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared")
	}
	files, err := filepath.Glob(filepath.Join(dir, "data", "*.csv.gz"))
	if testing.Short() {
		t.Log("short: only generated traces are read")
		files, _ = filepath.Glob(filepath.Join("..", "..", "..", "testdata", "*.csv.gz"))
	} else if err != nil || len(files) == 0 {
		t.Log("NO REAL TRACES: there is no ../shared/data beside the repository and HEADSTART_SHARED is not set; " +
			"only generated traces are read")
		files, _ = filepath.Glob(filepath.Join("..", "..", "..", "testdata", "*.csv.gz"))
	}
	if len(files) == 0 {
		t.Fatal("there is no trace to read")
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			stdout, stderr, code := headstart(t, "forecast --horizon 2h --quantiles 0.5 --input", path)
			if code != 0 || strings.Count(stdout, "\n") < 3 || strings.Contains(stdout, "NaN") {
				t.Errorf("forecast: exit %d: %s", code, stderr)
			}
			if os.Getenv("HEADSTART_ALL_TRACES") == "" || strings.Contains(path, "m4_hourly") ||
				strings.Contains(path, "two_services") {
				return
			}
			_, stderr, code = headstart(t, "report --lead 10m --capacity 10 --service-level 0.99 --input", path)
			if code != 0 {
				t.Errorf("report: exit %d: %s", code, stderr)
			}
		})
	}
}

// A spreadsheet that opens the CSV does not run the name of a series.
func TestForecastCSVHasNoFormula(t *testing.T) {
	in := file(t, "in.csv", strings.ReplaceAll(twoServices(), "checkout,", "=1+1,"))
	stdout, stderr, code := headstart(t, "forecast --horizon 1h --quantiles 0.5 --input", in)
	if code != 0 || strings.Contains(stdout, "\n=1+1") || !strings.Contains(stdout, "\n'=1+1,") {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
}
