package evidence

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/reads"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/learning"
)

var epoch = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// fakeFetcher reads at once, or keeps reads until they are asked for.
type fakeFetcher struct {
	results map[reads.Key]reads.Result
	pending map[reads.Key]reads.SeriesReader
	hold    bool
	asked   int
}

func newFetcher() *fakeFetcher {
	return &fakeFetcher{results: map[reads.Key]reads.Result{}, pending: map[reads.Key]reads.SeriesReader{}}
}

func (f *fakeFetcher) Request(key reads.Key, _ string, r reads.SeriesReader) {
	f.asked++
	f.pending[key] = r
	if !f.hold {
		f.answer()
	}
}

func (f *fakeFetcher) answer() {
	for key, r := range f.pending {
		series, _, err := r.Read(context.Background())
		f.results[key] = reads.Result{Series: series, Err: err}
		delete(f.pending, key)
	}
}

func (f *fakeFetcher) Take(key reads.Key) (reads.Result, bool) {
	r, ok := f.results[key]
	delete(f.results, key)
	return r, ok
}

func (f *fakeFetcher) Busy(key reads.Key) bool { _, ok := f.pending[key]; return ok }

func (f *fakeFetcher) Forget(forecast types.NamespacedName, parts ...reads.Part) {
	for _, part := range parts {
		delete(f.pending, reads.Key{Forecast: forecast, Part: part})
		delete(f.results, reads.Key{Forecast: forecast, Part: part})
	}
}

// flat answers every query with a constant, or with an error.
type flat struct {
	value float64
	err   error
	spans []time.Duration
}

func (s *flat) Range(
	_ context.Context, _ string, from, to time.Time, step time.Duration, _ func(done, total int),
) (history.Series, history.Notes, error) {
	s.spans = append(s.spans, to.Sub(from))
	if s.err != nil {
		return history.Series{}, history.Notes{}, s.err
	}
	values := make([]float64, to.Sub(from)/step)
	for i := range values {
		values[i] = s.value
	}
	return history.Series{Start: from, Step: step, Values: values}, history.Notes{}, nil
}

func input(days int) Input {
	demand := &forecaster.Series{Start: epoch, Step: time.Minute, Values: make([]float64, days*1440)}
	return Input{
		Forecast: types.NamespacedName{Namespace: "shop", Name: "fc"}, Demand: demand, Now: epoch.AddDate(0, 0, days),
		Settings: planner.Settings{
			Query: "q", Step: time.Minute, SpecCapacity: 5, Learn: &planner.LearnSettings{
				Query: "latency", AtMost: 0.5, Attain: 0.99, Max: math.Inf(1), ReplicasQuery: "ready",
			},
		},
	}
}

func (s *flat) open(string, string) (Source, error) { return s, nil }

// The past is read in parts, one after the other, and a batch after that every five minutes.
func TestReadsArePaced(t *testing.T) {
	var l Learner
	in, f, s := input(14), newFetcher(), &flat{value: 1}
	for i := range 5 {
		l.Update(in, f, s.open)
		if want := min(2*(i+1), 8); f.asked != want {
			t.Fatalf("after %d updates %d reads were asked for, want %d", i+1, f.asked, want)
		}
	}
	for range 5 { // A step later nothing is due, since batches are of five.
		in.Demand.Values = append(in.Demand.Values, 1)
		in.Now = in.Now.Add(time.Minute)
		l.Update(in, f, s.open)
	}
	if l.Update(in, f, s.open); f.asked != 10 {
		t.Errorf("%d reads were asked for, want 10: of both queries, once in five minutes", f.asked)
	}
	for _, d := range s.spans {
		if d > 5040*time.Minute {
			t.Errorf("a read of %s", d)
		}
	}
}

