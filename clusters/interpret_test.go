package clusters

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner/plan"
)

var start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// remote returns a Forecast of another cluster, of which 7 overflow in the second minute.
func remote() *v1alpha1.Forecast {
	fc := &v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{UID: "remote"}}
	fc.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionFitsCluster, Status: metav1.ConditionFalse}}
	fc.Status.Plan = &v1alpha1.Plan{Start: metav1.NewTime(start), End: metav1.NewTime(start.Add(2 * time.Minute))}
	fc.Status.Overflow = &v1alpha1.Overflow{Version: 1, Lead: "5m", Timeline: v1alpha1.Plan{
		Start: metav1.NewTime(start), Segments: []v1alpha1.PlanSegment{{Step: "1m", Values: "0 7"}},
	}}
	return fc
}

func TestInterpret(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "forecasts"}, "", errors.New("no"))
	cases := map[string]struct {
		reason  string
		change  func(*Reading)
		unit    string
		late    time.Duration // since the start of the timeline
		want    Kind
		remedy  string // in the message
		last    float64
		unknown bool // whether there is no timeline
	}{
		"Read": {reason: "what overflows is read", last: 7},
		"Absent": {
			reason: "first nothing is known", change: func(r *Reading) { r.Forecast, r.Synced = nil, false },
			want: NotReadYet, unknown: true,
		},
		"NotFound": {
			reason: "a Forecast that does not exist", change: func(r *Reading) { r.Forecast = nil },
			want: ForecastNotFound, remedy: "correct spec.overflowOf.forecast", unknown: true,
		},
		"Forbidden": {
			reason: "the other cluster gives no right", change: func(r *Reading) { r.Forecast, r.Err = nil, forbidden },
			want: ClusterForbidden, remedy: "apply the Role", unknown: true,
		},
		"ForbiddenLater": {
			reason: "a right that was taken away ends nothing at once", change: func(r *Reading) { r.Err = forbidden },
			want: ClusterForbidden, last: 7,
		},
		"NotServed": {
			reason: "the other cluster has no such API",
			change: func(r *Reading) { r.Forecast, r.Err = nil, apierrors.NewNotFound(schema.GroupResource{}, "") },
			want:   OtherVersion, remedy: "the same version", unknown: true,
		},
		"Away": {
			reason: "the last timeline counts while the link is away",
			change: func(r *Reading) { r.Err, r.Since = errors.New("connection refused"), start },
			want:   LinkAway, remedy: "since 2026-03-02T08:00:00Z", last: 7,
		},
		"OldHeadstart": {
			reason: "a Forecast that does not say whether it fits is of an earlier release",
			change: func(r *Reading) { r.Forecast.Status.Conditions, r.Forecast.Status.Overflow = nil, nil },
			want:   OtherVersion, unknown: true,
		},
		"NewerForm": {
			reason: "a form that is not known is not guessed",
			change: func(r *Reading) { r.Forecast.Status.Overflow.Version = 2 }, want: OtherVersion, unknown: true,
		},
		"AllFits": {
			reason: "without an overflow all fits until the plan ends",
			change: func(r *Reading) { r.Forecast.Status.Overflow = nil },
		},
		"NoPlan": {
			reason: "without a plan nothing is known",
			change: func(r *Reading) { r.Forecast.Status = v1alpha1.ForecastStatus{} }, want: NoPlanThere, unknown: true,
		},
		"Unit": {
			reason: "another unit is not added", unit: "requests/s",
			change: func(r *Reading) { r.Forecast.Spec.Unit = "tokens/s" },
			want:   UnitDiffers, remedy: "spec.unit", unknown: true,
		},
		"UnitOnOneSide": {
			reason: "a unit that only one side names may be another", unit: "requests/s", want: UnitDiffers, unknown: true,
		},
		"Itself": {
			reason: "the shortest cycle", change: func(r *Reading) { r.Forecast.UID = "own" }, want: Cycle,
			unknown: true,
		},
		"Cycle": {
			reason: "a cycle through others", want: Cycle, remedy: "remove spec.overflowOf", unknown: true,
			change: func(r *Reading) {
				r.Forecast.Status.OverflowOf = &v1alpha1.OverflowSource{Chain: []string{"third", "own"}}
			},
		},
		"BadLead": {
			reason: "a lead that cannot be read",
			change: func(r *Reading) { r.Forecast.Status.Overflow.Lead = "x" }, want: TimelineInvalid,
			unknown: true,
		},
		"BadValues": {
			reason: "values that cannot be read",
			change: func(r *Reading) { r.Forecast.Status.Overflow.Timeline.Segments[0].Values = "1 NaN" },
			want:   TimelineInvalid, unknown: true,
		},
		"TooMany": {
			reason: "more values than a status has", want: TimelineInvalid, unknown: true,
			change: func(r *Reading) {
				r.Forecast.Status.Overflow.Timeline.Segments[0].Values = strings.Repeat("1 ", maxValuesText/2+1)
			},
		},
		"TooLong": {
			reason: "longer than any horizon", want: TimelineInvalid, unknown: true,
			change: func(r *Reading) { r.Forecast.Status.Overflow.Timeline.Segments[0].Step = "1y" },
		},
		"LongLead": {
			reason: "a lead that is longer than any", want: TimelineInvalid, remedy: "more than 2d1h", unknown: true,
			change: func(r *Reading) { r.Forecast.Status.Overflow.Lead = "50h" },
		},
		"Sum": {
			reason: "segments whose sum overflows", want: TimelineInvalid, remedy: "longer than 31d", unknown: true,
			change: func(r *Reading) {
				r.Forecast.Status.Overflow.Timeline.Segments[0] = v1alpha1.PlanSegment{
					Step: "31d", Values: strings.Repeat("1 ", 4000),
				}
			},
		},
		"Segments": {
			reason: "more segments than the API here allows", want: TimelineInvalid, remedy: "5 segments", unknown: true,
			change: func(r *Reading) {
				s := &r.Forecast.Status.Overflow.Timeline.Segments
				*s = append(*s, (*s)[0], (*s)[0], (*s)[0], (*s)[0])
			},
		},
		"StepText": {
			reason: "a step that the API here refuses", want: TimelineInvalid, unknown: true,
			change: func(r *Reading) {
				r.Forecast.Status.Overflow.Timeline.Segments[0].Step = v1alpha1.Duration(strings.Repeat("0", 40) + "1m")
			},
		},
		"Early": {
			reason: "a timeline of later", want: TimelineInvalid, remedy: "by NTP", unknown: true,
			late: -maxAhead - time.Second,
		},
		"ALittleEarly": {reason: "clocks differ", late: -maxAhead, last: 7},
		"Late": {
			reason: "a timeline that ends too late", want: TimelineInvalid, remedy: "it ends at", unknown: true,
			late: -time.Minute,
			change: func(r *Reading) {
				r.Forecast.Status.Overflow.Timeline.Segments[0] = v1alpha1.PlanSegment{Step: "31d", Values: "7"}
			},
		},
		"LateAllFits": {
			reason: "the same where all fits", want: TimelineInvalid, unknown: true,
			change: func(r *Reading) {
				r.Forecast.Status.Overflow = nil
				r.Forecast.Status.Plan.End = metav1.NewTime(start.AddDate(200, 0, 0))
			},
		},
		"Ended": {
			reason: "a timeline that has ended is told", want: TimelineEnded, remedy: "see its conditions there",
			late: 2 * time.Minute, last: 7,
		},
		"EndedAway": {
			reason: "the cause is told first", want: LinkAway, late: 2 * time.Minute, last: 7,
			change: func(r *Reading) { r.Err, r.Since = errors.New("connection refused"), start },
		},
		"SkewAhead": {
			reason: "a clock that is wrong is told, and the overflow used",
			change: func(r *Reading) { r.Skew, r.SkewKnown = time.Minute, true }, want: ClockSkew, remedy: "1m ahead", last: 7,
		},
		"SkewBehind": {
			reason: "the same behind",
			change: func(r *Reading) { r.Skew, r.SkewKnown = -time.Minute, true }, want: ClockSkew, remedy: "1m behind", last: 7,
		},
		"LittleSkew": {
			reason: "a second is nothing",
			change: func(r *Reading) { r.Skew, r.SkewKnown = time.Second, true }, last: 7,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := Reading{Forecast: remote(), Synced: true}
			if tc.change != nil {
				tc.change(&r)
			}
			got, err := Interpret(r, Reference{"a", "shop", "web"}, Own{UID: "own", Unit: tc.unit}, start.Add(tc.late))
			if KindOf(err) != tc.want {
				t.Fatalf("%s: the problem is %v, want %q", tc.reason, err, tc.want)
			}
			if err != nil && !strings.Contains(err.Error(), tc.remedy) {
				t.Errorf("the message %q has no %q", err, tc.remedy)
			}
			if (got.Timeline == nil) != tc.unknown {
				t.Fatalf("%s: the timeline is %v", tc.reason, got.Timeline)
			}
			if got.Timeline != nil {
				if v, ok := got.Timeline.At(start.Add(time.Minute)); !ok || v != tc.last {
					t.Errorf("%s: %v overflow in the second minute, want %v", tc.reason, v, tc.last)
				}
			}
		})
	}
}

