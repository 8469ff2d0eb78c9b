package gpuwarm

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"headstart.dev/headstart/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files")

// phased is a start whose phases take so many seconds each.
func phased(id string, p Path, schedule, start, pull, load int) Start {
	s := Start{Pod: id, Name: "pod-" + id, Created: at(0), Path: p}
	s.Scheduled, s.Initialized = at(schedule), at(schedule+1)
	s.Started = at(schedule + 1 + start + pull)
	s.Ready = s.Started.Add(time.Duration(load) * time.Second)
	s.Pull = time.Duration(pull) * time.Second
	return s
}

func TestBreakdownGolden(t *testing.T) {
	var all []Start
	for i := range 9 {
		all = append(all, phased(fmt.Sprint("w", i), PathWarm, 1, 1, 0, 40+i))
	}
	for i := range 4 {
		all = append(all, phased(fmt.Sprint("i", i), PathColdImage, 1, 1, 200+10*i, 45))
	}
	all = append(all, phased("n", PathColdNode, 150, 2, 240, 50), Start{Pod: "o", Name: "pod-o", Created: at(500)},
		Start{
			Pod: "c", Name: "pod-c", Created: at(100), Scheduled: at(101), Initialized: at(102),
			Restarts: 7, Failure: "CrashLoopBackOff",
		},
		readyStart("flapped", -90000, 90000))
	cases := map[string]Breakdown{
		"all": NewBreakdown("shop/face-fusion", all, LearnerOptions{},
			Lead{WarmUp: 312 * time.Second, Source: v1alpha1.LeadSourceLearned, Starts: 14}, at(600)),
		"failing": NewBreakdown(
			"shop/face-fusion",
			all[:9],
			LearnerOptions{Percentile: 95},
			Lead{
				WarmUp:  50 * time.Second,
				Source:  v1alpha1.LeadSourceLearned,
				Starts:  9,
				Failing: true,
				Failed:  5,
				Decided: 14,
				Reason:  "ImagePullBackOff",
			},
			at(600),
		),
		"nothing": NewBreakdown(
			"shop/face-fusion",
			nil,
			LearnerOptions{},
			Lead{WarmUp: 5 * time.Minute, Source: v1alpha1.LeadSourceDefault},
			at(600),
		),
	}
	for name, b := range cases {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := b.Render(&got); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", "breakdown_"+name+".txt")
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}
		})
	}
}

func TestDurations(t *testing.T) {
	got := phased("a", PathColdImage, 2, 3, 100, 40).Durations()
	want := map[Phase]time.Duration{
		PhaseSchedule: 2 * time.Second, PhaseInit: time.Second, PhaseImage: 100 * time.Second,
		PhaseStart: 3 * time.Second, PhaseLoad: 40 * time.Second,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

func TestMetrics(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	m, err := NewMetrics(r)
	if err != nil {
		t.Fatal(err)
	}
	m.Observe([]Start{phased("a", PathColdNode, 100, 3, 100, 40), {Pod: "b", Created: at(0), Ready: at(10)}})
	if problems, err := testutil.GatherAndLint(r); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, metric := range families[0].GetMetric() {
		var labels []string
		for _, l := range metric.GetLabel() {
			labels = append(labels, l.GetValue())
		}
		got[strings.Join(labels, " ")] = metric.GetHistogram().GetSampleSum()
	}
	want := map[string]float64{
		"ColdNode schedule": 100, "ColdNode init": 1, "ColdNode image": 100, "ColdNode start": 3,
		"ColdNode load": 40, "ColdNode total": 244, "Unknown total": 10,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	(*Metrics)(nil).Observe([]Start{{}})
}