// An error that may go away is tried again after a while, of the same steps. Others are told, and the
// steps count as unknown.
func TestErrors(t *testing.T) {
	away := &history.Error{Kind: history.ErrTimeout}
	var l Learner
	in, f, s := input(1), newFetcher(), &flat{err: away}
	for range 3 {
		l.Update(in, f, s.open)
	}
	if f.asked != 2 || !l.Until().IsZero() || l.problem() == nil {
		t.Errorf("%d reads, until %s, problem %+v; want 2 and a problem", f.asked, l.Until(), l.problem())
	}
	in.Now = in.Now.Add(2 * time.Minute)
	s.err, s.value = nil, 2
	for range 3 {
		l.Update(in, f, s.open)
	}
	if f.asked != 6 || !l.Until().Equal(in.Demand.Start.AddDate(0, 0, 1)) || l.problem() != nil {
		t.Errorf("%d reads, until %s, problem %+v; want 6, of half a day each, and none", f.asked, l.Until(), l.problem())
	}
	var bad Learner
	s.err = &history.Error{Kind: history.ErrBadQuery}
	asked := f.asked
	for range 30 { // half an hour
		bad.Update(in, f, s.open)
		in.Now = in.Now.Add(time.Minute)
	}
	p := bad.problem()
	if !bad.Until().IsZero() || p == nil || !errors.Is(p.err, history.ErrBadQuery) || p.part != reads.Latency {
		t.Errorf("until %s, problem %+v; want the bad query, and its steps not yet unknown", bad.Until(), p)
	}
	if n := f.asked - asked; n > 16 {
		t.Errorf("%d reads within half an hour, want longer waits after each failure", n)
	}
	for range 5 * 60 {
		bad.Update(in, f, s.open)
		in.Now = in.Now.Add(time.Minute)
	}
	if bad.Until().IsZero() {
		t.Error("after hours the steps of a read that fails are still not given up")
	}
}

// TestReplicasAway: without the query for replicas, the counted pods have to do.
func TestReplicasAway(t *testing.T) {
	var l Learner
	in, f := input(1), newFetcher()
	latency, replicas := &flat{value: 1}, &flat{err: &history.Error{Kind: history.ErrUnreachable}}
	in.Settings.Learn.ReplicasQuery, in.Settings.Learn.ReplicasSource = "replicas", "other"
	open := func(namespace, name string) (Source, error) {
		if name == "other" {
			return replicas.open(namespace, name)
		}
		return latency.open(namespace, name)
	}
	for range 15 {
		l.Update(in, f, open)
		in.Now = in.Now.Add(time.Minute)
	}
	if l.Until().IsZero() {
		t.Error("nothing is learned while the source of the replicas is away")
	}
}

// When the settings change, what was learned is forgotten, and so are the reads that are under way.
func TestOtherSettings(t *testing.T) {
	var l Learner
	in, f, s := input(1), newFetcher(), &flat{value: 1}
	f.hold = true
	l.Update(in, f, s.open)
	in.Settings.Learn.AtMost = 2
	l.Update(in, f, s.open)
	f.answer()
	l.Update(in, f, s.open)
	if f.asked != 4 || l.Until().IsZero() {
		t.Errorf("%d reads, until %s", f.asked, l.Until())
	}
	in.Settings.SpecCapacity = 0
	if l.Update(in, f, s.open); l.problem() == nil || l.Use(7) != 7 {
		t.Errorf("without a default: %+v, and %v is used", l.problem(), l.Use(7))
	}
}

// A read that somebody has dropped is asked for again.
func TestADroppedReadIsRepeated(t *testing.T) {
	var l Learner
	in, f, s := input(1), newFetcher(), &flat{value: 1}
	f.hold = true
	l.Update(in, f, s.open)
	f.Forget(in.Forecast, reads.Latency, reads.Replicas)
	f.hold = false
	for range 3 {
		l.Update(in, f, s.open)
	}
	if l.Until().IsZero() {
		t.Error("nothing was read after a read was dropped")
	}
}

// A result of another span is not taken for that of the span that is read: its values would be at
// wrong times.
func TestAResultOfAnotherSpanIsRejected(t *testing.T) {
	for name, change := range map[string]func(*history.Series){
		"an earlier start": func(s *history.Series) { s.Start = s.Start.Add(-time.Hour) },
		"fewer values":     func(s *history.Series) { s.Values = s.Values[1:] },
		"another step":     func(s *history.Series) { s.Step *= 2 },
	} {
		var l Learner
		in, f, s := input(1), newFetcher(), &flat{value: 1}
		l.Update(in, f, s.open)
		key := reads.Key{Forecast: in.Forecast, Part: reads.Latency}
		r := f.results[key]
		change(&r.Series)
		f.results[key] = r
		l.Update(in, f, s.open)
		if !l.Until().IsZero() {
			t.Errorf("%s: the steps until %s were learned from it", name, l.Until())
		}
		in.Now = in.Now.Add(2 * time.Minute)
		for range 2 {
			l.Update(in, f, s.open)
		}
		if l.Until().IsZero() {
			t.Errorf("%s: nothing was read again", name)
		}
	}
}

