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
)

// planOf returns a plan from epoch on: values of minutes and, after a "|", of hours.
func planOf(values string) v1alpha1.Plan {
	p := v1alpha1.Plan{Start: metav1.NewTime(epoch)}
	for i, v := range strings.Split(values, "|") {
		p.Segments = append(
			p.Segments,
			v1alpha1.PlanSegment{Step: []v1alpha1.Duration{"1m", "1h"}[i], Values: strings.TrimSpace(v)},
		)
	}
	return p
}

func timelineOf(t *testing.T, values string) Timeline {
	t.Helper()
	tl, err := NewTimeline(planOf(values), TimelineOptions{Capacity: 10})
	if err != nil {
		t.Fatal(err)
	}
	return tl
}

func TestNewTimeline(t *testing.T) {
	cases := map[string]struct {
		reason   string
		plan     v1alpha1.Plan
		capacity float64
		most     int
		want     []int
		err      string
	}{
		"Ceil": {
			"One replica for each begun capacity.", planOf("0 1 10 10.001 10.000000001 95"), 10, 0,
			[]int{0, 1, 1, 2, 1, 10},
			"",
		},
		"Most":     {"No more than maxReplicas of the HPA.", planOf("10 95 1e300"), 10, 7, []int{1, 7, 7}, ""},
		"Capacity": {"Without a capacity there are no replicas.", planOf("1"), 0, 0, nil, "capacityPerReplica"},
		"Garbage":  {"A demand is a number.", planOf("1 x"), 1, 0, nil, `"x", is not a number`},
		"NaN":      {"NaN is not a number.", planOf("NaN"), 1, 0, nil, "is not a number"},
		"Empty": {
			"A plan without steps is an error.",
			v1alpha1.Plan{Start: metav1.NewTime(epoch)},
			1, 0, nil, "is empty",
		},
		"Step": {
			"Steps are above zero.",
			v1alpha1.Plan{Start: metav1.NewTime(epoch), Segments: []v1alpha1.PlanSegment{{Step: "0s", Values: "1"}}},
			1,
			0, nil, "step",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tl, err := NewTimeline(tc.plan, TimelineOptions{Capacity: tc.capacity, MaxReplicas: tc.most})
			if (err == nil) != (tc.err == "") || (err != nil && !strings.Contains(err.Error(), tc.err)) {
				t.Fatalf("\nReason: %s\nerror %v, want %q", tc.reason, err, tc.err)
			}
			if err == nil {
				if diff := cmp.Diff(tc.want, tl.segments[0].replicas); diff != "" {
					t.Errorf("\nReason: %s\n-want, +got:\n%s", tc.reason, diff)
				}
			}
		})
	}
}

func TestStaging(t *testing.T) {
	stages := Stages{Node: 2 * time.Minute, Image: time.Minute}
	rise := "20 20 20 20 50 50" // from 2 replicas to 5 after 4 minutes
	cases := map[string]struct {
		reason   string
		plan     string
		now      int
		stages   Stages
		replicas int
		want     Hold
	}{
		"Flat":    {"No more than the existing replicas.", "20 20 20 20 20 20", 0, stages, 2, Hold{2, at(0), 0, 2, 0}},
		"TooSoon": {"A rise beyond both stages holds no node yet.", rise, 0, stages, 2, Hold{2, at(0), 0, 5, 0}},
		"InTime":  {"A rise within node and pull holds its nodes.", rise, 60, stages, 2, Hold{5, at(240), 3, 5, 0}},
		"Pending": {"Replicas that are not Ready yet count.", rise, 60, stages, 4, Hold{5, at(240), 1, 5, 0}},
		"Falls":   {"After the peak nothing is held.", "50 20 20 20 20 20", 61, stages, 5, Hold{2, at(61), 0, 5, 0}},
		"Hours": {
			"The coarse part of the plan counts, too.",
			"20 20|90", 0,
			Stages{Node: 2 * time.Minute},
			2,
			Hold{9, at(120), 7, 9, 0},
		},
		"Over": {"After its end a plan needs nothing.", "50 50", 9999, stages, 3, Hold{0, time.Time{}, 0, 3, 0}},
		"Weights": {
			"Weights are loaded their time earlier, whatever exists.",
			rise, 0,
			Stages{Node: 2 * time.Minute, Weights: 2 * time.Minute},
			5,
			Hold{2, at(0), 0, 5, 5},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Staging(timelineOf(t, tc.plan), at(tc.now), tc.stages, tc.replicas)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\nReason: %s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// Existing replicas and held nodes are enough for every step within the stages. A longer stage
// holds no less. One more replica is one held node less, so a replica that takes a held place
// causes no new one.
func TestStagingProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var words []string
		for _, v := range rapid.SliceOfN(rapid.IntRange(0, 300), 1, 60).Draw(t, "demand") {
			words = append(words, strconv.Itoa(v))
		}
		tl, err := NewTimeline(planOf(strings.Join(words, " ")), TimelineOptions{Capacity: 10})
		if err != nil {
			t.Fatal(err)
		}
		s := Stages{
			Node:  time.Duration(rapid.IntRange(0, 1200).Draw(t, "node")) * time.Second,
			Image: time.Duration(rapid.IntRange(0, 1200).Draw(t, "image")) * time.Second,
		}
		now := at(rapid.IntRange(0, 3600).Draw(t, "now"))
		replicas := rapid.IntRange(0, 40).Draw(t, "replicas")
		h := Staging(tl, now, s, replicas)
		for d := time.Duration(0); d <= s.Node+s.Image; d += 20 * time.Second {
			if need, _, ok := tl.Max(now.Add(d), now.Add(d)); ok && need > replicas+h.Nodes {
				t.Fatalf("in %s %d replicas are needed, %d exist and %d are held", d, need, replicas, h.Nodes)
			}
		}
		longer := Stages{Node: s.Node + time.Minute, Image: s.Image}
		if got := Staging(tl, now, longer, replicas); got.Nodes < h.Nodes {
			t.Fatalf("a longer stage holds %d, a shorter one %d", got.Nodes, h.Nodes)
		}
		if next := Staging(tl, now, s, replicas+1); next.Nodes != max(0, h.Nodes-1) {
			t.Fatalf("one replica more holds %d, before it was %d", next.Nodes, h.Nodes)
		}
		if h.Images < replicas+h.Nodes {
			t.Fatalf("images for %d, but %d exist and %d are held", h.Images, replicas, h.Nodes)
		}
	})
}

