package history_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/common/model"
	"pgregory.net/rapid"

	"headstart.dev/headstart/history"
)

var (
	from = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	to   = from.Add(time.Hour)

	nan = math.NaN()
)

func TestRangeStepsAndGaps(t *testing.T) {
	f := &fakePrometheus{value: func(_ int, at time.Time) (float64, bool) {
		switch at.Minute() {
		case 2:
			return 0, false
		case 3:
			return math.NaN(), true
		case 4:
			return math.Inf(1), true
		case 5:
			return -1, true
		case 6:
			return -1e-17, true
		}
		return float64(at.Minute()), true
	}}
	var seen []string
	start, end := from.Add(20*time.Second), from.Add(8*time.Minute+59*time.Second)
	got, _, err := serve(t, f, nil).Range(t.Context(), "up", start, end, time.Minute,
		func(done, total int) { seen = append(seen, fmt.Sprintf("%d/%d", done, total)) })
	if err != nil {
		t.Fatal(err)
	}
	// The sample evaluated at 00:01 is the step that ends there: step 0. Steps without a usable
	// sample are gaps.
	want := history.Series{Start: from, Step: time.Minute, Values: []float64{1, nan, nan, nan, nan, 0, 7, 8}}
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"0/1", "1/1"}, seen); diff != "" {
		t.Errorf("progress: -want, +got:\n%s", diff)
	}
}

// TestRangeChunks checks that the requests are small enough for Prometheus, are cut at the same
// instants for every reader, and together give what one request would.
func TestRangeChunks(t *testing.T) {
	f := &fakePrometheus{value: func(_ int, at time.Time) (float64, bool) {
		return float64(at.Unix() % 977), at.Unix()*2654435761>>8%7 != 0
	}}
	whole := serve(t, f, func(c *history.SourceConfig) { c.MaxPointsPerRequest = 11000 })
	rapid.Check(t, func(r *rapid.T) {
		step := time.Duration(rapid.SampledFrom([]int{1, 7, 60, 300}).Draw(r, "step")) * time.Second
		start := time.Unix(rapid.Int64Range(1_700_000_000, 1_700_100_000).Draw(r, "start"), 0)
		steps := rapid.IntRange(2, 300).Draw(r, "steps")
		points := rapid.IntRange(1, 100).Draw(r, "points")
		end := start.Add(time.Duration(steps) * step)
		cut := serve(t, f, func(c *history.SourceConfig) { c.MaxPointsPerRequest = points })
		f.take()
		got, _, err := cut.Range(context.Background(), "up", start, end, step, nil)
		requests := f.take()
		for i, q := range requests {
			if q.Points > points {
				r.Fatalf("a request of %d points, at most %d were allowed", q.Points, points)
			}
			if i > 0 && i < len(requests)-1 && q.Points != points {
				r.Fatalf("request %d of %d has %d points: only the first and the last may have less than %d",
					i, len(requests), q.Points, points)
			}
		}
		want, _, wantErr := whole.Range(context.Background(), "up", start, end, step, nil)
		if history.KindOf(err) != history.KindOf(wantErr) {
			r.Fatalf("cut: %v, whole: %v", err, wantErr)
		}
		if err != nil { // a short span may hold nothing but gaps
			return
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
			r.Fatalf("-whole, +cut:\n%s", diff)
		}
		if !got.Start.Equal(history.FloorTo(start, step)) || len(got.Values) != steps {
			r.Fatalf("starts at %s with %d values", got.Start, len(got.Values))
		}
	})
}

func TestRangeLongHistory(t *testing.T) {
	f := &fakePrometheus{value: one}
	got, _, err := serve(t, f, nil).Range(t.Context(), "up", from, from.Add(28*24*time.Hour), time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Values) != 28*24*60 || got.Known() != len(got.Values) {
		t.Errorf("%d of %d steps known", got.Known(), len(got.Values))
	}
}

func TestLatest(t *testing.T) {
	got, err := serve(t, &fakePrometheus{value: one}, nil).Latest(t.Context(), "up", from)
	if err != nil {
		t.Fatal(err)
	}
	if got.Value != float64(from.Unix()/60) || !got.At.Equal(from) || got.Partial {
		t.Errorf("got %+v", got)
	}
}

// A series without a usable number is explained by what was wrong with its samples, and by what
// Prometheus warned of.
func TestUnusableSamplesAreExplained(t *testing.T) {
	const body = `{"status":"success","warnings":["metric might not be a counter"],"data":{"resultType":"matrix",` +
		`"result":[{"metric":{},"values":[[1772409660,"NaN"],[1772409720,"-3"]]}]}}`
	_, _, err := serve(t, apiAnswer(200, body), nil).Range(t.Context(), "up", from, to, time.Minute, nil)
	const want = "samples that were NaN or infinite, and are gaps: 1; samples that were negative, and are gaps: 1; " +
		"Prometheus says: metric might not be a counter)"
	if !errors.Is(err, history.ErrNotFinite) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q in it", err, want)
	}
}

