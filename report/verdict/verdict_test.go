package verdict

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"headstart.dev/headstart/report/internal/format"
)

// Twice what may be missed is no limit for a low service level.
func TestPromiseKept(t *testing.T) {
	cases := map[string]struct {
		reason                string
		asked, reached, least float64
	}{
		"High":   {"twice as much may be missed", 0.99, 0.98, 0.9799},
		"Middle": {"twice, and ten points more", 0.9, 0.8, 0.7999},
		"Low":    {"ten points more", 0.5, 0.4, 0.3999},
		"Cost":   {"a shortage cost of 2 allows every other step", 0.5, 0.4, 0.05},
	}
	for name, tc := range cases {
		kept, unkept := Promise{Asked: tc.asked, Reached: tc.reached}, Promise{Asked: tc.asked, Reached: tc.least}
		if !kept.Kept() || unkept.Kept() {
			t.Errorf("%s: %s: %v of %v is kept: %v; %v is: %v", name, tc.reason, tc.reached, tc.asked, kept.Kept(),
				tc.least, unkept.Kept())
		}
	}
}

func TestDecide(t *testing.T) {
	today := func(more int) Rival { return Rival{Name: "timed × 1.10", More: more} }
	worse := []Rival{{Name: "reactive", More: -40}, {Name: "static", More: -70}}
	kept := Promise{Of: "lead windows", Asked: 0.99, Reached: 0.985}
	cases := map[string]struct {
		reason string
		facts  Facts
		want   Advice
		first  string
	}{
		"Clear": {
			"every row needs more than Headstart at its service",
			Facts{Today: today(-31), Others: worse, Promise: kept},
			SwitchOn, "31 % fewer",
		},
		"Small": {"too small a gain to change anything for", Facts{Today: today(-4), Others: worse}, TryDryRun, "only 4 %"},
		"Tie":   {"a tie goes to what runs today", Facts{Today: today(0), Others: worse}, LeaveOff, "a tie"},
		"FromNothing": {
			"more than nothing is no tie",
			Facts{Today: today(format.Endless), Others: worse},
			LeaveOff,
			"Headstart needs more replica-hours",
		},
		"OtherOfNothing": {
			"nor beside another row",
			Facts{Today: today(-31), Others: []Rival{{Name: "keda-prometheus", More: format.Endless}}},
			TryDryRun, "at its service, Headstart needs more replica-hours",
		},
		"Worse": {"the policy of today is better", Facts{Today: today(3), Others: worse}, LeaveOff, "3 % more"},
		"NotReached": {
			"no setting serves as much", Facts{Today: Rival{Name: "static", Beyond: true}}, LeaveOff, "no setting",
		},
		"AnotherIsBetter": {
			"the table shows a better policy",
			Facts{Today: today(-31), Others: []Rival{{Name: "crane", More: 2}}},
			TryDryRun, "31 % fewer replica-hours, but crane turned out better",
		},
		"AnotherTies": {
			"the table shows a policy that is as good",
			Facts{Today: today(-31), Others: []Rival{{Name: "crane"}}},
			TryDryRun, "31 % fewer",
		},
		"AnotherServesLess": {
			"a row that serves less than Headstart and today is none to choose",
			Facts{Today: today(-31), Others: []Rival{{Name: "reactive", More: 6, Unserved: 0.06}}},
			SwitchOn, "31 % fewer",
		},
		"AnotherIsCheaper": {
			"under a shortage cost, the table shows a lower weighed cost",
			Facts{
				Today: Rival{Name: "timed", More: -9, Cost: 1.2}, Own: Rival{Cost: 1.1}, Weighed: true,
				Others: []Rival{{Name: "crane", More: -2, Cost: 1.1}},
			},
			TryDryRun, "9 % fewer",
		},
		"AnotherIsBeyond": {
			"the table shows a policy that serves more",
			Facts{Today: today(-31), Others: []Rival{{Name: "static", Beyond: true}}},
			TryDryRun, "31 % fewer",
		},
		"Unkept": {
			"what was promised and not kept comes first",
			Facts{Today: today(-31), Others: worse, Promise: Promise{"lead windows", 0.99, 0.59}},
			TryDryRun, "59.0 % of lead windows were covered, of 99.0 % asked",
		},
		"UnkeptAndWorse": {
			"a warning does not soften the advice",
			Facts{Today: today(3), Promise: Promise{"lead windows", 0.99, 0.59}},
			LeaveOff, "59.0 %",
		},
		"Manifold":   {"several times today's replicas", Facts{Today: today(-31), Multiple: 3.2}, TryDryRun, "3.2 times"},
		"Unreliable": {"some weeks have no gain", Facts{Today: today(-31), Unreliable: true}, TryDryRun, "31 % fewer"},
		"Doubt": {
			"a doubt", Facts{Today: today(-31), Doubts: []string{"gaps"}}, TryDryRun, "31 % fewer replica-hours, but gaps",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.facts.Unit = "replica-hours"
			got := Decide(tc.facts)
			if got.Advice != tc.want || !strings.Contains(got.Reasons[0], tc.first) {
				t.Errorf("%s: %s, %q, want %s with %q first", tc.reason, got.Advice, got.Reasons, tc.want, tc.first)
			}
		})
	}
}

