package publish

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"headstart.dev/headstart/planner/plan"
)

var origin = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func flatPlan(at time.Time, v float64) plan.Plan {
	values := make([]float64, 1440)
	for i := range values {
		values[i] = v
	}
	return plan.Plan{ComputedAt: at, Start: at, Segments: []plan.Segment{{Step: time.Minute, Values: values}}}
}

// run decides about one plan a minute, and returns when plans were written.
func run(t interface{ Fatal(...any) }, opts Options, minutes int, value func(int) float64) []time.Time {
	p, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	var published *plan.Plan
	var writes []time.Time
	for i := range minutes {
		now := origin.Add(time.Duration(i) * time.Minute)
		fresh := flatPlan(now, value(i))
		if p.Decide(now, published, fresh, 10*time.Minute).Publish {
			p.Wrote(now)
			published, writes = &fresh, append(writes, now)
		}
	}
	return writes
}

// mostWithin returns the largest number of writes in any window.
func mostWithin(writes []time.Time, window time.Duration) int {
	most, from := 0, 0
	for i := range writes {
		for writes[i].Sub(writes[from]) >= window {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

func TestPublisherNeverExceedsItsWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		opts := DefaultOptions()
		opts.Writes = rapid.IntRange(1, 20).Draw(t, "writes")
		noise := rapid.SampledFrom([]float64{0, 0.02, 0.1, 1, 5}).Draw(t, "noise")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		writes := run(t, opts, 600, func(int) float64 { return 100 * math.Exp(noise*rng.NormFloat64()) })
		if most := mostWithin(writes, opts.Window); most > opts.Writes {
			t.Fatalf("%d writes within %s, %d are allowed", most, opts.Window, opts.Writes)
		}
		if len(writes) < 600/60*min(opts.Writes, 3) {
			t.Fatalf("only %d writes in ten hours", len(writes))
		}
	})
}

func TestPublisherRefreshesAQuietSeries(t *testing.T) {
	writes := run(t, DefaultOptions(), 600, func(int) float64 { return 100 })
	for i := 1; i < len(writes); i++ {
		if age := writes[i].Sub(writes[i-1]); age < 5*time.Minute || age > 15*time.Minute {
			t.Errorf("write %d came %s after the one before; a quiet series is refreshed every 5 to 15 min", i, age)
		}
	}
	if most := mostWithin(writes, time.Hour); most > 9 {
		t.Errorf("%d writes an hour on a quiet series leave too few for a jump", most)
	}
}

// However noisy the hours before were, a large change is written at once.
func TestPublisherKeepsAWriteForAJump(t *testing.T) {
	for _, noise := range []float64{0, 0.02, 0.05, 0.1, 0.2} {
		rng := rand.New(rand.NewPCG(7, 7))
		jump := 433
		writes := run(t, DefaultOptions(), 600, func(i int) float64 {
			level := 100.0
			if i >= jump {
				level = 1000
			}
			return level * math.Exp(noise*rng.NormFloat64())
		})
		at, found := origin.Add(time.Duration(jump)*time.Minute), false
		for _, w := range writes {
			found = found || w.Equal(at)
		}
		if !found {
			t.Errorf("noise %v: the jump was not written at once", noise)
		}
	}
}