// What another cluster says is neither copied nor repeated at length: a text that the API here
// refuses would block the whole status.
func TestInterpretCopiesNothing(t *testing.T) {
	fc := remote()
	fc.UID = types.UID(strings.Repeat("x", maxUID+1))
	fc.Status.OverflowOf = &v1alpha1.OverflowSource{Chain: []string{"a b", "", "b-1", "b-1"}}
	segment := &fc.Status.Overflow.Timeline.Segments[0]
	*segment = v1alpha1.PlanSegment{Step: "1m", Values: "0  7.00001", Expected: strings.Repeat("x", 9000), Most: "1 1"}
	got, err := Interpret(Reading{Forecast: fc, Synced: true}, Reference{}, Own{UID: "own"}, start)
	if err != nil {
		t.Fatal(err)
	}
	want := &v1alpha1.Plan{
		ComputedAt: metav1.NewTime(start), Start: metav1.NewTime(start), End: metav1.NewTime(start.Add(2 * time.Minute)),
		Segments: []v1alpha1.PlanSegment{{Step: "1m", Values: "0 7.001"}},
	}
	if diff := cmp.Diff(want, got.Encoded); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"b-1"}, got.Chain); diff != "" {
		t.Errorf("the chain: -want, +got\n%s", diff)
	}
}

