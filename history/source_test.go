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
	from = at("2026-03-02T00:00:00Z")
	to   = at("2026-03-02T01:00:00Z")
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
	got, err := serve(t, f, nil).Range(t.Context(), "up", from.Add(20*time.Second), from.Add(8*time.Minute+59*time.Second), time.Minute,
		func(done, total int) { seen = append(seen, fmt.Sprintf("%d/%d", done, total)) })
	if err != nil {
		t.Fatal(err)
	}
	// The sample evaluated at 00:01 is the step that ends there: step 0. Steps without a usable sample are gaps.
	want := history.Series{Start: from, Step: time.Minute, Values: []float64{1, nan, nan, nan, nan, 0, 7, 8}}
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"0/1", "1/1"}, seen); diff != "" {
		t.Errorf("progress: -want, +got:\n%s", diff)
	}
}

// TestRangeChunks holds that the requests are small enough for Prometheus, cut at the same instants whoever asks, and together
// what one request would have given.
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
		got, err := cut.Range(context.Background(), "up", start, end, step, nil)
		requests := f.take()
		for i, q := range requests {
			if q.Points > points {
				r.Fatalf("a request of %d points, at most %d were allowed", q.Points, points)
			}
			if i > 0 && i < len(requests)-1 && q.Points != points {
				r.Fatalf("request %d of %d has %d points: only the first and the last may be short of %d", i, len(requests), q.Points, points)
			}
		}
		want, wantErr := whole.Range(context.Background(), "up", start, end, step, nil)
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
	got, err := serve(t, f, nil).Range(t.Context(), "up", from, from.Add(28*24*time.Hour), time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Values) != 28*24*60 || got.Known() != len(got.Values) {
		t.Errorf("%d of %d steps known", got.Known(), len(got.Values))
	}
}

func TestLatest(t *testing.T) {
	value, when, err := serve(t, &fakePrometheus{value: one}, nil).Latest(t.Context(), "up", from)
	if err != nil {
		t.Fatal(err)
	}
	if value != float64(from.Unix()/60) || !when.Equal(from) {
		t.Errorf("got %v at %s", value, when)
	}
}

