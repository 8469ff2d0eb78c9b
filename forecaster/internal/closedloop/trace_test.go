package closedloop

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestScoreByHand(t *testing.T) {
	// Mean demand before the scored steps is 20, so one replica serves 1 per step. The lead is one
	// step, and a scale-down does not wait.
	tr := New("hand", time.Unix(0, 0).UTC(), 10*time.Minute, []float64{20, 20, 3, 5, math.NaN(), 2}, 1, 2)
	// Paid 3, 4, 9, 9: served at most 3, 3, 4, 9. Step 1 misses 2; the gap is left out.
	s := tr.Score([]float64{3, 4, 9, 9})
	if want := 3 + 4 + 9 + 20*2.0; math.Abs(s.J-want) > 1e-9 {
		t.Errorf("J is %g, want %g", s.J, want)
	}
	if want := 2.0 / 10; math.Abs(s.Unserved-want) > 1e-9 {
		t.Errorf("unserved is %g, want %g", s.Unserved, want)
	}
	// The oracle requests 5 a step early. Through the gap it holds only what the next step needs.
	// It pays 5 + 5 + 2.
	if want := 5 + 5 + 2.0; tr.Oracle.J != want {
		t.Errorf("the oracle's J is %g, want %g", tr.Oracle.J, want)
	}
}

// A young service knows less, and is scored on the same steps at the same capacity.
func TestYoung(t *testing.T) {
	tr := New("hand", time.Unix(0, 0).UTC(), 10*time.Minute, []float64{10, 30, 20, 5, 7, 9, 2}, 1, 3)
	young, ok := tr.Young(20*time.Minute, 30*time.Minute)
	if !ok || young.Warm != 2 || len(young.Raw) != 5 || young.Raw[0] != 30 || young.Capacity != tr.Capacity {
		t.Fatalf("got %+v, %v", young, ok)
	}
	if want := tr.Start.Add(10 * time.Minute); !young.Start.Equal(want) {
		t.Errorf("it starts at %s, want %s", young.Start, want)
	}
	// The oracle pays 7, 9 and 9 for 5, 7 and 9.
	if want := 7 + 9 + 9.0; young.Oracle.J != want {
		t.Errorf("the oracle's J is %g, want %g", young.Oracle.J, want)
	}
	if _, ok := tr.Young(time.Hour, time.Hour); ok {
		t.Error("an hour of history is had from half of it")
	}
}

// TestScoreLikeTheYardstick compares scores with those of the yardstick's own implementation.
func TestScoreLikeTheYardstick(t *testing.T) {
	shared, err := Shared()
	if err != nil {
		t.Logf("compared by hand only: %v", err)
		return
	}
	python := "/usr/bin/python3"
	if exec.Command(python, "-c", "import numpy").Run() != nil {
		t.Log("compared by hand only: the yardstick needs python3 with numpy")
		return
	}
	c := Cases()[0]
	tr, err := c.Open(shared)
	if err != nil {
		t.Fatal(err)
	}
	decisions := tr.Decisions(Reactive(tr, tr.Warm, len(tr.Raw)), 1.2)
	path := filepath.Join(t.TempDir(), "decisions.csv")
	writeDecisions(t, path, tr, decisions)
	out, err := exec.Command(python, filepath.Join(shared, "yardstick", "closedloop.py"), c.Path(shared),
		"--step", fmt.Sprint(int(c.Step.Seconds())), "--lead", fmt.Sprint(c.Lead), "--warm", fmt.Sprint(tr.Warm),
		"--decisions", path).Output()
	if err != nil {
		t.Fatalf("the yardstick: %v", err)
	}
	var theirs struct {
		Decisions, Oracle struct{ Unserved, Short, Alive, J float64 }
	}
	if err := json.Unmarshal(out, &theirs); err != nil {
		t.Fatal(err)
	}
	ours := tr.Score(decisions)
	for name, pair := range map[string][2]float64{
		"unserved":       {ours.Unserved, theirs.Decisions.Unserved},
		"short":          {ours.Short, theirs.Decisions.Short},
		"replicas":       {ours.Replicas, theirs.Decisions.Alive},
		"J":              {ours.J, theirs.Decisions.J},
		"the oracle's J": {tr.Oracle.J, theirs.Oracle.J},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-6*math.Abs(pair[1]) {
			t.Errorf("%s is %g here and %g by the yardstick", name, pair[0], pair[1])
		}
	}
}

// writeDecisions writes decisions as the yardstick reads them.
func writeDecisions(t *testing.T, path string, tr *Trace, decisions []float64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := csv.NewWriter(f)
	_ = w.Write([]string{"timestamp", "replicas"})
	for i, r := range decisions {
		at := tr.Start.Add(time.Duration(tr.Warm+i) * tr.Step)
		_ = w.Write([]string{at.Format(time.RFC3339), fmt.Sprint(r)})
	}
	w.Flush()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
