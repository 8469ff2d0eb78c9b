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
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// fixed is a report whose headstart is made up, so that its JSON does not change with the models: it knows the future, and adds one
// replica. The tests of package render read the JSON, and render it.
func fixed(t *testing.T) *Report {
	t.Helper()
	peaks, err := ReadPeaks(strings.NewReader(noonYAML))
	if err != nil {
		t.Fatal(err)
	}
	o := DefaultOptions()
	o.Series = load(t, filepath.Join("..", "testdata", "gaps_10m.csv.gz"))
	o.From, o.Lead, o.Capacity, o.Contract = len(o.Series.Values)/3, 10*time.Minute, 20, forecaster.Contract{ServiceLevel: 0.99}
	o.Name, o.Peaks, o.Headroom, o.GPUs, o.Price, o.Service = "gaps_10m.csv.gz", peaks.Schedules, true, 2, 2.5, "Face Fusion"
	o.Policies = []string{PolicyReactive, PolicyReactiveExact, PolicyTimed, PolicyYesterday, PolicyStatic, PolicyOracle}
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	oracle, _ := r.Result(PolicyOracle)
	scored := r.trace.span(r.trace.from, len(r.trace.raw))
	made := Result{Policy: PolicyHeadstart, Label: policies[PolicyHeadstart].label, wish: make([]float64, len(oracle.wish))}
	r.replay = &Replay{Skilled: len(oracle.wish), Final: forecaster.Description{
		Skill: 0.5, Periods: []time.Duration{24 * time.Hour}, Models: []forecaster.Weight{{Model: "made up", Share: 1}},
		Warnings: []string{"this forecast is made up, to hold the renderings and nothing else; it is long enough to be wrapped over two lines"},
	}}
	for i, w := range oracle.wish {
		made.wish[i] = w + 1
		r.replay.Wish = append(r.replay.Wish, w+1)
		r.replay.Served = append(r.replay.Served, (w+0.5)*o.Capacity)
		r.replay.Expected = append(r.replay.Expected, r.trace.held[r.trace.from+i])
	}
	figures := scored.score(made.wish, r.trace.stab).against(*oracle.Figures)
	made.Figures = &figures
	made.Paid, made.Ready = scored.follow(made.wish, r.trace.stab)
	r.Policies = append([]Result{made}, r.Policies...)
	r.Model = r.model()
	r.Notes = []string{"a note of the input"}
	reactive, _ := r.Result(PolicyReactive)
	r.Sweep = []SweepPoint{{LeadSeconds: 600, LeadSteps: 1, Headstart: figures, Reactive: *reactive.Figures}}
	r.conclude()
	return r
}

func TestGoldenJSON(t *testing.T) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(fixed(t)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "report.json")
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("-want, +got (-update rewrites it):\n%s", diff)
	}
}

func TestVerdict(t *testing.T) {
	figures := func(unserved, hours, cost float64) Figures {
		return Figures{Unserved: unserved, ReplicaHours: hours, Cost: cost}
	}
	cases := map[string]struct {
		head, today Figures
		doubted     bool
		want        string
	}{
		"Cheaper":        {figures(0.001, 110, 80), figures(0.05, 100, 100), false, "20 % cheaper: switch it on"},
		"CheaperDoubted": {figures(0.001, 110, 80), figures(0.05, 100, 100), true, "worth a trial in mode DryRun"},
		"Same":           {figures(0.001, 100, 98), figures(0.001, 100, 100), false, "little to gain"},
		"Dearer":         {figures(0.001, 150, 130), figures(0.001, 100, 100), false, "30 % dearer: leave it off"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := verdict(tc.head, tc.today, "the reactive HPA", advice(1-ratio(tc.head.Cost, tc.today.Cost), nil, tc.doubted)); !strings.Contains(got, tc.want) {
				t.Errorf("%q does not say %q", got, tc.want)
			}
		})
	}
}

