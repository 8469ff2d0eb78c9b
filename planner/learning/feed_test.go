package learning

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"headstart.dev/headstart/capacity"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner"
)

var epoch = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func settings(step time.Duration) planner.Settings {
	return planner.Settings{
		HasDemand: true, Step: step, SpecCapacity: 5,
		Learn: &planner.LearnSettings{AtMost: 0.5, Attain: 0.95, Max: math.Inf(1)},
	}
}

func newFeed(t testing.TB, step time.Duration) *Feed {
	t.Helper()
	f, err := New(settings(step))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// service is what was measured of a service with a capacity of 8.
type service struct{ demand, latency, replicas forecaster.Series }

// measured is a service with a daily cycle, which an autoscaler keeps near 90 % of the capacity.
func measured(step time.Duration, n int, seed uint64) service {
	r := rand.New(rand.NewPCG(seed, 1))
	series := func() forecaster.Series {
		return forecaster.Series{Start: epoch, Step: step, Values: make([]float64, n)}
	}
	s := service{series(), series(), series()}
	replicas := 0.0
	for i := range n {
		demand := 60 + 50*math.Sin(2*math.Pi*float64(i)*float64(step)/float64(24*time.Hour))
		if i%20 == 0 {
			replicas = math.Ceil(demand / 7.5)
		}
		load := demand / replicas / 8
		s.demand.Values[i], s.replicas.Values[i] = demand, replicas
		s.latency.Values[i] = 0.5 / 7 / max(0.02, 1.142857-load) * (1 + 0.03*r.NormFloat64())
		switch r.IntN(40) {
		case 0:
			s.latency.Values[i] = math.NaN()
		case 1:
			s.demand.Values[i] = math.NaN()
		case 2:
			s.replicas.Values[i] = math.NaN()
		}
	}
	s.demand.Values[n-1] = 60
	return s
}

// same reports whether two estimates are the same, also where they are not known.
func same(a, b capacity.Estimate) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func until(s forecaster.Series, n int) forecaster.Series {
	s.Values = s.Values[:n:n]
	return s
}

func TestNoDefault(t *testing.T) {
	set := settings(time.Minute)
	set.SpecCapacity = 0
	if _, err := New(set); !errors.Is(err, ErrNoDefault) {
		t.Errorf("got %v, want %v", err, ErrNoDefault)
	}
}

// Steps are due in batches of five minutes, or of one step where that is longer, and of five steps
// where steps are short.
func TestBatches(t *testing.T) {
	for step, want := range map[time.Duration]time.Duration{
		time.Second: 5 * time.Second, time.Minute: 5 * time.Minute, 2 * time.Minute: 6 * time.Minute,
		10 * time.Minute: 10 * time.Minute, time.Hour: time.Hour,
	} {
		if f := newFeed(t, step); f.every != want {
			t.Errorf("steps of %s are due every %s, want %s", step, f.every, want)
		}
	}
}

// Forecasts of different names read at different steps.
func TestBatchesAreSpread(t *testing.T) {
	ends := map[time.Duration]int{}
	for offset := range 300 {
		set := settings(time.Minute)
		set.FitOffset = time.Duration(offset) * time.Second
		f, err := New(set)
		if err != nil {
			t.Fatal(err)
		}
		end := f.batchUntil(epoch.Add(time.Hour))
		if end.After(epoch.Add(time.Hour)) || end.Add(f.every).Sub(epoch) <= time.Hour || end.Sub(epoch)%time.Minute != 0 {
			t.Fatalf("with an offset of %s the batch by 1:00 ends at %s", set.FitOffset, end)
		}
		ends[end.Sub(epoch)]++
	}
	for end, n := range ends {
		if n != 60 || len(ends) != 5 {
			t.Errorf("%d of 300 Forecasts read until %s, and there are %d such times; want 60 and 5", n, end, len(ends))
		}
	}
}

// The past is read in parts of bounded size, from two weeks ago on.
func TestThePastIsReadInParts(t *testing.T) {
	f := newFeed(t, time.Minute)
	demand := forecaster.Series{Start: epoch, Step: time.Minute, Values: make([]float64, 28*24*60+3)}
	reads, first := 0, time.Time{}
	for {
		from, to, more := f.Next(demand, 0)
		if !more {
			break
		}
		if reads == 0 {
			first = from
		} else if !from.Equal(f.Until()) {
			t.Fatalf("the part from %s does not follow the one before, which ends at %s", from, f.Until())
		}
		n := int(to.Sub(from) / time.Minute)
		if n > maxSteps || n <= 0 {
			t.Fatalf("%d steps at once", n)
		}
		values := make([]float64, n)
		f.Add(from, values, values, values)
		reads++
	}
	end := epoch.Add(28 * 24 * time.Hour)
	if want := end.Add(-Span); !first.Equal(want) || !f.Until().Equal(end) || reads != 4 {
		t.Errorf("%d reads from %s to %s, want 4 from %s to %s", reads, first, f.Until(), want, end)
	}
	if !f.CaughtUp(demand) {
		t.Error("not all is added")
	}
}

// A bound on the steps is kept, and each part follows the one before.
func TestThePastIsReadInShorterParts(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		step := rapid.SampledFrom([]time.Duration{20 * time.Second, time.Minute, 10 * time.Minute}).Draw(r, "step")
		f := newFeed(t, step)
		begin := epoch.Add(time.Duration(rapid.IntRange(0, 3600).Draw(r, "begin")) * time.Second)
		demand := forecaster.Series{Start: begin, Step: step, Values: make([]float64, rapid.IntRange(0, 2000).Draw(r, "n"))}
		whole := *f
		_, end, due := whole.Next(demand, 0)
		until := time.Time{}
		for reads := 0; ; reads++ {
			steps := rapid.IntRange(1, 300).Draw(r, "steps")
			from, to, more := f.Next(demand, steps)
			if !more {
				break
			}
			n := int(to.Sub(from) / step)
			if n <= 0 || n > max(steps, 2*maxBatch) || to.Sub(from)%step != 0 || reads > 0 && !from.Equal(until) {
				r.Fatalf("a part of %s from %s, where at most %d steps were asked for, and %s was read", to.Sub(from),
					from, steps, until)
			}
			values := make([]float64, n)
			f.Add(from, values, values, values)
			until = to
		}
		if due && !until.Equal(end) || !f.CaughtUp(demand) {
			r.Fatalf("read until %s, want %s", until, end)
		}
	})
}

