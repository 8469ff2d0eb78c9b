package history_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/common/model"
	"pgregory.net/rapid"

	"headstart.dev/headstart/history"
)

const missingStore = "No StoreAPI matched: receive-1: partial response"

// annotated adds fields to the answers of a server.
type annotated struct {
	next http.Handler
	add  func(r *http.Request) map[string]any
}

func (a *annotated) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	in := httptest.NewRecorder()
	a.next.ServeHTTP(in, r)
	body := map[string]any{}
	if err := json.Unmarshal(in.Body.Bytes(), &body); err != nil {
		panic(err)
	}
	maps.Copy(body, a.add(r))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(in.Code)
	_ = json.NewEncoder(w).Encode(body)
}

// The answers of Thanos, Mimir, VictoriaMetrics and Prometheus that are more than samples.
func TestAnnotatedAnswers(t *testing.T) {
	cases := map[string]struct {
		add     map[string]any
		partial bool
		want    []string // in the notes
	}{
		"nothing":         {nil, false, nil},
		"Thanos":          {map[string]any{"warnings": []string{missingStore}}, true, []string{missingStore, "in part only"}},
		"VictoriaMetrics": {map[string]any{"isPartial": true}, true, []string{"in part only"}},
		"a whole one":     {map[string]any{"isPartial": false, "stats": map[string]any{"x": 1}}, false, nil},
		"PromQL warning": {
			map[string]any{"warnings": []string{"PromQL warning: quantile value should be between 0 and 1"}},
			false,
			[]string{"Prometheus says: PromQL warning: quantile"},
		},
		"PromQL info": {
			map[string]any{"infos": []string{"PromQL info: metric might not be a counter"}},
			false,
			[]string{"might not be a counter"},
		},
		"no warnings": {map[string]any{"warnings": nil, "infos": []string{}}, false, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			add := func(*http.Request) map[string]any { return tc.add }
			s := serve(t, &annotated{&fakePrometheus{value: one}, add}, nil)
			series, notes, err := s.Range(t.Context(), "up", from, to, time.Minute, nil)
			if err != nil || series.Known() != 60 {
				t.Fatalf("%d known, %v", series.Known(), err)
			}
			if (notes.Partial == 60) != tc.partial || notes.Partial > 0 != tc.partial {
				t.Errorf("%d steps in part", notes.Partial)
			}
			for _, want := range tc.want {
				if !strings.Contains(notes.String(), want) {
					t.Errorf("no %q in %q", want, notes)
				}
			}
			if len(tc.want) == 0 && notes.String() != "" {
				t.Errorf("notes %q", notes)
			}
			sample, err := s.Latest(t.Context(), "up", from)
			if err != nil || sample.Partial != tc.partial {
				t.Errorf("latest: %+v, %v", sample, err)
			}
		})
	}
}

// outage is a server of which half the stores do not answer at some times: it serves half of the
// demand then, for the samples after a given one, and says so.
type outage struct {
	down  func() bool
	since func() time.Time
}

func (o *outage) handler(f *fakePrometheus) http.Handler {
	whole := f.value
	f.value = func(i int, at time.Time) (float64, bool) {
		v, ok := whole(i, at)
		if o.down() && at.After(o.since()) {
			v /= 2
		}
		return v, ok
	}
	return &annotated{f, func(r *http.Request) map[string]any {
		if o.down() {
			return map[string]any{"warnings": []string{missingStore}}
		}
		return nil
	}}
}

