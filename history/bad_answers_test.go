package history_test

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"headstart.dev/headstart/history"
)

// A badAnswer is a query, or an answer to it, that gives no demand.
type badAnswer struct {
	server  http.Handler
	query   string // "up" when empty
	kind    history.Kind
	want    string // in the message of a range query
	latest  string // in the message of an instant query, when it differs
	instant bool   // only the instant query fails
	ranged  bool   // only the range query fails
	slow    bool   // the answer does not come within the timeout, which is short then
}

// answer serves one answer with an HTTP status and a content type.
func answer(status int, contentType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}

// apiAnswer serves one answer in JSON.
func apiAnswer(status int, body string) http.Handler { return answer(status, "application/json", body) }

// apiErrorAnswer serves one error of the Prometheus API.
func apiErrorAnswer(status int, errorType, text string) http.Handler {
	return apiAnswer(status, fmt.Sprintf(`{"status":"error","errorType":%q,"error":%q}`, errorType, text))
}

// success is a successful answer of the Prometheus API.
func success(resultType, result string) string {
	return fmt.Sprintf(`{"status":"success","data":{"resultType":%q,"result":%s}}`, resultType, result)
}

// always serves series of one value.
func always(v float64) http.Handler {
	return &fakePrometheus{value: func(int, time.Time) (float64, bool) { return v, true }}
}

// badSeries are queries that give the wrong number of series, or no demand.
func badSeries() map[string]badAnswer {
	ten := &fakePrometheus{value: one}
	for i := range 10 {
		ten.labels = append(ten.labels, map[string]string{"__name__": "up", "pod": fmt.Sprintf("web-%d", i)})
	}
	none := &fakePrometheus{value: func(int, time.Time) (float64, bool) { return 0, false }}
	return map[string]badAnswer{
		"ten series": {
			server: ten, kind: history.ErrSeveralSeries,
			want: `several series, such as up{pod="web-0"} and up{pod="web-1"}, but demand is one: aggregate with sum(`,
		},
		"no series": {
			server: none, kind: history.ErrNoSeries, want: "check the metric's name", latest: "or vector(0)",
		},
		"NaN": {
			server: always(nan),
			kind:   history.ErrNotFinite, want: "NaN or infinite, and are gaps: 60", latest: "gives NaN",
		},
		"infinite": {
			server: always(math.Inf(1)), kind: history.ErrNotFinite, want: "guard a division", latest: "gives +Inf",
		},
		"negative": {server: always(-2), kind: history.ErrNotFinite, want: "clamp_min", latest: "gives -2"},
	}
}

// badTypes are queries and answers of another type than an instant vector.
func badTypes() map[string]badAnswer {
	const (
		matrix = `[{"metric":{},"histograms":[%s]}]`
		vector = `[{"metric":{},"histogram":%s}]`
		sample = `[1772409660,{"count":"1","sum":"1","buckets":[[0,"1","2","1"]]}]`
		byType = `invalid expression type "string" for range query, must be Scalar or instant Vector`
	)
	return map[string]badAnswer{
		"scalar": {
			server: always(1), query: "scalar(up)", kind: history.ErrWrongType,
			want: "gives a scalar, but demand is an instant vector: wrap it in vector(",
		},
		"string": {server: always(1), query: `"up"`, kind: history.ErrWrongType, want: "gives a string"},
		"range vector": {
			server: always(1), query: "up[5m]", kind: history.ErrWrongType, want: "wrap the range selector in rate(",
		},
		"scalar answer": {
			server: apiAnswer(200, success("scalar", `[1,"1"]`)), kind: history.ErrWrongType, want: "gives a scalar",
		},
		"histogram range": {
			server: apiAnswer(200, success("matrix", fmt.Sprintf(matrix, sample))),
			kind:   history.ErrWrongType, want: "histogram_count", ranged: true,
		},
		"histogram": {
			server: apiAnswer(200, success("vector", fmt.Sprintf(vector, sample))),
			kind:   history.ErrWrongType, want: "histogram_count", instant: true,
		},
		"string by the server": {
			server: apiErrorAnswer(400, "bad_data", byType), query: "x{}}",
			kind: history.ErrWrongType, want: "invalid expression type",
		},
	}
}

// badQueries are queries that cannot be evaluated.
func badQueries() map[string]badAnswer {
	const unfinished = "1:5: parse error: unexpected end of input"
	return map[string]badAnswer{
		"start and end": {server: always(1), query: "up @ end()", kind: history.ErrBadQuery, want: "leave them out"},
		"start and end of a subquery": {
			server: always(1), query: "max_over_time(up[5m:1m] @ start())",
			kind: history.ErrBadQuery, want: "leave them out",
		},
		"bad PromQL": {
			server: apiErrorAnswer(400, "bad_data", unfinished), query: "sum(",
			kind: history.ErrBadQuery, want: unfinished,
		},
		"execution": {
			server: apiErrorAnswer(422, "execution", "found duplicate series for the match group"),
			kind:   history.ErrBadQuery, want: "found duplicate series",
		},
		"too many samples": {
			server: apiErrorAnswer(422, "execution", "query processing would load too many samples into memory in query "+
				"execution"),
			kind: history.ErrTooLarge, want: "read a shorter time",
		},
		"Mimir's limit of a span": {
			server: apiErrorAnswer(400, "bad_data", "the query time range exceeds the limit (query length: 744h, limit: 721h)"),
			kind:   history.ErrTooLarge, want: "query length: 744h",
		},
		"VictoriaMetrics' limit": {
			server: apiErrorAnswer(422, "422", "cannot select more than -search.maxSamplesPerQuery=1000000000 samples"),
			kind:   history.ErrTooLarge, want: "maxSamplesPerQuery",
		},
		"stopped": {
			server: apiErrorAnswer(503, "timeout", "query timed out in expression evaluation"),
			kind:   history.ErrTimeout, want: "recording rule",
		},
		"internal": {
			server: apiErrorAnswer(500, "internal", "disk on fire"), kind: history.ErrUnavailable, want: "disk on fire",
		},
		"error with 200": {
			server: apiErrorAnswer(200, "bad_data", "no such thing"), kind: history.ErrBadQuery, want: "no such thing",
		},
	}
}

