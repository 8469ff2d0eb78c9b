package history_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"headstart.dev/headstart/history"
)

// handClock shows the time that it was set to.
type handClock struct{ now time.Time }

func (c *handClock) Now() time.Time { return c.now }

func newReader(t testing.TB, s *history.Source, c history.ReaderConfig, clock history.Clock) *history.Reader {
	t.Helper()
	if c.Query == "" {
		c.Query = "up"
	}
	r, err := history.NewReader(s, c, clock)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReaderReadsOnlyWhatIsNew(t *testing.T) {
	f := &fakePrometheus{value: one}
	clock := &handClock{from.Add(20 * time.Second)}
	config := history.ReaderConfig{Step: time.Minute, History: 2 * time.Hour, Settle: 30 * time.Second}
	r := newReader(t, serve(t, f, nil), config, clock)

	// At 00:00:20 the step that ended at 00:00 has not settled: the history ends at 23:59.
	s, added, err := r.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if added != 120 || len(s.Values) != 120 || !s.End().Equal(from.Add(-time.Minute)) {
		t.Errorf("%d added, %d steps to %s", added, len(s.Values), s.End())
	}
	f.take()
	if _, added, err := r.Read(t.Context()); err != nil || added != 0 || len(f.take()) != 0 {
		t.Errorf("nothing is new: %d added, %v", added, err)
	}
	clock.now = clock.now.Add(3 * time.Minute)
	s, added, err = r.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if added != 3 || len(s.Values) != 120 || !s.End().Equal(from.Add(2*time.Minute)) {
		t.Errorf("%d added, %d steps to %s", added, len(s.Values), s.End())
	}
	if q := f.take(); len(q) != 1 || q[0].Points != 3 {
		t.Errorf("requests %v, want one of 3 points", q)
	}
	clock.now = clock.now.Add(-time.Hour)
	if _, added, err := r.Read(t.Context()); err != nil || added != 0 {
		t.Errorf("a clock that goes back: %d added, %v", added, err)
	}
	clock.now = clock.now.Add(100 * time.Hour)
	if s, added, err = r.Read(t.Context()); err != nil || added != 120 || len(s.Values) != 120 {
		t.Errorf("away for long: %d added, %d steps, %v", added, len(s.Values), err)
	}
}

func TestReaderFillsLateSteps(t *testing.T) {
	var known atomic.Int64 // the server knows samples up to here
	known.Store(from.Unix())
	f := &fakePrometheus{value: func(_ int, at time.Time) (float64, bool) { return 1, at.Unix() <= known.Load() }}
	clock := &handClock{from.Add(10 * time.Minute)}
	r := newReader(t, serve(t, f, nil), history.ReaderConfig{Step: time.Minute, History: time.Hour}, clock)
	s, _, err := r.Read(t.Context())
	if err != nil || s.Known() != 50 || len(s.Values) != 60 {
		t.Fatalf("%d of %d steps known, %v", s.Known(), len(s.Values), err)
	}
	clock.now = clock.now.Add(time.Minute)
	s, added, err := r.Read(t.Context()) // still nothing new
	if err != nil || added != 1 || s.Known() != 49 || len(s.Values) != 60 {
		t.Fatalf("%d added, %d of %d steps known, %v", added, s.Known(), len(s.Values), err)
	}
	known.Store(clock.now.Unix())
	clock.now = clock.now.Add(time.Minute)
	s, added, err = r.Read(t.Context())
	if err != nil || added != 1 || s.Known() != 59 || !math.IsNaN(s.Values[59]) {
		t.Errorf("late samples: %d added, %d of %d steps known, %v", added, s.Known(), len(s.Values), err)
	}
}

// TestReaderIncremental checks that a reader has the series of one whole read, at whatever times it
// has read before.
func TestReaderIncremental(t *testing.T) {
	f := &fakePrometheus{}
	source := serve(t, f, func(c *history.SourceConfig) { c.MaxPointsPerRequest = 50 })
	rapid.Check(t, func(r *rapid.T) {
		holes := rapid.IntRange(2, 9).Draw(r, "holes")
		begin := from.Add(time.Duration(rapid.IntRange(-100, 10).Draw(r, "begin")) * time.Minute)
		f.value = func(_ int, at time.Time) (float64, bool) {
			return float64(at.Unix() % 977), at.After(begin) && at.Unix()/60*2654435761>>8%int64(holes) != 0
		}
		clock := &handClock{from}
		config := history.ReaderConfig{
			Step: time.Minute, Settle: 30 * time.Second,
			History: time.Duration(rapid.IntRange(60, 9000).Draw(r, "history")) * time.Second,
		}
		inSteps := newReader(t, source, config, clock)
		var end time.Time
		var views, copies [][]float64
		for range rapid.IntRange(1, 8).Draw(r, "reads") {
			clock.now = clock.now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(r, "pause")) * time.Second)
			got, added, err := inSteps.Read(context.Background())
			want, _, wantErr := newReader(t, source, config, clock).Read(context.Background())
			if history.KindOf(err) != history.KindOf(wantErr) {
				r.Fatalf("incremental: %v, whole: %v", err, wantErr)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
				r.Fatalf("at %s: -whole, +incremental:\n%s", clock.now, diff)
			}
			views, copies = append(views, got.Values), append(copies, slices.Clone(got.Values))
			if err == nil {
				if !end.IsZero() && added < len(got.Values) && added != int(got.End().Sub(end)/time.Minute) {
					r.Fatalf("%d added, but the end moved from %s to %s", added, end, got.End())
				}
				end = got.End()
			}
		}
		if diff := cmp.Diff(copies, views, cmpopts.EquateNaNs()); diff != "" {
			r.Fatalf("what an earlier read returned has changed: -then, +now:\n%s", diff)
		}
	})
}