// The result does not depend on the batches, and it is what the samples say.
func TestBatchesDoNotMatter(t *testing.T) {
	s := measured(time.Minute, 5*1440, 1)
	whole := newFeed(t, time.Minute)
	whole.Advance(s.demand, s.latency, s.replicas)
	if e := whole.Estimate(); e.Steps < 100 || math.IsNaN(e.Capacity) {
		t.Fatalf("nothing was learned: %+v", e)
	}
	rapid.Check(t, func(r *rapid.T) {
		f := newFeed(t, time.Minute)
		for n := 1; n < len(s.demand.Values); n += rapid.IntRange(1, 2000).Draw(r, "steps") {
			f.Advance(until(s.demand, n), until(s.latency, n), until(s.replicas, n))
		}
		f.Advance(s.demand, s.latency, s.replicas)
		if got, want := f.Estimate(), whole.Estimate(); !same(got, want) {
			t.Fatalf("in batches:\n%+v\nat once:\n%+v", got, want)
		}
	})
}

// The cut test: what comes later changes nothing that is known now.
func TestNothingFromTheFuture(t *testing.T) {
	s := measured(time.Minute, 3*1440, 2)
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(10, len(s.demand.Values)-1).Draw(r, "now")
		later := measured(time.Minute, 3*1440, 2)
		for i := n; i < len(later.latency.Values); i++ {
			later.latency.Values[i] = rapid.SampledFrom([]float64{0, 1e9, math.NaN()}).Draw(r, "latency")
			later.replicas.Values[i] = 1
		}
		a, b := newFeed(t, time.Minute), newFeed(t, time.Minute)
		a.Advance(until(s.demand, n), s.latency, s.replicas)
		b.Advance(until(s.demand, n), later.latency, later.replicas)
		if !same(a.Estimate(), b.Estimate()) || a.Use(0) != b.Use(0) {
			t.Fatalf("at step %d the future is known:\n%+v\n%+v", n, a.Estimate(), b.Estimate())
		}
		if a.Until().After(epoch.Add(time.Duration(n) * time.Minute)) {
			t.Fatalf("at step %d steps until %s were added", n, a.Until())
		}
	})
}

