package report

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history/csvfile"
)

// figures are the figures that closedloop.py writes.
type figures struct {
	Unserved, Short, Alive, Util, J float64
	JX                              float64 `json:"J_x"`
	CostX                           float64 `json:"cost_x"`
}

// compare reports the figures that differ by more than a relative tolerance.
func (f figures) compare(t *testing.T, what string, got Figures, tolerance float64) {
	t.Helper()
	for _, c := range []struct {
		name      string
		want, got float64
	}{
		{"unserved", f.Unserved, got.Unserved},
		{"short", f.Short, got.Short},
		{"alive", f.Alive, got.MeanReplicas},
		{"util", f.Util, got.Utilisation},
		{"J", f.J, got.Cost},
		{"J_x", f.JX, got.CostOverOracle},
		{"cost_x", f.CostX, got.ReplicasOverOracle},
	} {
		if math.Abs(c.got-c.want) > tolerance*math.Max(1, math.Abs(c.want)) {
			t.Errorf("%s: %s is %v, the yardstick says %v", what, c.name, c.got, c.want)
		}
	}
}

// The figures of the policies agree with those of an independent implementation. A Python program
// with the same closed loop and the same policies made testdata/yardstick.json from the synthetic
// traces. Its shuffles for Crane are different, so the figures of Crane may differ a little.
func TestPoliciesAgainstYardstick(t *testing.T) {
	type judged struct {
		AsIs     figures `json:"asis"`
		Headroom float64
		Tuned    *figures
	}
	var golden map[string]struct {
		Capacity            float64
		LeadSteps, FromStep int
		Oracle              figures
		Policies            map[string]judged
	}
	text, err := os.ReadFile(filepath.Join("testdata", "yardstick.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{
		"static": PolicyStatic, "reactive": PolicyReactiveExact, "timed": PolicyTimed, "lastweek": PolicyLastWeek,
		"yesterday": PolicyYesterday, "crane": PolicyCrane,
	}
	for trace, want := range golden {
		t.Run(trace, func(t *testing.T) {
			o := DefaultOptions()
			o.Series = load(t, filepath.Join("..", "testdata", trace+".csv.gz"))
			o.From, o.Lead, o.Capacity = want.FromStep, time.Duration(want.LeadSteps)*o.Series.Step, want.Capacity
			o.Contract, o.Headroom = forecaster.Contract{ShortageCost: 20}, true
			o.Policies = []string{PolicyOracle}
			for _, name := range names {
				o.Policies = append(o.Policies, name)
			}
			r, err := Run(context.Background(), o)
			if err != nil {
				t.Fatal(err)
			}
			oracle, _ := r.Result(PolicyOracle)
			want.Oracle.compare(t, "oracle", *oracle.Figures, 1e-9)
			for theirs, ours := range names {
				got, _ := r.Result(ours)
				judged, run := want.Policies[theirs]
				if run != (got.Figures != nil) {
					t.Errorf("%s: run is %v, the yardstick says %v", ours, got.Figures != nil, run)
				}
				if !run {
					continue
				}
				tolerance := 1e-9
				if ours == PolicyCrane {
					tolerance = 0.02
				}
				judged.AsIs.compare(t, ours, *got.Figures, tolerance)
				if judged.Tuned != nil && ours != PolicyCrane {
					judged.Tuned.compare(t, ours+" with headroom", *got.Tuned, tolerance)
				}
			}
		})
	}
}

// realTrace is a trace of the yardstick: its step in seconds, its lead in steps, its history in
// days, and whether it takes only seconds.
type realTrace struct {
	name             string
	step, lead, days int
	quick            bool
}

var realTraces = []realTrace{
	{"llm_servegen_m_mid_client30_10min", 600, 1, 8, true},
	{"llm_servegen_m_mid_client40_10min", 600, 1, 8, false},
	{"llm_servegen_m_mid_client66_10min", 600, 1, 8, false},
	{"llm_servegen_m_large_client156_10min", 600, 1, 8, true},
	{"llm_servegen_m_large_10min", 600, 1, 8, false},
	{"llm_servegen_m_mid_10min", 600, 1, 8, false},
	{"llm_azure2024_code_10min", 600, 1, 4, true},
	{"llm_burstgpt_tokens_1min", 60, 10, 4, false},
	{"tencent_cpu_02_1min", 60, 10, 10, false},
	{"tencent_cpu_07_1min", 60, 10, 10, false},
	{"tencent_cpu_08_1min", 60, 10, 10, false},
	{"tencent_cpu_11_1min", 60, 10, 10, false},
	{"tencent_cpu_12_1min", 60, 10, 10, false},
	{"web_worldcup98_to_june9_1min", 60, 10, 20, false},
	{"web_nasa_july_1min", 60, 10, 14, false},
	{"web_appserver_2015_2017_1h", 3600, 1, 365, false},
	{"web_aws_elb_5min", 300, 2, 8, true},
	{"nyc_taxi_30min", 1800, 1, 100, false},
	{"tweets_AMZN_5min", 300, 2, 28, false},
	{"road_i94_1h", 3600, 1, 730, false},
	{"bikeshare_to_2017_1h", 3600, 1, 1095, false},
	{"electricity_vic_2012_2013_30min", 1800, 1, 365, false},
}

// options returns the series, and Options with the lead, history and capacity of the yardstick.
func (rt realTrace) options(t *testing.T, data string) ([]csvfile.NamedSeries, Options) {
	t.Helper()
	all, err := csvfile.Open(filepath.Join(data, rt.name+".csv.gz"), csvfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := DefaultOptions()
	o.Series, o.From = all[0].Series, rt.days*86400/rt.step
	o.Lead, o.Contract = time.Duration(rt.lead*rt.step)*time.Second, forecaster.Contract{ShortageCost: 20}
	sum, n := 0.0, 0.0
	for _, v := range o.Series.Values[:o.From] {
		if !math.IsNaN(v) {
			sum, n = sum+v, n+1
		}
	}
	o.Capacity = sum / n / 20
	return all, o
}

// Crane's scores are those of the yardstick's table, within 2 %. HEADSTART_ALL_TRACES=1 tests all
// 22 traces, and not only those that take seconds.
func TestCraneAgainstTheTable(t *testing.T) {
	if testing.Short() {
		t.Skip("its real traces take longer than most other tests of this package")
	}
	data := sharedData(t)
	text, err := os.ReadFile(filepath.Join(filepath.Dir(data), "yardstick", "README.md"))
	if data == "" || err != nil {
		t.Skip("NOT COMPARED WITH THE TABLE: there is no ../shared/yardstick/README.md")
	}
	for _, rt := range realTraces {
		if !rt.quick && os.Getenv("HEADSTART_ALL_TRACES") == "" {
			continue
		}
		t.Run(rt.name, func(t *testing.T) {
			row := regexp.MustCompile(`(?m)^\| ` + rt.name + ` \|.*$`).FindString(string(text))
			cells := strings.Split(row, "|")
			if len(cells) < 9 {
				t.Fatalf("the table has no row for it: %q", row)
			}
			asIs, _, _ := strings.Cut(strings.TrimSpace(cells[8]), " / ")
			want, err := strconv.ParseFloat(asIs, 64)
			if err != nil {
				t.Fatal(err)
			}
			_, o := rt.options(t, data)
			o.Policies = []string{PolicyCrane, PolicyOracle}
			r, err := Run(context.Background(), o)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := r.Result(PolicyCrane)
			t.Logf("%.4f; in the table: %s", got.CostOverOracle, asIs)
			if math.Abs(got.CostOverOracle/want-1) > 0.02 {
				t.Errorf("Crane's score is %.4f, and %s in the table", got.CostOverOracle, asIs)
			}
		})
	}
}

// The report's figures are those that the yardstick's own program computes from the same decisions.
// HEADSTART_ALL_TRACES=1 tests all 22 traces, which takes minutes, and not only four.
func TestDecisionsAgainstYardstick(t *testing.T) {
	if testing.Short() {
		t.Skip("its real traces take longer than most other tests of this package")
	}
	data := sharedData(t)
	script := filepath.Join(filepath.Dir(data), "yardstick", "closedloop.py")
	python := findPython()
	if data == "" || !exists(script) || python == "" {
		t.Log("NOT JUDGED BY THE YARDSTICK: it needs ../shared/yardstick/closedloop.py and a python3 with numpy; " +
			"TestScoreIsTheClosedLoop and TestPoliciesAgainstYardstick still test the figures")
		return
	}
	for _, rt := range realTraces {
		if !rt.quick && os.Getenv("HEADSTART_ALL_TRACES") == "" {
			continue
		}
		t.Run(rt.name, func(t *testing.T) {
			path := filepath.Join(data, rt.name+".csv.gz")
			all, o := rt.options(t, data)
			o.Policies = []string{PolicyHeadstart, PolicyReactiveExact, PolicyStatic, PolicyOracle}
			r, err := Run(context.Background(), o)
			if err != nil {
				t.Fatal(err)
			}
			var decisions bytes.Buffer
			decisions.WriteString("timestamp,replicas\n")
			desired, _ := r.DesiredReplicas()
			for i, n := range desired {
				fmt.Fprintf(&decisions, "%s,%d\n", all[0].Timestamp(o.From+i), n)
			}
			file := filepath.Join(t.TempDir(), "decisions.csv")
			if err := os.WriteFile(file, decisions.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), python, script, path, "--step", fmt.Sprint(rt.step),
				"--lead", fmt.Sprint(rt.lead), "--warm", fmt.Sprint(o.From), "--decisions", file).Output()
			if err != nil {
				t.Fatal(err)
			}
			var judged map[string]json.RawMessage
			if err := json.Unmarshal(out, &judged); err != nil {
				t.Fatal(err)
			}
			for theirs, ours := range map[string]string{
				"decisions": PolicyHeadstart, "reactive": PolicyReactiveExact,
				"static": PolicyStatic, "oracle": PolicyOracle,
			} {
				var want figures
				if err := json.Unmarshal(judged[theirs], &want); err != nil {
					t.Fatal(err)
				}
				got, _ := r.Result(ours)
				want.compare(t, ours, *got.Figures, 1e-9)
			}
			head, _ := r.Result(PolicyHeadstart)
			t.Logf("headstart %.4f × the oracle's cost", head.CostOverOracle)
		})
	}
}

// findPython returns a python3 that has numpy, or "".
func findPython() string {
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import numpy").Run() == nil {
			return python
		}
	}
	return ""
}