// Messages have no long texts and no addresses of another cluster.
func TestMessagesAreClipped(t *testing.T) {
	long := strings.Repeat("x", 5000) + "\n\x1b"
	cases := map[string]func(*Reading){
		"Unit": func(r *Reading) { r.Forecast.Spec.Unit = long },
		"Lead": func(r *Reading) { r.Forecast.Status.Overflow.Lead = v1alpha1.Duration(long) },
		"Values": func(r *Reading) {
			r.Forecast.Status.Overflow.Timeline.Segments[0].Values = "\x1b " + long
		},
		"Error": func(r *Reading) { r.Err = errors.New(long) },
		"Address": func(r *Reading) {
			r.Err = fmt.Errorf("list: %w", &url.Error{Op: "Get", URL: "https://10.1.2.3:6443", Err: errors.New("refused")})
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			r := Reading{Forecast: remote(), Synced: true, Since: start}
			change(&r)
			_, err := Interpret(r, Reference{"a", "shop", "web"}, Own{UID: "own"}, start)
			if err == nil || len(err.Error()) > maxText+300 || strings.ContainsAny(err.Error(), "\x1b\n") ||
				strings.Contains(err.Error(), "10.1.2.3") {
				t.Errorf("the message is %v", err)
			}
		})
	}
}

// Every Forecast of a cycle finds it, and it stays found: what is refused still says its chain. When
// one of them leaves, the others go on.
func TestCycleIsFoundByAll(t *testing.T) {
	names := []string{"a", "b", "c"}
	of := map[string]string{"a": "c", "b": "a", "c": "b"}
	chains := map[string][]string{}
	round := func() map[string]Kind {
		kinds := map[string]Kind{}
		for _, name := range names {
			from, ok := of[name]
			if !ok {
				chains[name] = nil
				continue
			}
			fc := remote()
			fc.UID = types.UID(from)
			fc.Status.OverflowOf = &v1alpha1.OverflowSource{Chain: chains[from]}
			got, err := Interpret(Reading{Forecast: fc, Synced: true}, Reference{}, Own{UID: types.UID(name)}, start)
			chains[name], kinds[name] = got.Chain, KindOf(err)
		}
		return kinds
	}
	for range 4 {
		round()
	}
	if diff := cmp.Diff(map[string]Kind{"a": Cycle, "b": Cycle, "c": Cycle}, round()); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
	delete(of, "a")
	for range 4 {
		round()
	}
	if diff := cmp.Diff(map[string]Kind{"b": "", "c": ""}, round()); diff != "" {
		t.Errorf("after a has left: -want, +got\n%s", diff)
	}
}

