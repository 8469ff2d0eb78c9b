package capacity

import (
	"math"
	"strings"
	"testing"
	"time"
	"unsafe"
)

var monday = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

func valid() Options { return Options{Step: time.Minute, AtMost: 1, Attain: 0.99, Default: 5} }

// day returns a day of samples of 4 replicas, of which each carries up to highest. Latency follows a
// queue that saturates at 10 per replica: the objective is met up to 9.
func day(days int, highest float64, change func(i int, s *Sample)) []Sample {
	var out []Sample
	for i := range days * 1440 {
		u := highest * (0.6 - 0.4*math.Cos(2*math.Pi*float64(i)/1440))
		scatter := 1 + 0.05*math.Sin(float64(i)*12.9898)
		s := Sample{
			At: monday.Add(time.Duration(i) * time.Minute), Load: 4 * u, Replicas: 4, Settled: true,
			Latency: (0.3 + 0.07*u/(10-min(u, 9.9))) * scatter,
		}
		if change != nil {
			change(i, &s)
		}
		out = append(out, s)
	}
	return out
}

func estimate(t testing.TB, o Options, samples []Sample) Estimate {
	t.Helper()
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range samples {
		e.Add(s)
	}
	return e.Estimate()
}

func TestEstimate(t *testing.T) {
	cases := map[string]struct {
		reason  string
		options func(*Options)
		highest float64
		change  func(i int, s *Sample)
		source  Source
		missing Missing
		used    float64 // within 3 %; 0 does not look
		about   float64 // Capacity within 5 %; 0 does not look
	}{
		"near the limit": {
			reason: "the law is known, and crosses the objective at about 9", highest: 8.6,
			options: func(o *Options) { o.Default = 20 }, source: SourceLearned, about: 9, used: 20,
		},
		"the default was never missed": {
			reason: "a law alone does not lower what never missed", highest: 8.2,
			options: func(o *Options) { o.Default = 12 }, source: SourceLearned, used: 12,
		},
		"raised as far as carried": {
			reason: "the default is below what was carried every day", highest: 8.2,
			options: func(o *Options) { o.Default = 2 }, source: SourceLearned, used: 8.1,
		},
		"lowered": {
			reason: "the objective is missed below the default", highest: 9.4,
			options: func(o *Options) { o.Default = 12 }, source: SourceLearned, used: 8.9, about: 8.9,
		},
		"half of the limit": {
			reason: "what was never near its limit says at least", highest: 4.5, source: SourceAtLeast,
			missing: MissingBusy, used: 5,
		},
		"no load": {
			reason: "nothing arrived", highest: 0, source: SourceDefault, missing: MissingLoad, used: 5,
		},
		"no replicas": {
			reason: "replicas are unknown", highest: 8, change: func(_ int, s *Sample) { s.Replicas = math.NaN() },
			source: SourceDefault, missing: MissingReplicas, used: 5,
		},
		"zero replicas": {
			reason: "a load on no replica says nothing", highest: 8, change: func(_ int, s *Sample) { s.Replicas = 0 },
			source: SourceDefault, missing: MissingReplicas, used: 5,
		},
		"replicas that never stay": {
			reason: "a mean between two numbers is a scale event", highest: 8,
			change: func(i int, s *Sample) { s.Replicas = 4 + float64(i%3)/3 },
			source: SourceDefault, missing: MissingSteps, used: 5,
		},
		"never settled": {
			reason: "the caller says that no step is steady", highest: 8,
			change: func(_ int, s *Sample) { s.Settled = false }, source: SourceDefault, missing: MissingSteps, used: 5,
		},
		"no latency": {
			reason: "nothing was measured", highest: 8, change: func(_ int, s *Sample) { s.Latency = math.NaN() },
			source: SourceDefault, missing: MissingLatency, used: 5,
		},
		"infinite latency": {
			reason: "a mean over no requests is not a latency", highest: 8,
			change: func(_ int, s *Sample) { s.Latency = math.Inf(1) },
			source: SourceDefault, missing: MissingLatency, used: 5,
		},
		"negative latency": {
			reason: "a counter that was reset is not a latency", highest: 8,
			change: func(_ int, s *Sample) { s.Latency = -1 }, source: SourceDefault, missing: MissingLatency, used: 5,
		},
		"constant latency": {
			reason: "a query that returns a setting, not a measurement", highest: 8,
			change: func(_ int, s *Sample) { s.Latency = 0.4 },
			source: SourceDefault, missing: MissingVariation, used: 5,
		},
		"milliseconds": {
			reason: "all steps miss an objective in seconds", highest: 8,
			change: func(_ int, s *Sample) { s.Latency *= 1000 },
			source: SourceDefault, missing: MissingMet, used: 5,
		},
		"an objective in milliseconds": {
			reason: "all steps meet it by far: the loads say nothing about a limit", highest: 4.5,
			change: func(_ int, s *Sample) { s.Latency /= 1000 },
			source: SourceAtLeast, missing: MissingBusy, used: 5,
		},
		"bounded above": {
			reason: "the user knows better", highest: 9.4,
			options: func(o *Options) { o.Default, o.Max = 4, 6 }, source: SourceLearned, used: 6,
		},
		"bounded below": {
			reason: "the user knows better", highest: 9.4,
			options: func(o *Options) { o.Default, o.Min = 12, 11 }, source: SourceLearned, used: 11,
		},
		"one wild sample": {
			reason: "a mistake in one step is not a load", highest: 4.5,
			change: func(i int, s *Sample) {
				if i == 3000 {
					s.Load *= 1e6
				}
			},
			source: SourceAtLeast, missing: MissingBusy, used: 5,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := valid()
			if tc.options != nil {
				tc.options(&o)
			}
			got := estimate(t, o, day(4, tc.highest, tc.change))
			if got.Source != tc.source || got.Missing != tc.missing {
				t.Errorf("source %q and missing %q, want %q and %q: %+v\nReason: %s",
					got.Source, got.Missing, tc.source, tc.missing, got, tc.reason)
			}
			if tc.used > 0 && math.Abs(got.Used/tc.used-1) > 0.03 {
				t.Errorf("uses %.3f, want about %.3f: %+v\nReason: %s", got.Used, tc.used, got, tc.reason)
			}
			if tc.about > 0 && !(math.Abs(got.Capacity/tc.about-1) < 0.05) {
				t.Errorf("the capacity is %.3f, want about %.3f: %+v\nReason: %s", got.Capacity, tc.about, got, tc.reason)
			}
			if got.Source == SourceDefault && !math.IsNaN(got.Capacity) {
				t.Errorf("a capacity of %v without evidence\nReason: %s", got.Capacity, tc.reason)
			}
		})
	}
}

