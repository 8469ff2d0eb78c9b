package report

import (
	"strings"
	"testing"
	"time"
)

func TestVerdict(t *testing.T) {
	figures := func(unserved, hours, cost float64) Figures {
		return Figures{Unserved: unserved, ReplicaHours: hours, Cost: cost}
	}
	low := -0.01
	cases := map[string]struct {
		head, today Figures
		doubted     bool
		low         *float64
		want        string
	}{
		"Cheaper": {
			head: figures(0.001, 110, 80), today: figures(0.05, 100, 100),
			want: "20 % cheaper: switch it on",
		},
		"CheaperDoubted": {
			head: figures(0.001, 110, 80), today: figures(0.05, 100, 100), doubted: true,
			want: "20 % cheaper, but see the doubts below: try it in mode DryRun first",
		},
		"CheaperUnreliably": {
			head: figures(0.001, 110, 80), today: figures(0.05, 100, 100), low: &low,
			want: "20 % cheaper, but not reliably from week to week: try it in mode DryRun first",
		},
		"Same": {
			head: figures(0.001, 100, 98), today: figures(0.001, 100, 100),
			want: "little to gain",
		},
		"MoreExpensive": {
			head: figures(0.001, 150, 130), today: figures(0.001, 100, 100),
			want: "30 % more expensive: leave it off",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			gain := &Gain{Share: 1 - ratio(tc.head.Cost, tc.today.Cost), Low: tc.low}
			today := Result{Policy: PolicyReactive, Figures: &tc.today}
			if got := verdict(tc.head, today, advice(gain, tc.doubted)); !strings.Contains(got, tc.want) {
				t.Errorf("%q does not say %q", got, tc.want)
			}
		})
	}
}

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
		report      Report
		head, today Figures
		want        string
	}{
		"None": {Report{Input: twoWeeks, Model: daily}, short, short, ""},
		"Young": {
			Report{Input: input(func(in *Input) { in.From = start.Add(time.Hour) }), Model: daily},
			short, short,
			"two days",
		},
		"NoPattern": {
			Report{Input: twoWeeks, Model: &Model{SkilledShare: 1}},
			short, short,
			"no daily or weekly pattern",
		},
		"NoSkill": {
			Report{Input: twoWeeks, Model: &Model{PeriodSeconds: []float64{1}, SkilledShare: 0.2}},
			short, short,
			"20.0 % of the steps",
		},
		"FastStart": {
			Report{Input: fastStart, Model: daily},
			short,
			Figures{Unserved: 0.005, ReplicaHours: 90},
			"fast enough",
		},
		"FastButShort": {Report{Input: fastStart, Model: daily}, short, short, ""},
		"Idle": {
			Report{Input: twoWeeks, Model: daily},
			Figures{ReplicaHours: 100},
			Figures{ReplicaHours: 100},
			"already",
		},
		"Gaps": {
			Report{Input: input(func(in *Input) { in.Gaps = 60 }), Model: daily},
			short, short,
			"60.0 % of the replayed steps",
		},
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