// The last write is for demand more than five times as high or as low, and is not spent on less.
func TestPublisherSpendsTheLastWriteOnAJump(t *testing.T) {
	for _, tc := range []struct {
		value float64
		want  bool
	}{{110, false}, {210, false}, {490, false}, {510, true}, {19, true}, {1000, true}} {
		p, err := New(DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		now := origin.Add(10 * time.Minute)
		for range DefaultOptions().Writes - 1 {
			p.Wrote(now)
		}
		published := flatPlan(origin, 100)
		if d := p.Decide(now, &published, flatPlan(now, tc.value), 10*time.Minute); d.Publish != tc.want {
			t.Errorf("from 100 to %g: %v (%s), want %v", tc.value, d.Publish, d.Reason, tc.want)
		}
	}
}

// While no new demand can be read, the plan does not change and costs no write until its end. All
// writes remain for the plans after the outage.
func TestPublisherSpendsNothingOnAnOutage(t *testing.T) {
	p, err := New(DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	last := flatPlan(origin, 123.4567)
	published := last
	p.Wrote(origin)
	for now := origin; now.Before(origin.Add(26 * time.Hour)); now = now.Add(time.Minute) {
		fresh := last
		fresh.ComputedAt = now
		if d := p.Decide(now, &published, fresh, 10*time.Minute); d.Publish {
			t.Fatalf("the same plan is written again %s after the outage began: %s", now.Sub(origin), d.Reason)
		}
	}
	back := origin.Add(26 * time.Hour)
	for i, v := range []float64{200, 230, 190, 250, 210} { // While the models adapt.
		now := back.Add(time.Duration(i) * time.Minute)
		fresh := flatPlan(now, v)
		d := p.Decide(now, &published, fresh, 10*time.Minute)
		if !d.Publish {
			t.Errorf("%d min after the outage a plan that changed was not written: %s", i, d.Reason)
		}
		p.Wrote(now)
		published = fresh
	}
}

func TestPublisherRecent(t *testing.T) {
	p, err := New(DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Duration{0, 30 * time.Minute, 59 * time.Minute} {
		p.Wrote(origin.Add(at))
	}
	got := p.Recent(origin.Add(time.Hour))
	if len(got) != 2 || !got[0].Equal(origin.Add(30*time.Minute)) {
		t.Errorf("recent writes = %v, want those of the last hour, oldest first", got)
	}
}

func TestPublisherDecide(t *testing.T) {
	old, fresh := flatPlan(origin, 100), flatPlan(origin.Add(2*time.Minute), 100)
	now := fresh.ComputedAt
	gap := flatPlan(origin, math.NaN())
	short := plan.Plan{
		ComputedAt: origin, Start: origin,
		Segments: []plan.Segment{{Step: time.Minute, Values: make([]float64, 10)}},
	}
	changed := flatPlan(now, 106)
	similar := flatPlan(now, 104)
	sameEnd := flatPlan(origin, 101)
	ending := origin.Add(1440*time.Minute - 5*time.Minute)
	sameEnd.ComputedAt = ending.Add(-time.Minute)
	cases := map[string]struct {
		published *plan.Plan
		fresh     plan.Plan
		want      bool
		at        time.Time // The default is now.
	}{
		"First":       {published: nil, fresh: fresh, want: true},
		"Same":        {published: &old, fresh: fresh, want: false},
		"Changed":     {published: &old, fresh: changed, want: true},
		"Similar":     {published: &old, fresh: similar, want: false},
		"Ends":        {published: &short, fresh: fresh, want: true},
		"NewValue":    {published: &gap, fresh: fresh, want: true},
		"NoValues":    {published: &gap, fresh: gap, want: false},
		"EndsTheSame": {published: &sameEnd, fresh: flatPlan(origin, 101.5), want: false, at: ending},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p, err := New(DefaultOptions())
			if err != nil {
				t.Fatal(err)
			}
			at := now
			if !tc.at.IsZero() {
				at = tc.at
				for range 9 { // Only a few writes remain.
					p.Wrote(at)
				}
			}
			if got := p.Decide(at, tc.published, tc.fresh, 10*time.Minute); got.Publish != tc.want || got.Reason == "" {
				t.Errorf("got %+v, want %v", got, tc.want)
			}
		})
	}
}

func TestNewPublisherRejectsInvalidOptions(t *testing.T) {
	for _, opts := range []Options{
		{},
		{Writes: 1, Window: time.Hour, Refresh: time.Minute},
		{Writes: 1, Window: time.Hour, Threshold: 1},
		{Writes: 1, Refresh: time.Minute, Threshold: 1},
	} {
		if _, err := New(opts); err == nil {
			t.Errorf("%+v was accepted", opts)
		}
	}
}

// A service that is held back, or no longer, is served another value, whatever its plan says.
func TestPublisherTellsAtOnceWhoIsHeldBack(t *testing.T) {
	p, err := New(DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	free, held := flatPlan(origin, 100), flatPlan(origin, 100)
	held.Segments[0].Most = make([]float64, len(held.Segments[0].Values))
	for i := range held.Segments[0].Most {
		held.Segments[0].Most[i] = 45
	}
	for name, tc := range map[string]struct{ published, fresh plan.Plan }{
		"held": {free, held}, "free again": {held, free},
	} {
		if d := p.Decide(origin, &tc.published, tc.fresh, 10*time.Minute); !d.Publish {
			t.Errorf("%s: not written, because %s", name, d.Reason)
		}
	}
	if d := p.Decide(origin, &held, held, 10*time.Minute); d.Publish {
		t.Errorf("nothing has changed, and it is written: %s", d.Reason)
	}
}

// A change of the capacity is worth the writes that a change of the plan is worth.
func TestAffordsChange(t *testing.T) {
	opts := DefaultOptions()
	for _, test := range []struct {
		reason string
		writes int
		change float64
		want   bool
	}{
		{"a small change waits for the next plan", 0, 0.03, false},
		{"a change above the threshold is written at once", 0, 0.06, true},
		{"with few writes left, a small change waits", 11, 0.3, false},
		{"a capacity that halves takes even the last write", 11, 1, true},
		{"there is no write left", 12, 1, false},
	} {
		p, err := New(opts)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
		for range test.writes {
			p.Wrote(now)
		}
		if got := p.AffordsChange(now, test.change); got != test.want {
			t.Errorf("%s: got %v", test.reason, got)
		}
	}
}