func TestOptionsThatAreNotValid(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"a step of 0s":            func(o *Options) { o.Step = 0 },
		"an objective of at most": func(o *Options) { o.AtMost = math.NaN() },
		"attain 1":                func(o *Options) { o.Attain = 1 },
		"a default of +Inf":       func(o *Options) { o.Default = math.Inf(1) },
		"a minimum of -1":         func(o *Options) { o.Min = -1 },
		"the maximum is below":    func(o *Options) { o.Min, o.Max = 3, 2 },
	} {
		o := valid()
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New(%+v) returned %v, want an error about %q", o, err, want)
		}
	}
}

func TestReleaseForgets(t *testing.T) {
	o := valid()
	o.Default = 12
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	samples := day(2, 9.4, nil)
	for _, s := range samples {
		e.Add(s)
	}
	at := samples[len(samples)-1].At
	e.Release(at)
	if got := e.Estimate(); got.Used != 12 || got.Source != SourceDefault || !got.Since.Equal(at) || got.Steps != 0 {
		t.Errorf("after a release: %+v, want the default since %v", got, at)
	}
}

func TestDropIsFollowedAtOnce(t *testing.T) {
	o := valid()
	o.Default = 7
	const change = 3*1440 + 700
	slow := func(i int, s *Sample) {
		if i >= change {
			s.Latency *= 3 // all loads miss, up to three times beyond the objective
		}
	}
	samples := day(4, 8.2, slow)
	if before := estimate(t, o, samples[:change]); before.Used < 7 {
		t.Fatalf("before the drop %+v, want at least the default", before)
	}
	if after := estimate(t, o, samples[:change+8]); after.Used > 5.5 {
		t.Errorf("eight minutes after the drop %+v is used, want at most 5.5", after)
	}
}