// TestBadAnswers holds every way in which a query or a source can be wrong to its kind and to a message that says what to change.
func TestBadAnswers(t *testing.T) {
	text := func(status int, kind, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		})
	}
	api := func(status int, body string) http.Handler { return text(status, "application/json", body) }
	ten := &fakePrometheus{value: one}
	for i := range 10 {
		ten.labels = append(ten.labels, map[string]string{"__name__": "up", "pod": fmt.Sprintf("web-%d", i)})
	}
	always := func(v float64) http.Handler {
		return &fakePrometheus{value: func(int, time.Time) (float64, bool) { return v, true }}
	}
	never := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // the server notices a gone client only once the body is read
		<-r.Context().Done()
	})
	drip := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		for {
			if _, err := fmt.Fprint(w, " "); err != nil || r.Context().Err() != nil {
				return
			}
			w.(http.Flusher).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	})
	huge := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		page := []byte(strings.Repeat(" ", 1<<20))
		for range 60 {
			if _, err := w.Write(page); err != nil {
				return
			}
		}
	})
	histogram := `{"status":"success","data":{"resultType":"%s","result":[{"metric":{},"histogram%s":%s}]}}`
	sample := `[1772409660,{"count":"1","sum":"1","buckets":[[0,"1","2","1"]]}]`

	cases := map[string]struct {
		server  http.Handler
		query   string
		kind    history.Kind
		want    string // of the range's message
		latest  string // of the instant query's, where it differs
		instant bool   // only the instant query fails
		ranged  bool   // only the range fails
		slow    bool   // the answer does not come within the timeout, which is a short one then
	}{
		"ten series":           {server: ten, kind: history.ErrSeveralSeries, want: `10 series, such as up{pod="web-0"} and up{pod="web-1"}, but demand is one: aggregate with sum(`},
		"no series":            {server: &fakePrometheus{value: func(int, time.Time) (float64, bool) { return 0, false }}, kind: history.ErrNoSeries, want: "check the metric's name"},
		"NaN":                  {server: always(nan), kind: history.ErrNotFinite, want: "NaN or infinite, and are gaps: 60", latest: "gives NaN"},
		"infinite":             {server: always(math.Inf(1)), kind: history.ErrNotFinite, want: "guard a division", latest: "gives +Inf"},
		"negative":             {server: always(-2), kind: history.ErrNotFinite, want: "clamp_min", latest: "gives -2"},
		"scalar":               {server: always(1), query: "scalar(up)", kind: history.ErrWrongType, want: "gives a scalar, but demand is an instant vector: wrap it in vector("},
		"string":               {server: always(1), query: `"up"`, kind: history.ErrWrongType, want: "gives a string"},
		"range vector":         {server: always(1), query: "up[5m]", kind: history.ErrWrongType, want: "wrap the range selector in rate("},
		"edges":                {server: always(1), query: "up @ end()", kind: history.ErrBadQuery, want: "leave them out"},
		"edges of a subquery":  {server: always(1), query: "max_over_time(up[5m:1m] @ start())", kind: history.ErrBadQuery, want: "leave them out"},
		"scalar answer":        {server: api(200, `{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}`), kind: history.ErrWrongType, want: "gives a scalar"},
		"histogram range":      {server: api(200, fmt.Sprintf(histogram, "matrix", "s", "["+sample+"]")), kind: history.ErrWrongType, want: "histogram_count", ranged: true},
		"histogram":            {server: api(200, fmt.Sprintf(histogram, "vector", "", sample)), kind: history.ErrWrongType, want: "histogram_count", instant: true},
		"bad PromQL":           {server: api(400, `{"status":"error","errorType":"bad_data","error":"1:5: parse error: unexpected end of input"}`), query: "sum(", kind: history.ErrBadQuery, want: "1:5: parse error: unexpected end of input"},
		"string by the server": {server: api(400, `{"status":"error","errorType":"bad_data","error":"invalid expression type \"string\" for range query, must be Scalar or instant Vector"}`), query: "x{}}", kind: history.ErrWrongType, want: "invalid expression type"},
		"execution":            {server: api(422, `{"status":"error","errorType":"execution","error":"found duplicate series for the match group"}`), kind: history.ErrBadQuery, want: "found duplicate series"},
		"given up":             {server: api(503, `{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}`), kind: history.ErrTimeout, want: "recording rule"},
		"internal":             {server: api(500, `{"status":"error","errorType":"internal","error":"disk on fire"}`), kind: history.ErrUnavailable, want: "disk on fire"},
		"error with 200":       {server: api(200, `{"status":"error","errorType":"bad_data","error":"no such thing"}`), kind: history.ErrBadQuery, want: "no such thing"},
		"401":                  {server: text(401, "text/plain", "no"), kind: history.ErrUnauthorized, want: "check the source's httpClientConfig"},
		"403":                  {server: text(403, "text/html", "<html>"), kind: history.ErrUnauthorized, want: "HTTP 403 Forbidden"},
		"503":                  {server: text(503, "text/html", "<html>"), kind: history.ErrUnavailable, want: "HTTP 503 Service Unavailable"},
		"429":                  {server: text(429, "text/plain", "slow down"), kind: history.ErrUnavailable, want: "not overloaded"},
		"404":                  {server: http.NotFoundHandler(), kind: history.ErrNotPrometheus, want: "no Prometheus API under this path"},
		"405":                  {server: text(405, "text/plain", "no"), kind: history.ErrNotPrometheus, want: "405"},
		"HTML":                 {server: text(200, "text/html; charset=utf-8", "<html>Welcome</html>"), kind: history.ErrNotPrometheus, want: "answers with an HTML page: it is not a Prometheus API"},
		"not JSON":             {server: text(200, "text/plain", "hello"), kind: history.ErrNotPrometheus, want: "does not answer in Prometheus's JSON"},
		"other JSON":           {server: api(200, `{"hits":[]}`), kind: history.ErrNotPrometheus, want: "answers without a result"},
		"JSON of a wrong kind": {server: api(200, `{"status":"success","data":{"resultType":"matrix","result":7}}`), kind: history.ErrNotPrometheus, want: "JSON", ranged: true},
		"samples not asked for": {
			server: api(200, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"]]}]}}`),
			kind:   history.ErrNotPrometheus, want: "was not asked for", ranged: true,
		},
		"never":            {server: never, kind: history.ErrTimeout, want: "no answer within 300ms", slow: true},
		"drop by drop":     {server: drip, kind: history.ErrTimeout, want: "no answer within 300ms", slow: true},
		"too large":        {server: huge, kind: history.ErrTooLarge, want: "aggregate"},
		"redirect to HTML": {server: http.RedirectHandler("/login", http.StatusFound), kind: history.ErrUnreachable, want: "redirects"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := serve(t, tc.server, func(c *history.SourceConfig) {
				c.Name = "main"
				if tc.slow {
					c.Timeout = model.Duration(300 * time.Millisecond)
				}
			})
			query := tc.query
			if query == "" {
				query = "up"
			}
			check := func(what string, err error, want string) {
				t.Helper()
				if !errors.Is(err, tc.kind) || history.KindOf(err) != tc.kind {
					t.Fatalf("%s: got %v (%s), want %s", what, err, history.KindOf(err), tc.kind)
				}
				if !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), `source "main": `) {
					t.Errorf("%s: got %q, want %q in it", what, err, want)
				}
				t.Log(err)
			}
			began := time.Now()
			if !tc.instant {
				_, err := s.Range(t.Context(), query, from, to, time.Minute, nil)
				check("range", err, tc.want)
			}
			if !tc.ranged {
				_, _, err := s.Latest(t.Context(), query, to)
				if tc.latest == "" {
					tc.latest = tc.want
				}
				if name == "no series" {
					tc.latest = "or vector(0)"
				}
				check("latest", err, tc.latest)
			}
			if took := time.Since(began); tc.slow && took > time.Minute { // of a machine that stands still in between
				t.Errorf("took %s: a call ends within twice the timeout", took)
			}
		})
	}
}

