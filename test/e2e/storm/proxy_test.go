package storm

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Behaviours of a Prometheus server.
const (
	honest  = "honest"
	down    = "down"    // breaks connections
	slow    = "slow"    // answers after some seconds
	lying   = "lying"   // answers with samples that cannot be true
	partial = "partial" // answers with half of the demand, and a warning
	huge    = "huge"    // answers with tens of MiB
)

// slowness is how long a slow server takes. It is longer than an HPA's patience with a metric is
// useful, and shorter than the time limit of a query.
const slowness = 4 * time.Second

// A proxy is between one replica of Headstart and a Prometheus server. It counts requests, and
// answers as a faulty server does.
type proxy struct {
	behaviour atomic.Value // string
	requests  atomic.Int64
	lies      atomic.Int64
	upstream  *httputil.ReverseProxy
	server    *httptest.Server
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{upstream: httputil.NewSingleHostReverseProxy(to)}
	p.upstream.ErrorLog = nil
	p.upstream.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) {
		w.WriteHeader(http.StatusBadGateway)
	}
	p.behaviour.Store(honest)
	p.server = httptest.NewServer(p)
	t.Cleanup(p.server.Close)
	return p
}

func (p *proxy) set(behaviour string) { p.behaviour.Store(behaviour) }

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.requests.Add(1)
	switch p.behaviour.Load() {
	case down:
		panic(http.ErrAbortHandler) // closes the connection
	case slow:
		select {
		case <-time.After(slowness):
		case <-r.Context().Done():
			return
		}
		p.upstream.ServeHTTP(w, r)
	case lying:
		p.lie(w, r)
	case partial:
		p.half(w, r)
	case huge:
		overflow(w)
	default:
		p.upstream.ServeHTTP(w, r)
	}
}

// lie answers with a sample of 1970, of next year, or of a value that is no demand.
func (p *proxy) lie(w http.ResponseWriter, r *http.Request) {
	now := time.Now().Unix()
	lies := []struct {
		at    int64
		value string
	}{{0, "7"}, {now + 365*24*3600, "7"}, {now, "1e308"}, {now, "NaN"}, {now, "-5"}, {now, "+Inf"}}
	lie := lies[int(p.lies.Add(1))%len(lies)]
	kind, samples := "vector", fmt.Sprintf(`"value":[%d,%q]`, lie.at, lie.value)
	if strings.HasSuffix(r.URL.Path, "/query_range") {
		kind, samples = "matrix", fmt.Sprintf(`"values":[[%d,%q]]`, lie.at, lie.value)
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"status":"success","data":{"resultType":%q,"result":[{"metric":{},%s}]}}`, kind, samples)
}

// half answers for half of the demand, with a warning, as an engine does that misses a store.
func (p *proxy) half(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	form, formErr := url.ParseQuery(string(body))
	if err != nil || formErr != nil || form.Get("query") == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	form.Set("query", "("+form.Get("query")+") / 2")
	changed := form.Encode()
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(changed)), int64(len(changed))
	r.Header.Set("Content-Length", strconv.Itoa(len(changed)))
	r.Header.Del("Accept-Encoding")
	answer := httptest.NewRecorder()
	p.upstream.ServeHTTP(answer, r)
	text := answer.Body.String()
	if i := strings.LastIndexByte(text, '}'); i > 0 && answer.Code == http.StatusOK {
		text = text[:i] + `,"warnings":["a store did not answer: the result is partial"]}`
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(answer.Code)
	_, _ = io.WriteString(w, text)
}

// overflow answers with tens of MiB: series after series.
func overflow(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriterSize(w, 1<<16)
	_, _ = out.WriteString(`{"status":"success","data":{"resultType":"vector","result":[`)
	for i := range 400_000 {
		_, err := fmt.Fprintf(out, `{"metric":{"pod":"a-pod-with-a-rather-long-name-%09d"},"value":[1,"%d"]},`, i, i)
		if err != nil {
			return // the reader has gone
		}
	}
	_, _ = out.WriteString(`{"metric":{},"value":[1,"1"]}]}}`)
	_ = out.Flush()
}