func TestCount(t *testing.T) {
	at := func(s int) time.Time { return epoch.Add(time.Duration(s) * time.Second) }
	a, b := gpuwarm.Key{Image: "1", Pool: "x"}, gpuwarm.Key{Image: "1", Pool: "y", Accelerator: "h100"}
	got := Count([]gpuwarm.Start{
		{Ready: at(50), Key: b},
		{Ready: at(20), Key: a},
		{Ready: at(10), Key: gpuwarm.Key{Image: "1", Pool: "z"}},
		{Key: a},
		{Ready: at(1), Ended: at(2), Key: a},
	})
	want := []time.Time{at(10), at(50)}
	if got.Ready != 3 || len(got.Releases) != 2 || !got.Releases[0].Since.Equal(want[0]) ||
		!got.Releases[1].Since.Equal(want[1]) {
		t.Errorf("%+v, want 3 ready pods of two releases: a pool is none", got)
	}
}

func TestReleases(t *testing.T) {
	at := func(h float64) time.Time { return epoch.Add(time.Duration(h * float64(time.Hour))) }
	pods := func(names ...string) (p Pods) {
		for i, name := range names {
			p.Releases = append(p.Releases, Release{name, at(float64(i))})
		}
		return p
	}
	type look struct {
		hour float64
		pods Pods
		want bool
	}
	for name, looks := range map[string][]look{
		"a rollout": {
			{1, pods("a"), false},
			{2, pods("a", "b"), false},
			{3, pods("b"), true},
			{4, pods("b"), false},
		},
		"none ready": {{1, pods("a"), false}, {2, pods(), false}, {3, pods("a"), false}},
		"two accelerators": {
			{1, pods("a"), false},
			{2, pods("a", "b"), false},
			{9, pods("b"), false},
			{10, pods("a"), false},
		},
		"back again":           {{1, pods("a"), false}, {2, pods("b"), true}, {3, pods("a"), true}},
		"replaced in one look": {{1, pods("a"), false}, {2, pods("b", "c"), true}},
	} {
		var r releases
		for _, l := range looks {
			if got := r.saw(at(l.hour), l.pods); got != l.want {
				t.Errorf("%s: at hour %v the release is new: %t, want %t", name, l.hour, got, l.want)
			}
		}
	}
	var r releases
	r.restore(&v1alpha1.LearnedCapacity{Release: "a"})
	if r.saw(at(1), pods("a")) || !r.saw(at(2), pods("b")) || r.current != "b" {
		t.Errorf("after a restart: %+v", r)
	}
}

// A count is never made up: where it is said, it was seen before and after, or just now.
func TestCountsHold(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var c counts
		seen := map[time.Time]int{}
		now := epoch
		for range rapid.IntRange(1, 200).Draw(r, "looks") {
			now = now.Add(time.Duration(rapid.IntRange(1, 400).Draw(r, "pause")) * time.Second)
			n := rapid.IntRange(0, 2).Draw(r, "ready")
			c.saw(now, n, time.Minute)
			seen[now] = n
		}
		if len(c.runs) > maxRuns {
			r.Fatalf("%d runs are kept", len(c.runs))
		}
		from := epoch.Add(time.Duration(rapid.IntRange(-100, 9000).Draw(r, "from")) * time.Second)
		to := from.Add(time.Minute)
		got := c.during(from, to)
		for at, n := range seen {
			if !at.Before(from) && !at.After(to) && !math.IsNaN(got) && float64(n) != got {
				r.Fatalf("%v is said from %s on, and %d were seen at %s", got, from, n, at)
			}
		}
		if from.After(now) && !math.IsNaN(got) {
			r.Fatalf("%v is said of the future", got)
		}
	})
}

