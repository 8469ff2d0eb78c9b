package report

import (
	"strings"
	"testing"
	"time"
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