// The advice is never to switch on beside a row that is as good or better, and always has a reason.
func TestDecideAgreesWithEveryRow(t *testing.T) {
	rival := rapid.Custom(func(t *rapid.T) Rival {
		return Rival{
			Name: "x", More: rapid.IntRange(-60, 20).Draw(t, "more"), Beyond: rapid.IntRange(0, 9).Draw(t, "beyond") == 0,
			Unserved: float64(rapid.IntRange(0, 3).Draw(t, "unserved")) / 100,
			Cost:     float64(rapid.IntRange(10, 20).Draw(t, "cost")) / 10,
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		f := Facts{
			Unit: "replica-hours", Own: rival.Draw(t, "own"), Weighed: rapid.Bool().Draw(t, "weighed"),
			Today: rival.Draw(t, "today"), Others: rapid.SliceOfN(rival, 0, 3).Draw(t, "others"),
			Multiple:   float64(rapid.IntRange(5, 40).Draw(t, "multiple")) / 10,
			Unreliable: rapid.Bool().Draw(t, "unreliable"), Doubts: rapid.SliceOfN(rapid.Just("doubt"), 0, 1).Draw(t, "doubts"),
			Promise: Promise{"steps", 0.95, float64(rapid.IntRange(50, 100).Draw(t, "reached")) / 100},
		}
		d := Decide(f)
		if len(d.Reasons) == 0 {
			t.Fatal("no reason")
		}
		if first := d.Reasons[0]; d.Advice != SwitchOn && strings.HasSuffix(first, "% fewer replica-hours") &&
			!strings.Contains(first, "only") && !strings.Contains(first, ", but ") {
			t.Fatalf("%s: %q speaks for the opposite", d.Advice, d.Reasons)
		}
		good := !f.Today.Beyond && f.Today.More <= -Worthwhile && f.Promise.Reached >= 0.9 && f.Multiple < 2 &&
			!f.Unreliable && len(f.Doubts) == 0
		for _, r := range f.Others {
			chosen := r.Unserved <= max(f.Own.Unserved, f.Today.Unserved)
			good = good && (!chosen || !r.Beyond && r.More < 0) && !(f.Weighed && r.Cost <= f.Own.Cost)
		}
		good = good && !(f.Weighed && f.Today.Cost <= f.Own.Cost)
		bad := f.Today.Beyond || f.Today.More >= 0
		if (d.Advice == SwitchOn) != good || (d.Advice == LeaveOff) != bad {
			t.Fatalf("%s for %+v", d.Advice, f)
		}
	})
}