// What was answered in part is a gap, then it is used, and at last the whole answer replaces it.
func TestReaderReadsPartsAgain(t *testing.T) {
	down := false
	o := &outage{down: func() bool { return down }, since: func() time.Time { return from.Add(-3 * time.Hour) }}
	f := &fakePrometheus{value: func(int, time.Time) (float64, bool) { return 8, true }}
	clock := &handClock{from}
	r := newReader(t, serve(t, o.handler(f), nil), history.ReaderConfig{Step: time.Minute, History: 12 * time.Hour}, clock)
	count := func(want float64) (n int) {
		s, _, err := r.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range s.Values {
			if v == want || math.IsNaN(v) && math.IsNaN(want) {
				n++
			}
		}
		return n
	}
	if n := count(8); n != 720 {
		t.Fatalf("%d whole steps", n)
	}
	down = true
	for range 29 {
		clock.now = clock.now.Add(time.Minute)
		if n := count(4); n > 0 {
			t.Fatalf("%d steps were halved after %s", n, clock.now.Sub(from))
		}
	}
	if n := count(nan); n != 29 || r.Notes().Partial != 29 || !strings.Contains(r.Notes().String(), missingStore) {
		t.Errorf("%d gaps, %+v", n, r.Notes())
	}
	clock.now = clock.now.Add(5 * time.Minute)
	if n := count(4); n != 34 || r.Notes().Partial != 34 {
		t.Errorf("%d halved steps after more than half an hour, want 34: %+v", n, r.Notes())
	}
	down = false
	for range 10 {
		clock.now = clock.now.Add(time.Minute)
		count(0)
	}
	clock.now = clock.now.Add(6 * time.Hour)
	if n := count(8); n != 720 || r.Notes().Partial != 0 || r.Notes().String() != "" {
		t.Errorf("%d whole steps at last, %+v", n, r.Notes())
	}
}

// A history that is answered in part only is no history at first.
func TestFirstReadInPart(t *testing.T) {
	down := true
	o := &outage{down: func() bool { return down }, since: func() time.Time { return from.Add(-time.Hour) }}
	f := &fakePrometheus{value: func(int, time.Time) (float64, bool) { return 8, true }}
	clock := &handClock{from}
	source := serve(t, o.handler(f), nil)
	r := newReader(t, source, history.ReaderConfig{Step: time.Minute, History: 12 * time.Hour}, clock)
	for range 30 {
		_, _, err := r.Read(t.Context())
		if !errors.Is(err, history.ErrPartial) || !strings.Contains(err.Error(), missingStore) {
			t.Fatalf("after %s: %v", clock.now.Sub(from), err)
		}
		clock.now = clock.now.Add(time.Minute)
	}
	s, _, err := r.Read(t.Context())
	if err != nil || s.Known() != 720 || r.Notes().Partial != 720 {
		t.Fatalf("%d steps after half an hour, %v, %+v", s.Known(), err, r.Notes())
	}
	down = false
	for range 12 {
		clock.now = clock.now.Add(time.Minute)
		if s, _, err = r.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if i := slices.IndexFunc(s.Values, func(v float64) bool { return v != 8 }); i >= 0 || r.Notes().Partial != 0 {
		t.Errorf("step %d is %v although the answer is whole now", i, s.Values[i])
	}
}

// An old part of the history that one store has, and that is down at the first read, is read later.
func TestOldPartIsReadLater(t *testing.T) {
	down := true
	f := &fakePrometheus{value: func(_ int, at time.Time) (float64, bool) { return 8, true }}
	h := &annotated{f, func(r *http.Request) map[string]any {
		if end := r.FormValue("end"); down && end < fmt.Sprint(from.Add(-6*time.Hour).Unix()) {
			return map[string]any{"isPartial": true}
		}
		return nil
	}}
	clock := &handClock{from}
	source := serve(t, h, func(c *history.SourceConfig) { c.MaxPointsPerRequest = 60 })
	r := newReader(t, source, history.ReaderConfig{Step: time.Minute, History: 12 * time.Hour}, clock)
	s, _, err := r.Read(t.Context())
	if err != nil || s.Known() > 480 || s.Known() < 300 {
		t.Fatalf("%d steps, %v", s.Known(), err)
	}
	down = false
	for range 6 {
		clock.now = clock.now.Add(time.Minute)
		if s, _, err = r.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if s.Known() != 720 || r.Notes().Partial != 0 {
		t.Errorf("%d steps once the store is back, %+v", s.Known(), r.Notes())
	}
}

// Whenever the source answers in part, for less than half an hour each time, the reader never gives
// a halved value. Once the source has been whole for long enough, the series is that of one read.
func TestReaderInPartProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		down := false
		o := &outage{down: func() bool { return down }, since: func() time.Time { return time.Time{} }}
		f := &fakePrometheus{value: func(_ int, at time.Time) (float64, bool) {
			return 1000 + float64(at.Unix()/60%97), at.Unix()/60%7 != 3
		}}
		source := serve(t, o.handler(f), func(c *history.SourceConfig) { c.MaxPointsPerRequest = 100 })
		clock := &handClock{from}
		config := history.ReaderConfig{Step: time.Minute, History: 5 * time.Hour}
		r := newReader(t, source, config, clock)
		read := func() history.Series {
			s, _, err := r.Read(t.Context())
			if err != nil && !errors.Is(err, history.ErrPartial) {
				rt.Fatal(err)
			}
			for i, v := range s.Values {
				if v < 1000 {
					rt.Fatalf("step %d of %d is halved at %s", i, len(s.Values), clock.now.Sub(from))
				}
			}
			return s
		}
		for range rapid.IntRange(1, 6).Draw(rt, "outages") {
			down = true
			for range rapid.IntRange(1, 5).Draw(rt, "reads") {
				clock.now = clock.now.Add(time.Duration(rapid.IntRange(1, 5).Draw(rt, "minutes")) * time.Minute)
				read()
			}
			down = false
			clock.now = clock.now.Add(time.Duration(rapid.IntRange(1, 90).Draw(rt, "pause")) * time.Minute)
			read()
		}
		for range 3 {
			clock.now = clock.now.Add(7 * time.Hour / 2)
			read()
		}
		want, _, err := newReader(t, source, config, clock).Read(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, read(), cmpopts.EquateNaNs()); diff != "" || r.Notes().Partial != 0 {
			rt.Fatalf("-whole, +incremental (%d in part):\n%s", r.Notes().Partial, diff)
		}
	})
}