// A service that several plans scale is warmed for the largest of them at each instant, each with
// its own spread.
func TestLargest(t *testing.T) {
	if _, _, ok := Largest().Max(epoch, at(3600)); ok {
		t.Error("without a plan there is no value")
	}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) Timeline {
			p := v1alpha1.Plan{Start: metav1.NewTime(at(rapid.IntRange(-600, 600).Draw(t, name+" start")))}
			for range rapid.IntRange(1, 3).Draw(t, name+" segments") {
				var values, expected []string
				for _, v := range rapid.SliceOfN(rapid.IntRange(-1, 200), 1, 20).Draw(t, name) {
					if v < 0 {
						values, expected = append(values, "-"), append(expected, "-")
						continue
					}
					values, expected = append(
						values,
						strconv.Itoa(v),
					), append(
						expected,
						strconv.Itoa(rapid.IntRange(0, v).Draw(t, name+" expected")),
					)
				}
				step := rapid.SampledFrom([]v1alpha1.Duration{"20s", "1m", "7m"}).Draw(t, name+" step")
				p.Segments = append(
					p.Segments,
					v1alpha1.PlanSegment{
						Step:     step,
						Values:   strings.Join(values, " "),
						Expected: strings.Join(expected, " "),
					},
				)
			}
			tl, err := NewTimeline(
				p,
				TimelineOptions{
					Capacity: 10,
					Level:    rapid.SampledFrom([]float64{0.9, 0.99, 0.9999}).Draw(t, name+" level"),
				},
			)
			if err != nil {
				t.Fatal(err)
			}
			return tl
		}
		each := []Timeline{draw("a"), draw("b"), draw("c")}
		all := Largest(each[0], Largest(each[1:]...))
		now, replicas := at(rapid.IntRange(-700, 3600).Draw(t, "now")), rapid.IntRange(0, 10).Draw(t, "replicas")
		s := Stages{
			Node: time.Duration(rapid.IntRange(0, 900).Draw(t, "node")) * time.Second,
			Image: time.Duration(
				rapid.IntRange(0, 900).Draw(t, "image"),
			) * time.Second, Weights: time.Duration(rapid.IntRange(0, 900).Draw(t, "weights")) * time.Second,
		}
		want, end := Hold{Images: replicas}, time.Time{}
		var planned, expected int
		var first time.Time
		for _, tl := range each {
			h := Staging(tl, now, s, replicas)
			if !h.At.IsZero() &&
				(want.At.IsZero() || h.Needed > want.Needed || (h.Needed == want.Needed && h.At.Before(want.At))) {
				want.Needed, want.At = h.Needed, h.At
			}
			want.Nodes, want.Images, want.Weights = max(
				want.Nodes,
				h.Nodes,
			), max(
				want.Images,
				h.Images,
			), max(
				want.Weights,
				h.Weights,
			)
			p, e := tl.valuesAt(now)
			planned, expected, end = max(planned, p), max(expected, e), later(end, tl.End())
			if f, ok := tl.FirstAbove(now, replicas); ok && (first.IsZero() || f.Before(first)) {
				first = f
			}
		}
		if diff := cmp.Diff(want, Staging(all, now, s, replicas)); diff != "" {
			t.Fatalf("-want, +got:\n%s", diff)
		}
		if p, e := all.valuesAt(now); p != planned || e != expected {
			t.Fatalf("%d planned and %d expected, want %d and %d", p, e, planned, expected)
		}
		if f, _ := all.FirstAbove(now, replicas); !f.Equal(first) || !all.End().Equal(end) {
			t.Fatalf("first %s, want %s; end %s, want %s", f, first, all.End(), end)
		}
	})
}

// What a plan holds back is not warmed for.
func TestTimelineHeldBack(t *testing.T) {
	encoded := v1alpha1.Plan{Start: metav1.NewTime(time.Unix(0, 0)), Segments: []v1alpha1.PlanSegment{
		{Step: "1m", Values: "40 40 -", Most: "15 - 15"},
	}}
	got, err := NewTimeline(encoded, TimelineOptions{Capacity: 10})
	if err != nil {
		t.Fatal(err)
	}
	for minute, want := range []int{2, 4, 0} {
		if n, _ := got.valuesAt(time.Unix(int64(60*minute), 0)); n != want {
			t.Errorf("%d replicas in minute %d, want %d", n, minute, want)
		}
	}
}
