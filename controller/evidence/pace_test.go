package evidence

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"pgregory.net/rapid"

	"headstart.dev/headstart/controller/reads"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner/learning"
)

// busyDays are a demand, its latency and the ready replicas.
func busyDays(steps int) (demand, latency, ready forecaster.Series) {
	series := func() forecaster.Series {
		return forecaster.Series{Start: epoch, Step: time.Minute, Values: make([]float64, steps)}
	}
	demand, latency, ready = series(), series(), series()
	for i := range steps {
		demand.Values[i] = 40 + 30*math.Sin(float64(i)/60)
		ready.Values[i] = math.Ceil((40 + 30*math.Sin(float64(i/25*25)/60)) / 7)
		latency.Values[i] = 0.07 / max(0.02, 1.14-demand.Values[i]/ready.Values[i]/8) * (1 + 0.05*math.Sin(float64(i*i)))
	}
	return demand, latency, ready
}

// ask is a read that a source was asked for.
type ask struct {
	query string
	from  time.Time
	steps int
}

// limited answers reads of up to so many steps. Of longer ones it answers the first of them, and
// fails.
type limited struct {
	recorded
	most, before map[string]int // by query; a query that is not in most has no limit
	kind         history.Kind
	asked        []ask
}

func (s *limited) open(string, string) (Source, error) { return s, nil }

func (s *limited) Range(
	ctx context.Context, query string, from, to time.Time, step time.Duration, _ func(done, total int),
) (history.Series, history.Notes, error) {
	steps := int(to.Sub(from) / step)
	s.asked = append(s.asked, ask{query, from, steps})
	series, notes, err := s.recorded.Range(ctx, query, from, to, step, nil)
	if most, ok := s.most[query]; ok && steps > most {
		series.Values = series.Values[:min(s.before[query], most)]
		return series, notes, &history.Error{Kind: s.kind}
	}
	return series, notes, err
}

// learnedBy lets a Learner read until it has caught up, with two evaluations a minute. It returns
// how long that took.
func learnedBy(l *Learner, in Input, f *fakeFetcher, open Open, most time.Duration) (time.Duration, bool) {
	began := in.Now
	for ; in.Now.Sub(began) < most; in.Now = in.Now.Add(time.Minute) {
		for range 2 {
			l.Update(in, f, open)
		}
		if l.current {
			return in.Now.Sub(began), true
		}
	}
	return most, false
}

// Whatever a source answers at once, in the end the same is learned as where it answers everything.
func TestWhatIsTooLongIsReadInShorterParts(t *testing.T) {
	demand, latency, ready := busyDays(2000)
	in := input(0)
	in.Demand, in.Now = &demand, demand.Start.AddDate(0, 0, 2)
	replay, err := learning.New(in.Settings)
	if err != nil {
		t.Fatal(err)
	}
	replay.Advance(demand, latency, ready)
	want := replay.Estimate()
	if want.Steps < 100 || math.IsNaN(want.Capacity) {
		t.Fatalf("nothing is to be learned: %+v", want)
	}
	rapid.Check(t, func(r *rapid.T) {
		s := &limited{
			recorded: recorded{"latency": latency, "ready": ready},
			kind:     rapid.SampledFrom([]history.Kind{history.ErrTimeout, history.ErrTooLarge}).Draw(r, "kind"),
			most:     map[string]int{}, before: map[string]int{},
		}
		for _, query := range []string{"latency", "ready"} {
			s.most[query] = rapid.IntRange(leastSteps, 2500).Draw(r, "most of "+query)
			s.before[query] = rapid.SampledFrom([]int{0, 10, 500, 3000}).Draw(r, "answered of "+query)
		}
		var l Learner
		in := in
		took, ok := learnedBy(&l, in, newFetcher(), s.open, 3*time.Hour)
		if got, _ := l.Known(); !ok || fmt.Sprint(got) != fmt.Sprint(want) || !l.Until().Equal(replay.Until()) {
			r.Fatalf("after %s until %s: %+v\nwant until %s: %+v", took, l.Until(), got, replay.Until(), want)
		}
		if l.pace != (pace{}) {
			r.Fatalf("reads are still bounded: %+v", l.pace)
		}
	})
}

