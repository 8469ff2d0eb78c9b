package gpuwarm

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"headstart.dev/headstart/api/v1alpha1"
)

// readyStart was created at created and took so many seconds.
func readyStart(id string, created, took int) Start {
	return Start{Pod: id, Created: at(created), Scheduled: at(created), Ready: at(created + took), Path: PathWarm}
}

func ongoing(id string, created int) Start {
	return Start{Pod: id, Created: at(created), Scheduled: at(created), Path: PathWarm}
}

func TestRecord(t *testing.T) {
	type observation struct {
		now   int
		start Start
	}
	with := func(s Start, f func(*Start)) Start { f(&s); return s }
	rec := func(took int32, outcome string) []v1alpha1.StartRecord {
		return []v1alpha1.StartRecord{{Pod: "a", WarmUpSeconds: took, Outcome: outcome, Path: "Warm"}}
	}
	cases := map[string]struct {
		reason string
		seen   []observation
		want   []v1alpha1.StartRecord
	}{
		"Watched": {
			reason: "From creation to the time of the condition, whenever that is seen.",
			seen:   []observation{{10, ongoing("a", 0)}, {70, readyStart("a", 0, 60)}},
			want:   rec(60, ready),
		},
		"FlapsLater": {
			reason: "Only the first transition to Ready counts.",
			seen: []observation{
				{10, ongoing("a", 0)},
				{70, readyStart("a", 0, 60)},
				{900, ongoing("a", 0)},
				{950, readyStart("a", 0, 940)},
			},
			want: rec(60, ready),
		},
		"FlapsBetween": {
			reason: "Ready and unready between two observations: it was Ready when it became unready.",
			seen: []observation{
				{10, ongoing("a", 0)}, {70, with(ongoing("a", 0), func(s *Start) { s.Unready = at(65) })},
			},
			want: rec(65, ready),
		},
		"Adopted": {
			reason: "A pod that is already Ready counts when its condition is credible.",
			seen:   []observation{{5000, readyStart("a", 0, 60)}},
			want:   rec(60, ready),
		},
		"AdoptedRestarted": {
			reason: "After a restart the condition's time is not that of the first Ready.",
			seen:   []observation{{5000, with(readyStart("a", 0, 60), func(s *Start) { s.Restarts = 1 })}},
		},
		"AdoptedFlapped": {
			reason: "A condition much younger than the pod is from a later transition.",
			seen:   []observation{{500000, readyStart("a", 0, 400000)}},
		},
		"AdoptedUnready": {
			reason: "A pod that was Ready before is not starting.",
			seen:   []observation{{500000, with(ongoing("a", 0), func(s *Start) { s.Unready = at(400000) })}},
		},
		"WatchedSlow": {
			reason: "A watched start counts, however long it takes.",
			seen:   []observation{{10, ongoing("a", 0)}, {3900, ongoing("a", 0)}, {4010, readyStart("a", 0, 4000)}},
			want:   rec(4000, ready),
		},
		"Crashed": {
			reason: "A watched start with a crash counts with all its time.",
			seen: []observation{
				{10, ongoing("a", 0)},
				{200, with(readyStart("a", 0, 190), func(s *Start) { s.Restarts = 2 })},
			},
			want: rec(190, ready),
		},
		"Ended": {
			reason: "A start that ends before it is Ready counts as long as it lasted.",
			seen: []observation{
				{10, ongoing("a", 0)}, {50, with(ongoing("a", 0), func(s *Start) { s.Ended = at(40) })},
			},
			want: rec(40, unfinished),
		},
		"ClockAhead": {
			reason: "Nothing becomes Ready later than now.",
			seen:   []observation{{10, ongoing("a", 0)}, {70, readyStart("a", 0, 3660)}},
			want:   rec(70, ready),
		},
		"ClockBehind": {
			reason: "Nothing becomes Ready before it was seen unready.",
			seen:   []observation{{50, ongoing("a", 0)}, {70, readyStart("a", 0, 0)}},
			want:   rec(50, ready),
		},
		"BeforeCreated": {
			reason: "No warm-up is negative.",
			seen:   []observation{{50, Start{Pod: "a", Created: at(0), Ready: at(-100), Path: PathWarm}}},
			want:   rec(0, ready),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := NewLearner(LearnerOptions{})
			for _, k := range tc.seen {
				l.Record(at(k.now), k.start)
				l.Record(at(k.now), k.start)
			}
			ignore := cmpopts.IgnoreFields(v1alpha1.StartRecord{}, "Created", "Key")
			if diff := cmp.Diff(tc.want, l.Records(), ignore, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("\nReason: %s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestSyncEndsWhatIsGone(t *testing.T) {
	l := NewLearner(LearnerOptions{})
	l.Sync(at(30), []Start{ongoing("a", 0)})
	l.Sync(at(60), nil)
	if got := l.Lead(at(9999)); got.Ongoing != 0 {
		t.Errorf("a deleted pod still counts as ongoing: %+v", got)
	}
	if got := l.Records()[0].WarmUpSeconds; got != 30 {
		t.Errorf("lasted %d s, want the 30 s at which it was last seen", got)
	}
}

func TestLeadSource(t *testing.T) {
	cases := map[string]struct {
		reason   string
		opts     LearnerOptions
		starts   int
		source   v1alpha1.LeadTimeSource
		min, max time.Duration
	}{
		"Nothing": {
			"Five minutes without configuration.",
			LearnerOptions{},
			0, v1alpha1.LeadSourceDefault,
			300 * time.Second, 300 * time.Second,
		},
		"Configured": {
			"The configured value before any start.",
			LearnerOptions{Default: time.Minute, DefaultConfigured: true},
			0,
			v1alpha1.LeadSourceConfigured, time.Minute, time.Minute,
		},
		"OneStart": {
			"One start moves it, but it is not Learned.",
			LearnerOptions{},
			1, v1alpha1.LeadSourceDefault,
			100 * time.Second, 290 * time.Second,
		},
		"Three": {
			"Three make it Learned, and weigh more than the default.",
			LearnerOptions{},
			3, v1alpha1.LeadSourceLearned,
			60 * time.Second, 180 * time.Second,
		},
		"Twelve": {
			"From ten starts on only they count.",
			LearnerOptions{},
			12, v1alpha1.LeadSourceLearned, 60 * time.Second,
			61 * time.Second,
		},
		"Max": {
			"The lead is never above the maximum.",
			LearnerOptions{Max: 30 * time.Second},
			0,
			v1alpha1.LeadSourceDefault, 30 * time.Second, 30 * time.Second,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := NewLearner(tc.opts)
			for i := range tc.starts {
				l.Record(at(1000*i+100), readyStart(fmt.Sprint(i), 1000*i, 60))
			}
			got := l.Lead(at(100000))
			if got.Source != tc.source || got.WarmUp < tc.min || got.WarmUp > tc.max || got.Starts != tc.starts {
				t.Errorf("\nReason: %s\ngot %+v, want source %s and a warm-up from %s to %s",
					tc.reason, got, tc.source, tc.min, tc.max)
			}
		})
	}
}

// A start that takes longer than usual raises the lead before it has finished, and never lowers it.
func TestOngoingRaisesLead(t *testing.T) {
	l := NewLearner(LearnerOptions{})
	for i := range 8 {
		l.Record(at(1000*i+100), readyStart(fmt.Sprint(i), 1000*i, 55+i))
	}
	usual := l.Lead(at(8000)).WarmUp
	l.Record(at(8001), ongoing("slow", 8000))
	if got := l.Lead(at(8010)).WarmUp; got > usual+time.Second {
		t.Errorf("a start of ten seconds raised the lead from %s to %s", usual, got)
	}
	if got := l.Lead(at(8150)).WarmUp; got <= usual {
		t.Errorf("a start that is overdue left the lead at %s, usual is %s", got, usual)
	}
	if got := l.Lead(at(20000)); got.WarmUp > usual+time.Second {
		t.Errorf("a start that is lost still raises the lead: %s, usual is %s", got.WarmUp, usual)
	}
}

// The lead follows a warm-up that triples within a few starts. That also holds when the path
// changes with it: a slower container looks like a pull.
func TestLeadFollowsOntoNewPath(t *testing.T) {
	l := NewLearner(LearnerOptions{})
	now := 0
	next := func(n, took int, p Path) time.Duration {
		for range n {
			now += 1000
			s := readyStart(fmt.Sprintf("%08d", now), now, took+now/1000%3)
			s.Path = p
			l.Record(at(now+500), s)
		}
		return l.Lead(at(now + 600)).WarmUp
	}
	if got := next(50, 60, PathWarm); got > 63*time.Second {
		t.Fatalf("the lead is %s to begin with", got)
	}
	if got := next(6, 180, PathColdImage); got < 170*time.Second || got > 200*time.Second {
		t.Errorf("six starts after the change the lead is %s, want about 180 s", got)
	}
	if got := next(10, 60, PathWarm); got > 200*time.Second {
		t.Errorf("back again, the lead is %s", got)
	}
	if got := next(55, 60, PathWarm); got > 63*time.Second {
		t.Errorf("65 starts after it went back the lead is %s", got)
	}
}

// The lead after any sequence of seen is the same with and without a restart in between, as
// far as no start was going on.
func TestRestoreForgetsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, now := NewLearner(LearnerOptions{}), 0
		paths := []Path{PathWarm, PathColdImage, PathColdNode}
		for i := range rapid.IntRange(0, 150).Draw(t, "starts") {
			now += rapid.IntRange(0, 600).Draw(t, "gap")
			s := readyStart(fmt.Sprintf("%08d", i), now, rapid.IntRange(1, 1700).Draw(t, "took"))
			s.Path = rapid.SampledFrom(paths).Draw(t, "path")
			s.Key = Key{Image: rapid.SampledFrom([]string{"v1", "v2"}).Draw(t, "image")}
			l.Record(at(now+2000), s)
		}
		again := Restore(LearnerOptions{}, l.Records())
		if diff := cmp.Diff(l.Lead(at(now)), again.Lead(at(now))); diff != "" {
			t.Fatalf("-before, +after the restart:\n%s", diff)
		}
		if len(l.Records()) > MaxRecords {
			t.Fatalf("%d records", len(l.Records()))
		}
	})
}