func TestRestore(t *testing.T) {
	of := Reference{"a", "shop", "web"}
	status := &v1alpha1.OverflowSource{
		Cluster: "a", Forecast: "shop/web", Lead: "5m", Timeline: &remote().Status.Overflow.Timeline,
	}
	if got := Restore(status, of, start); got.Timeline == nil || got.Lead != 5*time.Minute {
		t.Errorf("restored %+v", got)
	}
	for name, other := range map[string]Reference{
		"Cluster": {"b", "shop", "web"}, "Forecast": {"a", "shop", "other"}, "Namespace": {"a", "chat", "web"},
	} {
		if got := Restore(status, other, start); got.Timeline != nil {
			t.Errorf("%s: the timeline of another one is restored", name)
		}
	}
	for name, change := range map[string]func(*v1alpha1.OverflowSource){
		"Lead":    func(s *v1alpha1.OverflowSource) { s.Lead = "292y" },
		"NoLead":  func(s *v1alpha1.OverflowSource) { s.Lead = "x" },
		"Ahead":   func(s *v1alpha1.OverflowSource) { s.Timeline.Start = metav1.NewTime(start.Add(2 * time.Hour)) },
		"TooLong": func(s *v1alpha1.OverflowSource) { s.Timeline.Segments[0].Step = "31d" },
	} {
		bad := status.DeepCopy()
		change(bad)
		if got := Restore(bad, of, start); got.Timeline != nil {
			t.Errorf("%s: restored %+v", name, got)
		}
	}
}

// FuzzInterpret has another cluster say anything: the result is a timeline within bounds, or a
// problem.
func FuzzInterpret(f *testing.F) {
	f.Add("1m", "0 7 -", "5m", int32(1), "unit")
	f.Add("1y", "1e308 1e308", "", int32(0), "")
	f.Fuzz(func(t *testing.T, step, values, lead string, version int32, unit string) {
		fc := remote()
		fc.Spec.Unit, fc.Status.Overflow.Version, fc.Status.Overflow.Lead = unit, version, v1alpha1.Duration(lead)
		fc.Status.Overflow.Timeline.Segments[0] = v1alpha1.PlanSegment{Step: v1alpha1.Duration(step), Values: values}
		got, err := Interpret(Reading{Forecast: fc, Synced: true}, Reference{}, Own{UID: "own"}, start)
		if (got.Timeline == nil) != (err != nil) {
			t.Fatalf("the timeline is %v, and the problem %v", got.Timeline, err)
		}
		if got.Timeline == nil {
			return
		}
		if got.Timeline.End().Sub(start) > maxTimeline || got.Lead > maxLead {
			t.Fatalf("the timeline ends at %s, with a lead of %s", got.Timeline.End(), got.Lead)
		}
		for _, s := range got.Encoded.Segments {
			if len(s.Values) > maxValuesText || len(s.Step) > maxStepText {
				t.Fatalf("the API refuses a segment with %d bytes of values and the step %s", len(s.Values), s.Step)
			}
		}
	})
}

func TestSkew(t *testing.T) {
	var s skew
	for i := range 10 {
		late := time.Duration(i%3) * time.Second // what the message took
		at := start.Add(time.Duration(i) * time.Minute)
		s.add(at.Add(40*time.Second), at.Add(late))
		if _, known := s.estimate(); known != (i+1 >= minSkewSamples) {
			t.Errorf("after %d samples, the skew is known: %v", i+1, known)
		}
	}
	if got, _ := s.estimate(); got < 40*time.Second || got > 41*time.Second {
		t.Errorf("the skew is %s, want 40s", got)
	}
	n := len(s.samples)
	s.add(s.last, start.Add(time.Hour))
	if len(s.samples) != n {
		t.Error("the same status counts twice")
	}
}

// BenchmarkRead is what one change of a Forecast there costs here, before its plan is made: its
// JSON, with a plan of a day and all of its overflow, is decoded, cut down and read.
func BenchmarkRead(b *testing.B) {
	p := plan.Plan{Start: start, Segments: []plan.Segment{{Step: time.Minute, Values: make([]float64, 1440)}}}
	for i := range p.Segments[0].Values {
		p.Segments[0].Values[i] = float64(i) * 1.2345
	}
	fc := remote()
	fc.Status.Plan = new(p.Encode())
	fc.Status.Overflow.Timeline = p.Encode()
	text, err := json.Marshal(fc)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(text)), "bytes")
	for b.Loop() {
		var got remoteForecast
		if err := json.Unmarshal(text, &got); err != nil {
			b.Fatal(err)
		}
		r := Reading{Forecast: &got.Forecast, Synced: true}
		if _, err := Interpret(r, Reference{}, Own{UID: "own"}, start); err != nil {
			b.Fatal(err)
		}
	}
}