func TestDoubts(t *testing.T) {
	weeks := Input{Start: start, From: start.Add(14 * 24 * time.Hour), LeadSeconds: 600, Scored: 100}
	rhythm := &Model{PeriodSeconds: []float64{86400}, SkilledShare: 1}
	lossy := Figures{Unserved: 0.05, ReplicaHours: 100}
	change := func(in Input, f func(*Input)) Input { f(&in); return in }
	cases := map[string]struct {
		report      Report
		head, today Figures
		want        string
	}{
		"None":         {Report{Input: weeks, Model: rhythm}, lossy, lossy, ""},
		"Young":        {Report{Input: change(weeks, func(in *Input) { in.From = start.Add(time.Hour) }), Model: rhythm}, lossy, lossy, "two days"},
		"NoRhythm":     {Report{Input: weeks, Model: &Model{SkilledShare: 1}}, lossy, lossy, "no daily or weekly rhythm"},
		"NoSkill":      {Report{Input: weeks, Model: &Model{PeriodSeconds: []float64{1}, SkilledShare: 0.2}}, lossy, lossy, "20.0 % of the steps"},
		"FastStart":    {Report{Input: change(weeks, func(in *Input) { in.LeadSeconds = 20 }), Model: rhythm}, lossy, Figures{Unserved: 0.005, ReplicaHours: 90}, "fast enough"},
		"FastButLossy": {Report{Input: change(weeks, func(in *Input) { in.LeadSeconds = 20 }), Model: rhythm}, lossy, lossy, ""},
		"Idle":         {Report{Input: weeks, Model: rhythm}, Figures{ReplicaHours: 100}, Figures{ReplicaHours: 100}, "already"},
		"Gaps":         {Report{Input: change(weeks, func(in *Input) { in.Gaps = 60 }), Model: rhythm}, lossy, lossy, "60.0 % of the replayed steps"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(tc.report.doubts(tc.head, tc.today), "; ")
			if (tc.want == "") != (got == "") || !strings.Contains(got, tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestServiceName(t *testing.T) {
	for in, want := range map[string]string{
		"": "my-service", "Face Fusion": "face-fusion", "a--b_c": "a-b-c", "-x-": "x", "日本": "my-service", strings.Repeat("ab", 40): strings.Repeat("ab", 25),
	} {
		if got := serviceName(in); got != want {
			t.Errorf("serviceName(%q) = %q, want %q", in, got, want)
		}
	}
}

// What a Forecast has already stays as it is in what is proposed for it.
func TestProposalKeepsWhatIsThere(t *testing.T) {
	r := fixed(t)
	most := resource.MustParse("900")
	r.options.Existing = &v1alpha1.Forecast{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec: v1alpha1.ForecastSpec{
			Demand:    &v1alpha1.DemandSource{Prometheus: v1alpha1.PrometheusQuery{Query: "x", Source: "second"}},
			TargetRef: v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "web-v2"},
			LeadTime:  v1alpha1.LeadTime{Mode: v1alpha1.LeadTimeFixed}, Mode: v1alpha1.ForecastActive,
			Seasonality: v1alpha1.Seasonality{Calendars: []string{"holidays"}}, Bounds: v1alpha1.Bounds{Max: &most},
		},
	}
	r.conclude()
	for _, want := range []string{
		"  name: web\n  namespace: shop\n", "source: 'second'", "kind: StatefulSet, name: web-v2", "leadTime: {mode: Fixed, fixed: 10m}",
		"calendars: [holidays]", "bounds: {max: '900'}\n", "mode: Active\n",
	} {
		if !strings.Contains(r.Proposal.Forecast, want) {
			t.Errorf("%q is missing in\n%s", want, r.Proposal.Forecast)
		}
	}
	if !strings.Contains(r.Proposal.HPA, "scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: web-v2}") || !strings.Contains(r.Proposal.HPA, "metric: {name: web}") {
		t.Errorf("the HPA is\n%s", r.Proposal.HPA)
	}
}