// A clone goes its own way.
func TestClone(t *testing.T) {
	s := measured(time.Minute, 2*1440, 3)
	a := newFeed(t, time.Minute)
	a.Advance(until(s.demand, 1440), s.latency, s.replicas)
	before, b := a.Estimate(), a.Clone()
	b.Advance(s.demand, s.latency, s.replicas)
	if !same(a.Estimate(), before) || same(b.Estimate(), before) {
		t.Errorf("the original is %+v and the clone %+v, both were %+v", a.Estimate(), b.Estimate(), before)
	}
}

// A release makes what was learned before count no more, once its steps come.
func TestRelease(t *testing.T) {
	s := measured(time.Minute, 4*1440, 4)
	f := newFeed(t, time.Minute)
	f.Advance(until(s.demand, 2*1440), s.latency, s.replicas)
	before := f.Estimate()
	at := epoch.Add(3*24*time.Hour + 90*time.Second)
	f.Release(at)
	if !same(f.Estimate(), before) {
		t.Error("a release to come has changed the estimate already")
	}
	f.Advance(until(s.demand, 3*1440+5), s.latency, s.replicas)
	if e := f.Estimate(); e.Steps > 5 || e.Since.Before(epoch.Add(3*24*time.Hour)) {
		t.Errorf("after the release: %+v", e)
	}
	f.Release(at.Add(-time.Hour))
	f.Advance(s.demand, s.latency, s.replicas)
	if e := f.Estimate(); e.Steps < 100 {
		t.Errorf("a release of before was taken for a new one: %+v", e)
	}
}

// Whatever is measured, the capacity to use is a number above 0, and not far from what is configured
// without evidence.
func TestUseIsUsable(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		value := rapid.SampledFrom([]float64{0, 1, 5, 1e15, 1e-9, math.NaN(), math.Inf(1), -1})
		f, n := newFeed(t, time.Minute), rapid.IntRange(0, 200).Draw(r, "steps")
		var s service
		for _, x := range []*forecaster.Series{&s.demand, &s.latency, &s.replicas} {
			*x = forecaster.Series{Start: epoch, Step: time.Minute}
			for range n {
				x.Values = append(x.Values, value.Draw(r, "value"))
			}
		}
		f.Advance(s.demand, s.latency, s.replicas)
		if c := f.Use(0); !(c > 0) || math.IsInf(c, 0) {
			t.Fatalf("a capacity of %v is used: %+v", c, f.Estimate())
		}
	})
}

// Lack of evidence, such as after a restart without a past, never raises what is in use.
func TestALowerCapacityStaysWithoutEvidence(t *testing.T) {
	set := planner.Settings{Step: time.Minute, SpecCapacity: 10, Learn: &planner.LearnSettings{
		AtMost: 0.5, Attain: 0.99, Max: math.Inf(1),
	}}
	for name, tc := range map[string]struct{ inUse, want float64 }{
		"a lower one was learned":     {4, 4},
		"a higher one needs evidence": {20, 10},
		"nothing is in use":           {0, 10},
	} {
		f, err := New(set)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Use(tc.inUse); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
