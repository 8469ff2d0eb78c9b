package report

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/report/internal/format"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// fixed returns a report with an invented result of Headstart, so that its JSON does not depend on
// the models. The invented Headstart knows the future, and adds one replica. The tests of package
// render read this JSON and render it.
func fixed(t *testing.T) *Report {
	t.Helper()
	peaks, err := ReadPeaks(strings.NewReader(noonYAML))
	if err != nil {
		t.Fatal(err)
	}
	o := DefaultOptions()
	o.Series = load(t, filepath.Join("..", "testdata", "gaps_10m.csv.gz"))
	o.From, o.Lead, o.Capacity = len(o.Series.Values)/3, 10*time.Minute, 20
	o.Contract = forecaster.Contract{ServiceLevel: 0.99}
	o.Name, o.Service, o.Peaks = "gaps_10m.csv.gz", "Face Fusion", peaks.Schedules
	o.Headroom, o.GPUs, o.Price, o.Objective = true, 2, 2.5, 0.995
	o.Policies = []string{
		PolicyHPA, PolicyReactive, PolicyReactiveExact, PolicyTimed, PolicyYesterday, PolicyStatic, PolicyOracle,
	}
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	addInventedHeadstart(r)
	r.Model = r.model()
	r.Notes = []string{"a note of the input"}
	head, _ := r.Result(PolicyHeadstart)
	reactive, _ := r.Result(PolicyReactive)
	r.Sweep = []SweepPoint{{LeadSeconds: 600, LeadSteps: 1, Headstart: *head.Figures, Reactive: *reactive.Figures}}
	r.conclude()
	return r
}

func addInventedHeadstart(r *Report) {
	oracle, _ := r.Result(PolicyOracle)
	n := len(oracle.desired)
	head := Result{Policy: PolicyHeadstart, Label: policies[PolicyHeadstart].label, desired: make([]float64, n)}
	r.replay = &Replay{Skilled: n, Final: forecaster.Description{
		Skill: 0.5, Periods: []time.Duration{24 * time.Hour}, Models: []forecaster.Weight{{Model: "made up", Share: 1}},
		Warnings: []string{
			"this forecast is made up, for the tests of the renderings only; it is long enough to be wrapped over two lines",
		},
	}}
	for i, replicas := range oracle.desired {
		head.desired[i] = replicas + 1
		r.replay.Desired = append(r.replay.Desired, replicas+1)
		r.replay.Served = append(r.replay.Served, (replicas+0.5)*r.trace.capacity)
		r.replay.Expected = append(r.replay.Expected, r.trace.filled[r.trace.from+i])
	}
	scored := r.trace.span(r.trace.from, len(r.trace.raw))
	figures := scored.score(head.desired, r.trace.stabilization).against(*oracle.Figures)
	head.Figures = &figures
	run := runner{o: r.options, t: r.trace, scored: scored, oracle: *oracle.Figures}
	head.Frontier = run.headstartFrontier(r.replay)
	head.Paid, head.Ready = scored.follow(head.desired, r.trace.stabilization)
	r.Policies = append([]Result{head}, r.Policies...)
}

func TestGoldenJSON(t *testing.T) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(fixed(t)); err != nil {
		t.Fatal(err)
	}
	got := format.NumbersOf(b.Bytes()) // as package render writes it
	file := filepath.Join("testdata", "report.json")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("-want, +got (-update rewrites it):\n%s", diff)
	}
}