// TestOverTheLimitAllDay replays a team whose figure is too high: no replica comes, whatever is used.
func TestOverTheLimitAllDay(t *testing.T) {
	o := valid()
	o.Default = 12
	got := estimate(t, o, day(3, 11, func(i int, s *Sample) {
		s.Load = 4 * (9 + s.Load/4/11*2.5) // 9.5 … 11.5 per replica, of which 9 is carried
		if i%120 < 12 {
			s.Load = 4 * 7
		}
		s.Latency = 0.5
		if s.Load > 4*8.9 {
			s.Latency = 2 + 0.1*math.Sin(float64(i))
		}
	}))
	if got.Used < 6 || got.Used > 9.5 {
		t.Errorf("uses %.2f, want a little less than the lowest load that was missed: %+v", got.Used, got)
	}
}

func TestRiseIsNoticed(t *testing.T) {
	o := valid()
	const change = 3 * 1440
	fast := func(i int, s *Sample) {
		if i >= change {
			s.Latency /= 3
		}
	}
	samples := day(4, 8.2, fast)
	before, after := estimate(t, o, samples[:change]), estimate(t, o, samples)
	if before.AtLeast || !after.AtLeast || after.Used < before.Used*0.99 || !after.Since.After(before.Since) {
		t.Errorf("before %+v, a day after the rise %+v, want at least what was carried, since the rise", before, after)
	}
}

func TestBoundedMemory(t *testing.T) {
	if size := unsafe.Sizeof(Estimator{}); size > 50<<10 {
		t.Errorf("an Estimator has %d bytes, want at most 50 KiB", size)
	}
	e, err := New(valid())
	if err != nil {
		t.Fatal(err)
	}
	samples := day(2, 9.4, nil)
	for _, s := range samples[:1440] {
		e.Add(s)
	}
	i := 1440
	if allocs := testing.AllocsPerRun(1000, func() { e.Add(samples[i]); i++ }); allocs > 4 {
		t.Errorf("a sample allocates %v times, want nearly none", allocs)
	}
}

func TestCurve(t *testing.T) {
	e, err := New(valid())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range day(3, 9.4, nil) {
		e.Add(s)
	}
	points := e.Curve()
	if len(points) < 10 || len(points) > maxPoints {
		t.Fatalf("%d points, want 10 to %d", len(points), maxPoints)
	}
	for i, p := range points {
		if i > 0 && p.Load <= points[i-1].Load || p.Quantile < p.Median || p.Missed > p.Steps || !(p.Median > 0) {
			t.Errorf("point %d: %+v", i, p)
		}
	}
	if last := points[len(points)-1]; last.Quantile < 1 {
		t.Errorf("at the highest load %+v, want more than the objective", last)
	}
}

func BenchmarkAdd(b *testing.B) {
	samples := day(4, 9.4, nil)
	e, _ := New(valid())
	b.ReportMetric(float64(unsafe.Sizeof(*e)), "bytes")
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		s := samples[i%len(samples)]
		s.At = s.At.Add(time.Duration(i/len(samples)) * 96 * time.Hour)
		e.Add(s)
		i++
	}
}

func BenchmarkEstimateFromScratch(b *testing.B) {
	e, _ := New(valid())
	for _, s := range day(14, 9.4, nil) {
		e.Add(s)
	}
	b.ReportAllocs()
	for b.Loop() {
		e.summarise()
	}
}
