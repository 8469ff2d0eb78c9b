package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner/plan"
)

// A report writes one plan for each step of the replay. Each covers the whole horizon, and is for
// the lead of --lead, not for those of --sweep.
func TestReportWritesItsPlans(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plans.json")
	_, stderr, code := headstart(t, "report --lead 1h --capacity 2.5 --shortage-cost 20 --from 10d --horizon 12h "+
		"--sweep --policies headstart,headstart-no-peaks,oracle",
		"--input", file(t, "demand.csv", twoWeeks()), "--plans", path)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	var before time.Time
	for i, line := range lines {
		var encoded v1alpha1.Plan
		if err := json.Unmarshal([]byte(line), &encoded); err != nil {
			t.Fatal(err)
		}
		plan, err := plan.Decode(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if plan.End().Sub(plan.Start) != 12*time.Hour {
			t.Fatalf("line %d: a plan of %s, want the whole horizon of 12h", i+1, plan.End().Sub(plan.Start))
		}
		if i > 0 && plan.ComputedAt.Sub(before) != time.Hour {
			t.Fatalf("line %d was made at %s, after %s: want one for each step", i+1, plan.ComputedAt, before)
		}
		// A plan begins where the series ends. A missing value at its end may still come in.
		if age := plan.ComputedAt.Sub(plan.Start); age < 0 || age >= 5*time.Hour {
			t.Fatalf("line %d: the plan made at %s begins at %s", i+1, plan.ComputedAt, plan.Start)
		}
		before = plan.ComputedAt
	}
	if len(lines) != 4*24 {
		t.Errorf("%d plans, want one for each hour of four days", len(lines))
	}
}
