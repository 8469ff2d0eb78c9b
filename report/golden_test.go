package report

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"headstart.dev/headstart/capacity"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/report/internal/format"
	"headstart.dev/headstart/report/learned"
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
	r.Capacity = inventedCapacity(r.options.at(r.trace.from))
	head, _ := r.Result(PolicyHeadstart)
	reactive, _ := r.Result(PolicyReactive)
	r.Sweep = []SweepPoint{{LeadSeconds: 600, LeadSteps: 1, Headstart: *head.Figures, Reactive: *reactive.Figures}}
	r.conclude()
	return r
}

// inventedCapacity has a value in every field.
func inventedCapacity(since time.Time) *learned.Summary {
	s := &learned.Summary{
		Configured: 26, Used: 20, Source: capacity.SourceLearned, Estimate: new(21.2), Lower: new(19.6), Carried: new(20.4),
		Steps: 1204, Missed: 17, Since: &since, AtMost: 0.5, Attain: 0.99,
		AtConfigured: &learned.Cost{ReplicaHours: 400, Money: 2000, Unserved: 0.031, Met: new(0.874)},
		AtLearned:    &learned.Cost{ReplicaHours: 512.5, Money: 2562.5, Unserved: 0.002, Met: new(0.993)},
		Moves: []learned.Move{
			{At: since.Add(-24 * time.Hour), Capacity: 26, Source: capacity.SourceDefault},
			{At: since, Capacity: 20, Source: capacity.SourceLearned},
		},
	}
	for i := range 24 {
		load := float64(i + 2)
		p := learned.CurvePoint{Load: load, Median: 0.1 + 0.2*math.Pow(load/20, 6), Steps: 50}
		p.Quantile = 1.5 * p.Median
		if p.Quantile > s.AtMost {
			p.Missed = 5
		}
		s.Curve = append(s.Curve, p)
	}
	return s
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
