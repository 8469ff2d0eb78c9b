package report

import (
	"slices"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/report/verdict"
)

func TestDoubts(t *testing.T) {
	input := func(change func(*Input)) Input {
		in := Input{Start: start, From: start.Add(14 * 24 * time.Hour), LeadSeconds: 600, Scored: 100}
		change(&in)
		return in
	}
	twoWeeks := input(func(*Input) {})
	fastStart := input(func(in *Input) { in.LeadSeconds = 20 })
	daily := &Model{PeriodSeconds: []float64{86400}, SkilledShare: 1}
	short := Figures{Unserved: 0.05, ReplicaHours: 100}
	cases := map[string]struct {
		report Report
		today  Figures
		want   string
	}{
		"None": {Report{Input: twoWeeks, Model: daily}, short, ""},
		"Young": {
			Report{Input: input(func(in *Input) { in.From = start.Add(time.Hour) }), Model: daily},
			short,
			"two days",
		},
		"NoPattern": {
			Report{Input: twoWeeks, Model: &Model{SkilledShare: 1}},
			short,
			"no daily or weekly pattern",
		},
		"NoSkill": {
			Report{Input: twoWeeks, Model: &Model{PeriodSeconds: []float64{1}, SkilledShare: 0.2}},
			short,
			"20.0 % of the steps",
		},
		"FastStart": {
			Report{Input: fastStart, Model: daily},
			Figures{Unserved: 0.005, ReplicaHours: 90},
			"fast enough",
		},
		"FastButShort": {Report{Input: fastStart, Model: daily}, short, ""},
		"Gaps": {
			Report{Input: input(func(in *Input) { in.Gaps = 60 }), Model: daily},
			short,
			"60.0 % of the replayed steps",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(tc.report.doubts(tc.today), "; ")
			if (tc.want == "") != (got == "") || !strings.Contains(got, tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// What is known to be wrong about the series is a reason of the answer, not a remark below it.
func TestDoubtsOfTheSeriesCount(t *testing.T) {
	r := fixed(t)
	if r.Decision.Advice != verdict.SwitchOn {
		t.Fatalf("without a doubt the answer is %s", r.Decision.Advice)
	}
	const doubt = "3 of the 40 steps read were answered in part only"
	r.options.Doubts = []string{doubt}
	r.conclude()
	if r.Decision.Advice != verdict.TryDryRun || !strings.HasSuffix(r.Decision.Reasons[0], ", but "+doubt) ||
		!slices.Contains(r.Doubts, doubt) {
		t.Errorf("the answer is %s, because of %q", r.Decision.Advice, r.Decision.Reasons)
	}
}

// A promise is judged by the figure that is shown, not by digits that a reader does not see.
func TestPromiseIsJudgedAsShown(t *testing.T) {
	cases := map[string]struct {
		reason           string
		contract         forecaster.Contract
		covered, stepsOK float64
		kept             bool
	}{
		"Exact":      {"twice as much was missed", forecaster.Contract{ServiceLevel: 0.99}, 0.98, 0, true},
		"AsShown":    {"98.0 % is shown", forecaster.Contract{ServiceLevel: 0.99}, 0.97951, 0, true},
		"Less":       {"97.9 % is shown", forecaster.Contract{ServiceLevel: 0.99}, 0.97949, 0, false},
		"StepsShown": {"10.0 % short is shown", forecaster.Contract{ShortageCost: 20}, 0, 0.89951, true},
		"StepsLess":  {"10.1 % short is shown", forecaster.Contract{ShortageCost: 20}, 0, 0.89949, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := Report{Model: &Model{WindowsCovered: tc.covered}, windows: 1}
			r.options.Contract = tc.contract
			if p := r.promise(Figures{Short: 1 - tc.stepsOK}); p.Kept() != tc.kept {
				t.Errorf("%s: kept %v for %+v", tc.reason, p.Kept(), p)
			}
		})
	}
}

// Money has its currency wherever it stands.
func TestMoneyHasACurrency(t *testing.T) {
	r := fixed(t)
	for currency, want := range map[string]string{"": "money", "EUR": "money in EUR"} {
		r.Input.Currency, r.Input.GPUsPerReplica = currency, 2
		r.conclude()
		named := func(c Change) bool { return c.What == want }
		if r.Baseline.Money == 0 || !slices.ContainsFunc(r.Changes, named) {
			t.Errorf("no row %q in %+v", want, r.Changes)
		}
	}
}