func TestRangeBadSpan(t *testing.T) {
	s := serve(t, &fakePrometheus{value: one}, nil)
	for name, call := range map[string]func() (history.Series, history.Notes, error){
		"empty": func() (history.Series, history.Notes, error) {
			return s.Range(t.Context(), "up", to, from, time.Minute, nil)
		},
		"too short a step": func() (history.Series, history.Notes, error) {
			return s.Range(t.Context(), "up", from, to, time.Microsecond, nil)
		},
	} {
		if _, _, err := call(); !errors.Is(err, history.ErrBadRequest) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestSeriesThatChanges checks that a series which another one replaces between two requests is
// rejected, as it would be in one.
func TestSeriesThatChanges(t *testing.T) {
	f := &fakePrometheus{labels: []map[string]string{{"pod": "a"}, {"pod": "b"}}}
	f.value = func(i int, at time.Time) (float64, bool) { return 1, at.After(from.Add(30*time.Minute)) == (i == 1) }
	for _, points := range []int{10000, 10} {
		s := serve(t, f, func(c *history.SourceConfig) { c.MaxPointsPerRequest = points })
		_, _, err := s.Range(t.Context(), "up", from, to, time.Minute, nil)
		if !errors.Is(err, history.ErrSeveralSeries) || !strings.Contains(err.Error(), `{pod="a"} and {pod="b"}`) {
			t.Errorf("at most %d points: %v", points, err)
		}
	}
}

func TestCancelledByTheCaller(t *testing.T) {
	s := serve(t, http.HandlerFunc(serveNever), nil)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, _, err := s.Range(ctx, "up", from, to, time.Minute, nil)
	if !errors.Is(err, context.Canceled) || history.KindOf(err) != "" {
		t.Errorf("got %v: a cancelled context is not the source's fault", err)
	}
}

func TestUnreachable(t *testing.T) {
	s := newSource(t, "http://127.0.0.1:1/prometheus?token=hunter2", nil)
	_, _, err := s.Range(t.Context(), "up", from, to, time.Minute, nil)
	if !errors.Is(err, history.ErrUnreachable) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
	if !history.KindOf(err).Temporary() {
		t.Error("a connection that is refused may be accepted later")
	}
}

// TestConcurrency checks that no more requests than slots are in flight, and that one that finds no
// free slot fails in time.
func TestConcurrency(t *testing.T) {
	started := make(chan struct{}, 16)
	six := func(ctx context.Context, timeout time.Duration) <-chan error {
		s := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			started <- struct{}{}
			<-r.Context().Done()
		}), func(c *history.SourceConfig) { c.Concurrency = 2; c.Timeout = model.Duration(timeout) })
		errs := make(chan error, 6)
		for range 6 {
			go func() {
				_, err := s.Latest(ctx, "up", from)
				errs <- err
			}()
		}
		return errs
	}
	ended := func(errs <-chan error, want error) {
		t.Helper()
		for range 6 {
			select {
			case err := <-errs:
				if !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
			case <-time.After(time.Minute):
				t.Fatal("a call that does not end")
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	errs := six(ctx, 5*time.Minute) // no slot becomes free by itself
	<-started
	<-started
	time.Sleep(100 * time.Millisecond)
	if n := 2 + len(started); n != 2 {
		t.Errorf("%d requests are in flight, want 2", n)
	}
	cancel()
	ended(errs, context.Canceled)
	ended(six(t.Context(), 300*time.Millisecond), history.ErrTimeout)
}

// Reads of history, however many and slow, leave a slot for the polls of observed demand.
func TestReadsLeaveASlotForPolls(t *testing.T) {
	reading := make(chan struct{}, 16)
	answers := &fakePrometheus{value: one}
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		if r.URL.Path == "/api/v1/query_range" {
			reading <- struct{}{}
			<-r.Context().Done()
			return
		}
		answers.ServeHTTP(w, r)
	}), func(c *history.SourceConfig) { c.Concurrency = 2 })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	for range 4 {
		go func() {
			_, _, _ = s.Range(ctx, "up", from, from.Add(time.Hour), time.Minute, nil)
			ended <- struct{}{}
		}()
	}
	<-reading
	bounded, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	if _, err := s.Latest(bounded, "up", from); err != nil {
		t.Errorf("a poll beside slow reads: %v", err)
	}
	cancel()
	for range 4 {
		<-ended
	}
}
