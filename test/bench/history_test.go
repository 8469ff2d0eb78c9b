package bench

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// historyServer answers queries as Prometheus does, with one series of demand: days, weeks and some
// noise. A real Prometheus would take a core of those that are measured.
type historyServer struct {
	*httptest.Server
	polls atomic.Int64 // queries for one instant

	mu      sync.Mutex
	answers map[[3]string][]byte // of ranges: many Forecasts ask for the same
}

func startHistory(b *testing.B) *historyServer {
	b.Helper()
	h := &historyServer{answers: map[[3]string][]byte{}}
	h.Server = httptest.NewServer(h)
	b.Cleanup(h.Close)
	return h
}

// demandAt returns the demand at an instant, in seconds since 1970.
func demandAt(at float64) float64 {
	day, week := math.Sin(2*math.Pi*at/86400), math.Sin(2*math.Pi*at/604800)
	return 100 + 40*day + 15*week + 5*math.Sin(at*at)
}

// ServeHTTP implements [http.Handler].
func (h *historyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/api/v1/query" {
		h.polls.Add(1)
		at, _ := strconv.ParseFloat(r.FormValue("time"), 64)
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%.3f,"%g"]}]}}`,
			at, demandAt(at))
		return
	}
	_, _ = w.Write(h.series(r.FormValue("start"), r.FormValue("end"), r.FormValue("step")))
}

func (h *historyServer) series(start, end, step string) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := [3]string{start, end, step}
	if answer, ok := h.answers[key]; ok {
		return answer
	}
	first, _ := strconv.ParseFloat(start, 64)
	last, _ := strconv.ParseFloat(end, 64)
	each, err := strconv.ParseFloat(step, 64)
	if err != nil {
		d, _ := time.ParseDuration(step)
		each = d.Seconds()
	}
	each = max(each, 1)
	var out bytes.Buffer
	out.WriteString(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[`)
	for at := first; at <= last; at += each {
		if at > first {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, `[%.3f,"%g"]`, at, demandAt(at))
	}
	out.WriteString(`]}]}}`)
	h.answers[key] = out.Bytes()
	return out.Bytes()
}