// Each read that is too long has half as many steps as the one before, down to an hour of them, and
// waits longer, up to 15 minutes.
func TestAReadThatIsNeverAnswered(t *testing.T) {
	s := &limited{recorded: recorded{}, most: map[string]int{"latency": 0}, kind: history.ErrTimeout}
	var l Learner
	in, f := input(14), newFetcher()
	in.Settings.Learn.ReplicasQuery = ""
	began, last := in.Now, 0
	var steps []int
	var at []time.Duration
	for ; in.Now.Sub(began) < 2*time.Hour; in.Now = in.Now.Add(30 * time.Second) {
		l.Update(in, f, s.open)
		if n := len(s.asked); n > last {
			last = n
			steps, at = append(steps, s.asked[n-1].steps), append(at, in.Now.Sub(began))
		}
	}
	if got, want := fmt.Sprint(steps[:10]), "[5040 2520 1260 630 315 155 75 60 60 60]"; got != want {
		t.Errorf("reads of %s steps, want %s", got, want)
	}
	// An update takes the answer 30 seconds after it was asked for.
	const want = "[0s 1m30s 3m0s 5m30s 10m0s 18m30s 34m0s 49m30s 1h5m0s 1h20m30s]"
	if got := fmt.Sprint(at[:10]); got != want {
		t.Errorf("they were asked for after %s, want %s", got, want)
	}
	if p := l.problem(); p == nil || p.part != reads.Latency || !l.Until().IsZero() {
		t.Errorf("problem %+v, until %s", p, l.Until())
	}
}

// What was answered before a source failed is not asked for again.
func TestTheAnsweredPrefixIsKept(t *testing.T) {
	demand, latency, ready := busyDays(4000)
	s := &limited{
		recorded: recorded{"latency": latency, "ready": ready}, kind: history.ErrTimeout,
		most: map[string]int{"latency": 1000, "ready": 3000}, before: map[string]int{"latency": 700, "ready": 3000},
	}
	var l Learner
	in, f := input(0), newFetcher()
	in.Demand, in.Now = &demand, demand.Start.AddDate(0, 0, 3)
	for range 2 {
		l.Update(in, f, s.open)
	}
	if want := epoch.Add(700 * time.Minute); !l.Until().Equal(want) || !in.Now.Before(l.notBefore) {
		t.Errorf("until %s, and the next read is at %s; want until %s, and a wait", l.Until(), l.notBefore, want)
	}
	in.Now = l.notBefore
	s.asked = nil
	l.Update(in, f, s.open)
	for _, a := range s.asked {
		if !a.from.Equal(epoch.Add(700*time.Minute)) || a.steps < 1990 || a.steps > 2000 {
			t.Errorf("%s was asked for %d steps from %s, want half as many, from 700 minutes on", a.query, a.steps, a.from)
		}
	}
	for _, kind := range []history.Kind{history.ErrSeveralSeries, history.ErrBadQuery, history.ErrPartial} {
		r := reads.Result{
			Series: history.Series{Start: epoch, Step: time.Minute, Values: make([]float64, 10)},
			Err:    &history.Error{Kind: kind},
		}
		if n := answered(r, epoch, time.Minute, 20); n != 0 {
			t.Errorf("%s: %d steps count, which may be of another series", kind, n)
		}
	}
}

// Reads become longer again where the source was busy only for a while.
func TestReadsBecomeLongerAgain(t *testing.T) {
	demand, latency, _ := busyDays(14 * 1440)
	s := &limited{
		recorded: recorded{"latency": latency}, most: map[string]int{"latency": 100}, kind: history.ErrTimeout,
	}
	var l Learner
	in, f := input(14), newFetcher()
	in.Demand = &demand
	in.Settings.Learn.ReplicasQuery = ""
	for range 120 { // an hour
		l.Update(in, f, s.open)
		in.Now = in.Now.Add(30 * time.Second)
	}
	if l.current || l.pace.most == 0 {
		t.Fatalf("in an hour all is read at once: %+v", l.pace)
	}
	s.most = nil
	s.asked = nil
	if _, ok := learnedBy(&l, in, f, s.open, time.Hour); !ok || len(s.asked) > 30 {
		t.Errorf("caught up: %t, after %d more reads; want that by at most 30", ok, len(s.asked))
	}
}