func TestCoarseSamples(t *testing.T) {
	random := func(at time.Time) float64 { return float64(at.Unix() * 2654435761 >> 7 % 100_000) }
	switchTo := from.Add(-3 * 24 * time.Hour)
	cases := map[string]struct {
		value func(_ int, at time.Time) (float64, bool)
		every time.Duration // of the coarse samples; 0 when there are none
	}{
		"fine":   {func(_ int, at time.Time) (float64, bool) { return random(at), true }, 0},
		"steady": {func(int, time.Time) (float64, bool) { return 7, true }, 0},
		"gaps":   {func(_ int, at time.Time) (float64, bool) { return random(at), at.Minute()%5 == 0 }, 5 * time.Minute},
		"repeated": {func(_ int, at time.Time) (float64, bool) {
			return random(at.Truncate(5 * time.Minute)), true
		}, 5 * time.Minute},
		"an hour": {func(_ int, at time.Time) (float64, bool) {
			return random(at.Truncate(time.Hour)), true
		}, time.Hour},
		"old data only": {func(_ int, at time.Time) (float64, bool) {
			if at.Before(switchTo) {
				at = at.Truncate(5 * time.Minute)
			}
			return random(at), true
		}, 5 * time.Minute},
		"random gaps": {func(_ int, at time.Time) (float64, bool) { return random(at), random(at) < 30_000 }, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := serve(t, &fakePrometheus{value: tc.value}, nil)
			_, notes, err := s.Range(t.Context(), "up", from.Add(-7*24*time.Hour), from, time.Minute, nil)
			if err != nil {
				t.Fatal(err)
			}
			if tc.every == 0 {
				if notes.Coarse != nil {
					t.Errorf("got %+v", notes.Coarse)
				}
				return
			}
			if notes.Coarse == nil || notes.Coarse.Every != tc.every {
				t.Fatalf("got %+v, want %s", notes.Coarse, tc.every)
			}
			if to := notes.Coarse.To; name == "old data only" && to.Sub(switchTo).Abs() > 25*time.Hour {
				t.Errorf("coarse until %s, want about %s", to, switchTo)
			}
			if !strings.Contains(notes.String(), "use a resolution of "+model.Duration(tc.every).String()) {
				t.Errorf("notes %q", notes)
			}
		})
	}
}