// badStatuses are answers with an HTTP status that is an error.
func badStatuses() map[string]badAnswer {
	return map[string]badAnswer{
		"401": {
			server: answer(401, "text/plain", "no"),
			kind:   history.ErrUnauthorized, want: "check the source's httpClientConfig",
		},
		"403": {server: answer(403, "text/html", "<html>"), kind: history.ErrUnauthorized, want: "HTTP 403 Forbidden"},
		"503": {
			server: answer(503, "text/html", "<html>"),
			kind:   history.ErrUnavailable, want: "HTTP 503 Service Unavailable",
		},
		"429": {server: answer(429, "text/plain", "slow down"), kind: history.ErrUnavailable, want: "not overloaded"},
		"404": {
			server: http.NotFoundHandler(), kind: history.ErrNotPrometheus, want: "no Prometheus API under this path",
		},
		"405": {server: answer(405, "text/plain", "no"), kind: history.ErrNotPrometheus, want: "405"},
		"redirect to HTML": {
			server: http.RedirectHandler("/login", http.StatusFound), kind: history.ErrRedirect, want: "redirect to http://",
		},
	}
}

// badBodies are answers that are not those of the Prometheus API.
func badBodies() map[string]badAnswer {
	return map[string]badAnswer{
		"HTML": {
			server: answer(200, "text/html; charset=utf-8", "<html>Welcome</html>"),
			kind:   history.ErrNotPrometheus, want: "answers with an HTML page: it is not a Prometheus API",
		},
		"not JSON": {
			server: answer(200, "text/plain", "hello"),
			kind:   history.ErrNotPrometheus, want: "does not answer in Prometheus's JSON",
		},
		"other JSON": {
			server: apiAnswer(200, `{"hits":[]}`), kind: history.ErrNotPrometheus, want: "answers without a result",
		},
		"JSON of a wrong kind": {
			server: apiAnswer(200, success("matrix", "7")), kind: history.ErrNotPrometheus, want: "JSON", ranged: true,
		},
		"samples that were not requested": {
			server: apiAnswer(200, success("matrix", `[{"metric":{},"values":[[1,"1"]]}]`)),
			kind:   history.ErrNotPrometheus, want: "was not requested", ranged: true,
		},
		"too large": {server: http.HandlerFunc(serveHuge), kind: history.ErrTooLarge, want: "aggregate"},
		"never": {
			server: http.HandlerFunc(serveNever), kind: history.ErrTimeout, want: "no answer within 300ms", slow: true,
		},
		"byte by byte": {
			server: http.HandlerFunc(serveSlowly), kind: history.ErrTimeout, want: "no answer within 300ms", slow: true,
		},
	}
}

// serveNever does not answer while the client waits.
func serveNever(_ http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm() // the server notices that the client has left only once the body is read
	<-r.Context().Done()
}

// serveSlowly answers with a byte every 10 ms, without end.
func serveSlowly(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	for {
		if _, err := fmt.Fprint(w, " "); err != nil || r.Context().Err() != nil {
			return
		}
		w.(http.Flusher).Flush()
		time.Sleep(10 * time.Millisecond)
	}
}

// serveHuge answers with 60 MiB.
func serveHuge(w http.ResponseWriter, _ *http.Request) {
	page := []byte(strings.Repeat(" ", 1<<20))
	for range 60 {
		if _, err := w.Write(page); err != nil {
			return
		}
	}
}

// TestBadAnswers checks the kind of every wrong query and answer, and that the message says what to
// change.
func TestBadAnswers(t *testing.T) {
	for _, cases := range []map[string]badAnswer{badSeries(), badTypes(), badQueries(), badStatuses(), badBodies()} {
		for name, tc := range cases {
			t.Run(name, tc.test)
		}
	}
}

func (b badAnswer) test(t *testing.T) {
	s := serve(t, b.server, func(c *history.SourceConfig) {
		c.Name = "main"
		if b.slow {
			c.Timeout = model.Duration(300 * time.Millisecond)
		}
	})
	if b.query == "" {
		b.query = "up"
	}
	if b.latest == "" {
		b.latest = b.want
	}
	began := time.Now()
	if !b.instant {
		_, _, err := s.Range(t.Context(), b.query, from, to, time.Minute, nil)
		b.check(t, "range", err, b.want)
	}
	if !b.ranged {
		_, err := s.Latest(t.Context(), b.query, to)
		b.check(t, "latest", err, b.latest)
	}
	if took := time.Since(began); b.slow && took > time.Minute { // far above the timeout: the machine may be busy
		t.Errorf("took %s: a call ends within twice the timeout", took)
	}
}

func (b badAnswer) check(t *testing.T, what string, err error, want string) {
	t.Helper()
	if !errors.Is(err, b.kind) || history.KindOf(err) != b.kind {
		t.Fatalf("%s: got %v (%s), want %s", what, err, history.KindOf(err), b.kind)
	}
	if !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), `source "main": `) {
		t.Errorf("%s: got %q, want %q in it", what, err, want)
	}
	t.Log(err)
}
