package gpuwarm

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/survival"
)

// unsure returns a timeline with expected values, at capacity 1.
func unsure(t interface{ Fatal(args ...any) }, level float64, values, expected string) Timeline {
	plan := planOf(values)
	plan.Segments[0].Expected = expected
	tl, err := NewTimeline(plan, TimelineOptions{Capacity: 1, Level: level})
	if err != nil {
		t.Fatal(err)
	}
	return tl
}

// Services that share a pool are not each held for at their own peak.
func TestJointHolds(t *testing.T) {
	stages := Stages{Node: 2 * time.Minute, Image: time.Minute}
	member := func(values, expected string, replicas int, units float64) Member {
		return Member{Timeline: unsure(t, 0.9, values, expected), Replicas: replicas, Units: units, Stages: stages}
	}
	cases := map[string]struct {
		reason      string
		members     []Member
		correlation float64
		want        Joint
	}{
		"Alone": {
			"One service needs what it needs alone.",
			[]Member{member("2 2 9 9", "2 2 5 5", 2, 1)},
			0,
			Joint{[]int{7}, 7, 7},
		},
		"Nothing": {
			"Nothing is needed.",
			[]Member{member("2 2 2", "1 1 1", 2, 1), member("1 1 1", "1 1 1", 3, 1)},
			0,
			Joint{[]int{0, 0}, 0, 0},
		},
		"TakeTurns": {
			"One rises as the other falls: the peak of the sum counts.",
			[]Member{member("1 9 1 1", "1 9 1 1", 1, 1), member("1 1 9 1", "1 1 9 1", 1, 1)},
			1,
			Joint{[]int{4, 4}, 8, 16},
		},
		"Alike": {
			"Errors that are alike add up linearly.",
			[]Member{member("10 10 10", "6 6 6", 6, 1), member("9 9 9", "6 6 6", 6, 1)},
			1,
			Joint{[]int{4, 3}, 7, 7},
		},
		"Independent": {
			"Independent errors of 4 and 3 add up to 5.",
			[]Member{member("10 10 10", "6 6 6", 6, 1), member("9 9 9", "6 6 6", 6, 1)},
			0,
			Joint{[]int{3, 2}, 5, 7},
		},
		"ExpectedIsNotSaved": {
			"What both are expected to need is held in full.",
			[]Member{member("8 8 8", "8 8 8", 6, 1), member("8 8 8", "8 8 8", 6, 1)},
			0,
			Joint{[]int{2, 2}, 4, 4},
		},
		"Units": {
			"A replica with two GPUs counts twice; holds are whole replicas.",
			[]Member{member("8 8 8", "6 6 6", 6, 2), member("9 9 9", "6 6 6", 6, 1)},
			0,
			Joint{[]int{2, 2}, 6, 7},
		},
		"SurplusIsNotLent": {
			"Spare replicas of one do not serve the other.",
			[]Member{member("1 1 1", "1 1 1", 9, 1), member("5 5 5", "5 5 5", 1, 1)},
			0,
			Joint{[]int{0, 4}, 4, 4},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, JointHolds(tc.members, epoch, tc.correlation)); diff != "" {
				t.Errorf("\nReason: %s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// JointHolds is never more than the sum of its parts and no less than what is expected. It grows
// with the correlation, and gives no member more than it needs alone.
func TestJointHoldsProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "members")
		stages := Stages{Node: time.Duration(rapid.IntRange(0, 600).Draw(t, "node")) * time.Second}
		members := make([]Member, n)
		for i := range members {
			steps := rapid.IntRange(1, 12).Draw(t, "steps")
			values, expected := make([]string, steps), make([]string, steps)
			for k := range values {
				e := rapid.IntRange(0, 20).Draw(t, "expected")
				values[k], expected[k] = strconv.Itoa(e+rapid.IntRange(0, 10).Draw(t, "spread")), strconv.Itoa(e)
			}
			members[i] = Member{
				Timeline: unsure(t, 0.9, strings.Join(values, " "), strings.Join(expected, " ")),
				Replicas: rapid.IntRange(0, 25).Draw(t, "replicas"),
				Units:    float64(rapid.SampledFrom([]int{1, 2, 8}).Draw(t, "units")), Stages: stages,
			}
		}
		most := 0.0
		for _, m := range members {
			most = max(most, m.Units)
		}
		before := 0.0
		for _, c := range []float64{0, 0.3, 1} {
			j := JointHolds(members, epoch, c)
			sum := 0.0
			for i, m := range members {
				own := Staging(m.Timeline, epoch, m.Stages, m.Replicas).Nodes
				if j.Holds[i] < 0 || j.Holds[i] > own {
					t.Fatalf("member %d is held for %d, on its own for %d", i, j.Holds[i], own)
				}
				sum += float64(j.Holds[i]) * m.Units
			}
			if sum != j.Units || j.Units > j.Alone {
				t.Fatalf("the sum of the holds is %v, but Units is %v and Alone %v", sum, j.Units, j.Alone)
			}
			if j.Units < before-most {
				t.Fatalf("at correlation %v less is held, %v, than at a smaller one, %v", c, j.Units, before)
			}
			before = j.Units
			for at := epoch; !at.After(epoch.Add(stages.Node)); at = at.Add(20 * time.Second) {
				need := 0.0
				for _, m := range members {
					_, e := m.Timeline.valuesAt(at)
					need += float64(max(0, e-m.Replicas)) * m.Units
				}
				if need > j.Units+1e-9 {
					t.Fatalf("%v units are expected at %v, %v are held", need, at, j.Units)
				}
			}
		}
	})
}

