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
	stdout, stderr, code := headstart(t, "forecast", "--input", file(t, "demand.csv", twoWeeks()), "--horizon", "48h", "--quantiles", "0.975,0.025,0.5")
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
		t.Errorf("from %s to %s; the first row is one step after the input's last, in its own words", rows[1][0], rows[48][0])
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
	stdout, stderr, code := headstart(t, "forecast", "--input", input, "--horizon", "1h", "--quantiles", "0.5")
	if code != 0 {
		t.Fatal(stderr)
	}
	rows, err := csv.NewReader(strings.NewReader(stdout)).ReadAll()
	if err != nil || len(rows) != 1+2*6 || strings.Join(rows[0], ",") != "series,timestamp,q0.5" || rows[1][0] == rows[12][0] {
		t.Fatalf("%v: %v", err, rows)
	}
	stdout, stderr, code = headstart(t, "forecast", "--input", input, "--horizon", "1h", "--quantiles", "0.5,0.9", "-o", "json")
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
	if len(got.Series) != 2 || len(got.Series[1].Timestamps) != 6 || len(got.Series[1].Quantiles) != 2 || len(got.Series[1].Quantiles[1].Values) != 6 {
		t.Errorf("got %+v", got)
	}
	if got.Series[0].Timestamps[0] != rows[1][1] || strconv.FormatFloat(got.Series[0].Quantiles[0].Values[0], 'g', -1, 64) != rows[1][2] {
		t.Errorf("json and csv differ: %+v, %v", got.Series[0], rows[1])
	}
}

func TestForecastRefuses(t *testing.T) {
	good := file(t, "demand.csv", twoWeeks())
	cases := map[string]struct {
		args []string
		want string
	}{
		"NoInput":     {nil, "--input FILE"},
		"Quantile":    {[]string{"--input", good, "--quantiles", "0.5,1"}, `"1"`},
		"QuantileNot": {[]string{"--input", good, "--quantiles", ""}, "0.975"},
		"Short":       {[]string{"--input", good, "--horizon", "30m"}, "shorter than a step of 1h"},
		"Long":        {[]string{"--input", good, "--horizon", "200y"}, "shorten it"},
		"Output":      {[]string{"--input", good, "-o", "text"}, "csv or json"},
		"Gaps":        {[]string{"--input", file(t, "gaps.csv", "timestamp,value\n2026-03-02T00:00:00Z,\n2026-03-02T01:00:00Z,\n")}, "no row has a value"},
		"Zone":        {[]string{"--input", good, "--time-zone", "Local"}, "IANA"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := headstart(t, append([]string{"forecast"}, tc.args...)...)
			if code == 0 || stdout != "" || !strings.Contains(stderr, tc.want) {
				t.Errorf("exit %d, wrote %q, said %q; want an error with %q", code, stdout, stderr, tc.want)
			}
		})
	}
}

// Every real trace beside the repository is read, forecast and, with HEADSTART_ALL_TRACES, replayed without an error.
func TestEveryRealTrace(t *testing.T) {
	dir := os.Getenv("HEADSTART_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared")
	}
	files, err := filepath.Glob(filepath.Join(dir, "data", "*.csv.gz"))
	if err != nil || len(files) == 0 {
		t.Log("NO REAL TRACES: there is no ../shared/data beside the repository and HEADSTART_SHARED is not set; only generated traces are read")
		files, _ = filepath.Glob(filepath.Join("..", "..", "..", "testdata", "*.csv.gz"))
	}
	if len(files) == 0 {
		t.Fatal("there is nothing to read at all")
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			stdout, stderr, code := headstart(t, "forecast", "--input", path, "--horizon", "2h", "--quantiles", "0.5")
			if code != 0 || strings.Count(stdout, "\n") < 3 || strings.Contains(stdout, "NaN") {
				t.Errorf("forecast: exit %d: %s", code, stderr)
			}
			if os.Getenv("HEADSTART_ALL_TRACES") == "" || strings.Contains(path, "m4_hourly") || strings.Contains(path, "two_services") {
				return
			}
			if _, stderr, code = headstart(t, "report", "--input", path, "--lead", "10m", "--capacity", "10", "--service-level", "0.99"); code != 0 {
				t.Errorf("report: exit %d: %s", code, stderr)
			}
		})
	}
}
