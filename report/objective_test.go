package report

import (
	"strings"
	"testing"

	"headstart.dev/headstart/report/frontier"
)

// What each policy pays at an objective is read from its frontier.
func TestObjective(t *testing.T) {
	head := frontier.Line{
		{Knob: 5, Contract: "shortage cost 5", ShortageCost: 5, Unserved: 0.01, ReplicaHours: 100},
		{Knob: 50, Contract: "shortage cost 50", ShortageCost: 50, Unserved: 0.001, ReplicaHours: 120},
	}
	rival := frontier.Line{{Knob: 1, Unserved: 0.02, ReplicaHours: 110}, {Knob: 1.5, Unserved: 0, ReplicaHours: 150}}
	short := frontier.Line{{Knob: 8, Unserved: 0.05, ReplicaHours: 90}}
	cases := map[string]struct {
		reason      string
		served      float64
		head, today frontier.Line
		summary     string
	}{
		"None": {"without an objective there is nothing to say", 0, head, rival, ""},
		"Between": {
			"between two points the frontier is straight", 0.9945, head, rival,
			"(a shortage cost between 5 and 50): 21 % fewer than hpa",
		},
		"Fewer": {
			"at the first point it is that point", 0.99, head, rival,
			"pays 100 replica-hours (shortage cost 5): 23 % fewer",
		},
		"TooHigh": {
			"no setting of Headstart does", 0.9999, head, rival, "no setting of Headstart is enough; hpa pays 150",
		},
		"NotToday": {"no setting of today does", 0.99, head, short, "no setting of hpa is enough"},
		"Neither":  {"no setting of either does", 1, head, short, "no setting of Headstart or of hpa is enough"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := &Report{options: Options{Objective: tc.served}, Today: PolicyHPA, Policies: []Result{
				{Policy: PolicyHeadstart, Frontier: tc.head}, {Policy: PolicyHPA, Frontier: tc.today}, {Policy: PolicyOracle},
			}}
			got := r.objective()
			if tc.served == 0 {
				if got != nil {
					t.Errorf("%s: %+v", tc.reason, got)
				}
				return
			}
			if len(got.Policies) != 2 || !strings.Contains(got.Summary, tc.summary) {
				t.Errorf("%s: %q of %d policies, want %q", tc.reason, got.Summary, len(got.Policies), tc.summary)
			}
			for i, line := range []frontier.Line{tc.head, tc.today} {
				hours, ok := line.HoursAt(1 - tc.served)
				if p := got.Policies[i]; ok != (p.ReplicaHours != nil) || ok && *p.ReplicaHours != hours {
					t.Errorf("%s: %s pays %v, want %v, %v", tc.reason, p.Policy, p.ReplicaHours, hours, ok)
				}
			}
		})
	}
}