// The joint holds are enough as often as the level says, for errors drawn with the given
// correlation.
func TestJointHoldsAreEnough(t *testing.T) {
	const n, level = 4, 0.95
	const spread = 20 // replicas between the expected and the plan
	sigma := spread / survival.NormalQuantile(level)
	for _, c := range []float64{0, 0.5, 1} {
		members := make([]Member, n)
		for i := range members {
			members[i] = Member{
				Timeline: unsure(t, level, "120 120 120", "100 100 100"),
				Replicas: 80,
				Units:    1,
				Stages:   Stages{Node: time.Minute},
			}
		}
		j := JointHolds(members, epoch, c)
		enough, draws := 0, 20000
		r := newRand(7)
		for range draws {
			common, need := r.NormFloat64(), 0.0
			for range members {
				need += 20 + sigma*(sqrt(c)*common+sqrt(1-c)*r.NormFloat64())
			}
			if need <= j.Units+1e-9 {
				enough++
			}
		}
		share := float64(enough) / float64(draws)
		t.Logf("correlation %v: %v of %v are held, and are enough %.3f of the time", c, j.Units, j.Alone, share)
		if share < level-0.01 || share > level+0.02 {
			t.Errorf("correlation %v: %v are enough %.3f of the time, want %v", c, j.Units, share, level)
		}
	}
}

func TestFindShortage(t *testing.T) {
	a := Member{Timeline: unsure(t, 0.9, "2 2 6 8 2", ""), Units: 2}
	b := Member{Timeline: unsure(t, 0.9, "1 5 5 5 1", ""), Units: 1}
	got, ok := FindShortage([]Member{a, b}, epoch, 12)
	want := Shortage{From: at(120), PeakAt: at(180), Peak: 21, By: 9}
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		t.Errorf("ok %v, -want, +got:\n%s", ok, diff)
	}
	if _, ok := FindShortage([]Member{a, b}, epoch, 21); ok {
		t.Error("21 are enough")
	}
}

func TestTimelineAt(t *testing.T) {
	tl := unsure(t, 0.9, "10 10 - 10", "6 10 - 0")
	most := func(q float64, minute int) int {
		n, _, ok := tl.At(q).Max(at(60*minute), at(60*minute))
		if !ok {
			return -1
		}
		return n
	}
	// The quantiles of the normal distribution at 0.9 and 0.999 are 1.2816 and 3.0902: a spread of
	// 4 becomes 9.65.
	got := []int{most(0.9, 0), most(0.999, 0), most(0.999, 1), most(0.999, 2), most(0.999, 3)}
	if !cmp.Equal(got, []int{10, 16, 10, -1, 25}) {
		t.Errorf("at 0.9, and four steps at 0.999: %v", got)
	}
	s := Stages{Node: time.Second, Image: time.Second, Weights: time.Second}
	if hold := Staging(tl, at(0), s, 10); hold.Nodes != 0 || hold.Images != 16 || hold.Weights != 16 {
		t.Errorf("a held node follows the plan, images and weights follow it at 0.999: %+v", hold)
	}
	if tl := unsure(t, 0.9, "10", "6 7"); cmp.Diff([]int{10}, tl.At(0.999).segments[0].replicas) != "" {
		t.Error("expected values of another length must not change the plan")
	}
}

func TestLearnedStages(t *testing.T) {
	record := func(node, pull int32) v1alpha1.StartRecord {
		return v1alpha1.StartRecord{NodeSeconds: node, PullSeconds: pull}
	}
	node, pull := LearnedStages([]v1alpha1.StartRecord{record(100, 0), record(300, 50), record(0, 60), record(200, 0)})
	if node != 300*time.Second || pull != 0 {
		t.Errorf("three waited for a node, two pulled: %v, %v", node, pull)
	}
	s := Start{
		Path:        PathColdNode,
		Created:     at(0),
		Scheduled:   at(90),
		Initialized: at(91),
		Started:     at(131),
		Ready:       at(200),
		Pull:        30 * time.Second,
		Pod:         "a",
	}
	l := NewLearner(LearnerOptions{})
	l.Record(at(10), Start{Pod: "a", Created: at(0)})
	l.Record(at(200), s)
	if got := l.Records()[0]; got.NodeSeconds != 90 || got.PullSeconds != 30 {
		t.Errorf("waited 90 s for a node and 30 s for the image: %+v", got)
	}
	if diff := cmp.Diff(l.Records(), Restore(LearnerOptions{}, l.Records()).Records()); diff != "" {
		t.Errorf("lost by a restart (-want, +got):\n%s", diff)
	}
}

// Plans whose steps begin at many different instants take no time that grows with their square.
// Then nothing is saved by sharing.
func TestPlansOfManyInstants(t *testing.T) {
	stages := Stages{Node: 1000 * time.Hour}
	members := make([]Member, 300)
	for i := range members {
		p := planOf(strings.Repeat("9 ", 4000))
		p.Segments[0].Expected = strings.Repeat("0 ", 4000)
		p.Start = metav1.NewTime(epoch.Add(time.Duration(i) * 100 * time.Millisecond))
		tl, err := NewTimeline(p, TimelineOptions{Capacity: 1})
		if err != nil {
			t.Fatal(err)
		}
		members[i] = Member{Timeline: tl, Units: 1, Stages: stages}
	}
	if j := JointHolds(members, epoch, 0); j.Units != 2700 {
		t.Errorf("%g units, want what each needs alone", j.Units)
	}
	if s, ok := FindShortage(members, epoch, 10); !ok || s.By <= 0 {
		t.Errorf("the shortage at the beginning is found: %+v", s)
	}
}