// A series without a usable number is explained by what was wrong with its samples, and by what Prometheus warned of.
func TestUnusableSamplesAreExplained(t *testing.T) {
	const answer = `{"status":"success","warnings":["metric might not be a counter"],"data":{"resultType":"matrix","result":[{"metric":{},` +
		`"values":[[1772409660,"NaN"],[1772409720,"-3"]]}]}}`
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) })
	_, err := serve(t, h, nil).Range(t.Context(), "up", from, to, time.Minute, nil)
	const want = "(samples that were NaN or infinite, and are gaps: 1; samples that were negative, and are gaps: 1; " +
		"Prometheus says: metric might not be a counter)"
	if !errors.Is(err, history.ErrNotFinite) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q in it", err, want)
	}
}

func TestRangeBadSpan(t *testing.T) {
	s := serve(t, &fakePrometheus{value: one}, nil)
	for name, call := range map[string]func() (history.Series, error){
		"empty":    func() (history.Series, error) { return s.Range(t.Context(), "up", to, from, time.Minute, nil) },
		"too thin": func() (history.Series, error) { return s.Range(t.Context(), "up", from, to, time.Microsecond, nil) },
	} {
		if _, err := call(); !errors.Is(err, history.ErrBadRequest) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestSeriesThatChanges holds that a series which is replaced by another between two requests is refused, as it would be in one.
func TestSeriesThatChanges(t *testing.T) {
	f := &fakePrometheus{labels: []map[string]string{{"pod": "a"}, {"pod": "b"}}}
	f.value = func(i int, at time.Time) (float64, bool) { return 1, at.After(from.Add(30*time.Minute)) == (i == 1) }
	for _, points := range []int{10000, 10} {
		s := serve(t, f, func(c *history.SourceConfig) { c.MaxPointsPerRequest = points })
		_, err := s.Range(t.Context(), "up", from, to, time.Minute, nil)
		if !errors.Is(err, history.ErrSeveralSeries) || !strings.Contains(err.Error(), `{pod="a"} and {pod="b"}`) {
			t.Errorf("at most %d points: %v", points, err)
		}
	}
}

func TestCancelledByTheCaller(t *testing.T) {
	s := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _ = r.ParseForm(); <-r.Context().Done() }), nil)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err := s.Range(ctx, "up", from, to, time.Minute, nil)
	if !errors.Is(err, context.Canceled) || history.KindOf(err) != "" {
		t.Errorf("got %v: an ended context is no fault of the source", err)
	}
}

func TestUnreachable(t *testing.T) {
	s := newSource(t, "http://127.0.0.1:1/prometheus?token=hunter2", nil)
	_, err := s.Range(t.Context(), "up", from, to, time.Minute, nil)
	if !errors.Is(err, history.ErrUnreachable) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
	if !history.KindOf(err).Temporary() {
		t.Error("a connection that is refused may be accepted later")
	}
}

// TestPlaces holds that no more requests than places are under way, and that one who finds none free hears of it in time.
func TestPlaces(t *testing.T) {
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
				_, _, err := s.Latest(ctx, "up", from)
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
	errs := six(ctx, 5*time.Minute) // no place comes free by itself
	<-started
	<-started
	time.Sleep(100 * time.Millisecond)
	if n := 2 + len(started); n != 2 {
		t.Errorf("%d requests are under way, want 2", n)
	}
	cancel()
	ended(errs, context.Canceled)
	ended(six(t.Context(), 300*time.Millisecond), history.ErrTimeout)
}

// Long reads of history, however many and however slow, leave a place for the polls of observed demand.
func TestReadsLeaveAPlaceForPolls(t *testing.T) {
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
			_, _ = s.Range(ctx, "up", from, from.Add(time.Hour), time.Minute, nil)
			ended <- struct{}{}
		}()
	}
	<-reading
	bounded, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	if _, _, err := s.Latest(bounded, "up", from); err != nil {
		t.Errorf("a poll beside slow reads: %v", err)
	}
	cancel()
	for range 4 {
		<-ended
	}
}