func TestCountedPodsWinOverTheQuery(t *testing.T) {
	var c counts
	for i := range 5 {
		c.saw(epoch.Add(time.Duration(i)*time.Minute), 10, time.Minute)
	}
	nan := math.NaN()
	for name, tc := range map[string]struct{ counted, query, want float64 }{
		"counted pods are what serves":        {10, 0.5, 10},
		"a wrong query does not count":        {10, 7, 10},
		"the query knows the past":            {0, 7, 7},
		"a fraction is no number of replicas": {0, 0.5, nan},
		"an average is none either":           {0, 2.5, nan},
		"none teach nothing":                  {0, 0, nan},
		"infinitely many are none":            {0, math.Inf(1), nan},
		"not known":                           {0, nan, nan},
	} {
		at := epoch
		if tc.counted == 0 {
			at = epoch.Add(-time.Hour)
		}
		got := []float64{tc.query}
		c.fill(got, at, time.Minute)
		if got[0] != tc.want && !(math.IsNaN(got[0]) && math.IsNaN(tc.want)) {
			t.Errorf("%s: %v, want %v", name, got[0], tc.want)
		}
	}
}

// recorded answers queries from series.
type recorded map[string]forecaster.Series

func (s recorded) open(string, string) (Source, error) { return s, nil }

func (s recorded) Range(
	_ context.Context, query string, from, to time.Time, step time.Duration, _ func(done, total int),
) (history.Series, history.Notes, error) {
	return history.Series{Start: from, Step: step, Values: learning.Between(s[query], from, to)}, history.Notes{}, nil
}

// The capacity that serving uses at each step is the one that a replay uses, to the bit: for random
// measurements, and whenever serving begins.
func TestServingLearnsWhatAReplayLearns(t *testing.T) {
	learned := 0
	rapid.Check(t, func(r *rapid.T) {
		step := rapid.SampledFrom([]time.Duration{20 * time.Second, time.Minute, 10 * time.Minute}).Draw(r, "step")
		n := rapid.IntRange(200, 900).Draw(r, "steps")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 1))
		series := func() forecaster.Series {
			return forecaster.Series{Start: epoch, Step: step, Values: make([]float64, n)}
		}
		demand, latency, ready := series(), series(), series()
		for i := range n {
			demand.Values[i] = 40 + 30*math.Sin(float64(i)/60) + rng.NormFloat64()
			ready.Values[i] = math.Ceil((40 + 30*math.Sin(float64(i/25*25)/60)) / 7)
			latency.Values[i] = 0.07 / max(0.02, 1.14-demand.Values[i]/ready.Values[i]/8) * (1 + 0.05*rng.NormFloat64())
			if rng.IntN(30) == 0 {
				latency.Values[i] = math.NaN()
			}
		}
		demand.Values[n-1] = 1
		in := input(0)
		in.Settings.Step, in.Settings.SpecCapacity, in.Settings.Learn.Attain = step, 11, 0.9
		replay, err := learning.New(in.Settings)
		if err != nil {
			r.Fatal(err)
		}
		var l Learner
		f, source := newFetcher(), recorded{"latency": latency, "ready": ready}
		served, replayed := 0.0, 0.0
		for k := rapid.IntRange(100, n-1).Draw(r, "begin"); k < n; k++ {
			known := forecaster.Series{Start: epoch, Step: step, Values: demand.Values[:k:k]}
			in.Demand, in.Now = &known, epoch.Add(time.Duration(k)*step)
			for range 3 { // Each read that has ended lets serving evaluate again.
				l.Update(in, f, source.open)
			}
			replay.Advance(known, latency, ready)
			served, replayed = l.Use(served), replay.Use(replayed)
			if math.Float64bits(served) != math.Float64bits(replayed) {
				r.Fatalf("at step %d serving uses %v, and a replay %v", k, served, replayed)
			}
			if served != in.Settings.SpecCapacity {
				learned++
			}
		}
	})
	if learned < 1000 {
		t.Errorf("only at %d steps another capacity than the configured one was used", learned)
	}
}

// TestQuantityOf: a Quantity of 1e21 is written as 1.
func TestQuantityOf(t *testing.T) {
	for _, c := range []float64{1e-6, 0.5, 12.3457, 1e6, 1e15, 1e21, 1e24} {
		q := QuantityOf(c)
		text, err := q.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var read resource.Quantity
		if err := read.UnmarshalJSON(text); err != nil {
			t.Fatal(err)
		}
		if got, want := read.AsApproximateFloat64(), min(c, 1e15); math.Abs(got/want-1) > 1e-5 {
			t.Errorf("%g is written as %s", c, text)
		}
	}
}