func TestReaderKeepsItsHistoryThroughErrors(t *testing.T) {
	f := &fakePrometheus{value: one}
	var down atomic.Bool
	source := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		f.ServeHTTP(w, r)
	}), nil)
	clock := &handClock{from}
	r := newReader(t, source, history.ReaderConfig{Step: time.Minute, History: time.Hour}, clock)
	if _, _, err := r.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.take()
	down.Store(true)
	clock.now = clock.now.Add(5 * time.Minute)
	if _, _, err := r.Read(t.Context()); !errors.Is(err, history.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	down.Store(false)
	_, added, err := r.Read(t.Context())
	if err != nil || added != 5 {
		t.Errorf("%d added, %v", added, err)
	}
	if q := f.take(); len(q) != 1 || q[0].Points != 5 {
		t.Errorf("requests %v, want one of 5 points", q)
	}
}

func TestReaderRejectsAnotherSeries(t *testing.T) {
	f := &fakePrometheus{labels: []map[string]string{{"pod": "a"}, {"pod": "b"}}}
	f.value = func(i int, at time.Time) (float64, bool) { return 1, at.After(from) == (i == 1) }
	clock := &handClock{from}
	r := newReader(t, serve(t, f, nil), history.ReaderConfig{Step: time.Minute, History: time.Hour}, clock)
	if _, _, err := r.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock.now = clock.now.Add(5 * time.Minute)
	for range 2 { // the second read is a whole one, and agrees
		_, _, err := r.Read(t.Context())
		if !errors.Is(err, history.ErrSeveralSeries) || !strings.Contains(err.Error(), `{pod="b"}`) {
			t.Errorf("got %v", err)
		}
	}
	clock.now = clock.now.Add(time.Hour) // the old series is past
	if s, _, err := r.Read(t.Context()); err != nil || s.Known() != 60 {
		t.Errorf("%d known, %v", s.Known(), err)
	}
}

func TestReaderBeginsWithTheFirstKnownStep(t *testing.T) {
	body := success("matrix", `[{"metric":{},"values":[[1772409540,"NaN"],[1772409600,"3"]]}]`)
	config := history.ReaderConfig{Step: time.Minute, History: 5 * time.Minute}
	r := newReader(t, serve(t, apiAnswer(200, body), nil), config, &handClock{from})
	s, _, err := r.Read(t.Context())
	if err != nil || len(s.Values) != 1 || s.Values[0] != 3 {
		t.Fatalf("%v, %v: the series begins with its first known step", s, err)
	}
}

func TestReaderConfig(t *testing.T) {
	good := history.ReaderConfig{Query: "up", Step: time.Minute, History: time.Hour}
	for name, change := range map[string]func(*history.ReaderConfig){
		"query":   func(c *history.ReaderConfig) { c.Query = "" },
		"step":    func(c *history.ReaderConfig) { c.Step = 0 },
		"history": func(c *history.ReaderConfig) { c.History = time.Second },
		"settle":  func(c *history.ReaderConfig) { c.Settle = -1 },
	} {
		c := good
		change(&c)
		if _, err := history.NewReader(nil, c, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