// The lead is always above zero and at most LearnerOptions.Max, and nothing panics.
func TestLeadIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		opts := LearnerOptions{
			Percentile: rapid.Float64Range(1, 99).Draw(t, "percentile"),
			Max:        time.Duration(rapid.IntRange(1, 7200).Draw(t, "max")) * time.Second,
		}
		l, now := NewLearner(opts), 0
		for range rapid.IntRange(0, 20).Draw(t, "syncs") {
			now += rapid.IntRange(0, 300).Draw(t, "gap")
			starts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Start {
				s := ongoing(
					fmt.Sprint(rapid.IntRange(0, 150).Draw(t, "pod")),
					rapid.IntRange(-5000, 20000).Draw(t, "created"),
				)
				when := func(label string) time.Time {
					if rapid.Bool().Draw(t, label+"?") {
						return time.Time{}
					}
					return at(rapid.IntRange(-5000, 30000).Draw(t, label))
				}
				s.Ready, s.Ended, s.Unready = when("ready"), when("ended"), when("unready")
				s.Failure = rapid.SampledFrom([]string{"", "", "CrashLoopBackOff"}).Draw(t, "failure")
				return s
			}), 0, 40).Draw(t, "starts")
			l.Sync(at(now), starts)
			got := l.Lead(at(now))
			if got.WarmUp <= 0 || got.WarmUp > opts.Max+time.Second || len(l.Records()) > MaxRecords {
				t.Fatalf("%+v from %d records under %+v", got, len(l.Records()), opts)
			}
		}
	})
}