// Replicas that are never answered do not keep the latency from being read, and a latency that is
// too large for good is given up.
func TestNoReadIsShortEnough(t *testing.T) {
	for name, tc := range map[string]struct {
		query   string
		kind    history.Kind
		least   time.Duration
		most    time.Duration
		missing string
	}{
		"replicas time out":      {"ready", history.ErrTimeout, 20 * time.Minute, time.Hour, "NoReplicas"},
		"replicas are too large": {"ready", history.ErrTooLarge, 20 * time.Minute, time.Hour, "NoReplicas"},
		"latency is too large":   {"latency", history.ErrTooLarge, 3 * time.Hour, 6 * time.Hour, "NoLatency"},
	} {
		demand, latency, ready := busyDays(4000)
		s := &limited{
			recorded: recorded{"latency": latency, "ready": ready}, most: map[string]int{tc.query: 0}, kind: tc.kind,
		}
		var l Learner
		in := input(0)
		in.Demand, in.Now = &demand, demand.Start.AddDate(0, 0, 3)
		took, ok := learnedBy(&l, in, newFetcher(), s.open, 24*time.Hour)
		if got, _ := l.Known(); !ok || took < tc.least || took > tc.most || string(got.Missing) != tc.missing {
			t.Errorf("%s: given up: %t, after %s, and what is known is %+v", name, ok, took, got)
		}
		if l.alone {
			t.Errorf("%s: the replicas are not asked for any more", name)
		}
	}
}

// A part of the replicas is a wrong count, also where it comes before an error.
func TestPartialReplicasAreNoPrefix(t *testing.T) {
	for name, tc := range map[string]struct {
		whole bool
		want  int
	}{"replicas": {true, 0}, "latency": {false, 3}} {
		s := span{open: func(string, string) (Source, error) { return partly{}, nil }, whole: tc.whole}
		if got, _, err := s.Read(t.Context()); err == nil || len(got.Values) != tc.want {
			t.Errorf("%s: %d steps and %v, want %d and the error", name, len(got.Values), err, tc.want)
		}
	}
}

// partly answers three steps in part, and then fails.
type partly struct{}

func (partly) Range(
	context.Context, string, time.Time, time.Time, time.Duration, func(done, total int),
) (history.Series, history.Notes, error) {
	err := &history.Error{Kind: history.ErrTimeout}
	return history.Series{Step: time.Minute, Values: make([]float64, 3)}, history.Notes{Partial: 3}, err
}

// A Prometheus that answers 500 steps within its timeout, and no more, is read all the same.
func TestASlowServer(t *testing.T) {
	demand, latency, ready := busyDays(2000)
	series := recorded{"latency": latency, "ready": ready}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		number := func(name string) int64 {
			v, err := strconv.ParseFloat(r.FormValue(name), 64)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			return int64(v)
		}
		query := r.FormValue("query")
		start, end, step := number("start"), number("end"), number("step")
		if (end-start)/step >= 500 {
			<-r.Context().Done() // until the client gives up
			return
		}
		var samples []string
		for at := start; at <= end; at += step { // A sample at the end of a step is that of the step.
			from := time.Unix(at-step, 0)
			v := learning.Between(series[query], from, from.Add(time.Minute))[0]
			samples = append(samples, fmt.Sprintf(`[%d,"%s"]`, at, strconv.FormatFloat(v, 'g', -1, 64)))
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[%s]}]}}`,
			strings.Join(samples, ","))
	}))
	defer server.Close()
	config := history.SourceConfig{URL: server.URL, Timeout: model.Duration(300 * time.Millisecond)}
	source, err := history.NewSource(config)
	if err != nil {
		t.Fatal(err)
	}
	open := func(string, string) (Source, error) { return source, nil }
	fetch := reads.New()
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() { defer close(stopped); _ = fetch.Start(ctx) }()
	defer func() { cancel(); <-stopped }()

	var l Learner
	in := input(0)
	in.Demand, in.Now = &demand, demand.Start.AddDate(0, 0, 2)
	failures := 0
	for deadline := time.Now().Add(3 * time.Minute); !l.current && time.Now().Before(deadline); {
		if l.Update(in, fetch, open); l.problem() != nil {
			failures++
		}
		select {
		case <-fetch.Done():
		case <-time.After(20 * time.Millisecond): // The next read may be put off.
		}
		in.Now = in.Now.Add(time.Minute)
	}
	replay, err := learning.New(in.Settings)
	if err != nil {
		t.Fatal(err)
	}
	replay.Advance(demand, latency, ready)
	if got, _ := l.Known(); !l.current || failures == 0 || fmt.Sprint(got) != fmt.Sprint(replay.Estimate()) {
		t.Errorf("caught up: %t, after %d evaluations with a problem: %+v\nwant %+v", l.current, failures, got,
			replay.Estimate())
	}
}
