package history_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"headstart.dev/headstart/history"
)

// fakePrometheus answers the two query endpoints as Prometheus would. Its limits are Prometheus's
// own.
type fakePrometheus struct {
	// value is the sample evaluated at t of series i; ok is false when there is none.
	value  func(i int, t time.Time) (v float64, ok bool)
	labels []map[string]string // of each series; one without labels when nil

	mu       sync.Mutex
	requests []rangeRequest
}

type rangeRequest struct {
	Query, Path string
	Points      int
}

type point [2]any

type stream struct {
	Metric map[string]string `json:"metric"`
	Values []point           `json:"values,omitempty"`
	Value  *point            `json:"value,omitempty"`
}

func (f *fakePrometheus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	get := func(name string) float64 {
		v, err := strconv.ParseFloat(r.FormValue(name), 64)
		if err != nil {
			panic(fmt.Sprintf("%s: %v", name, err))
		}
		return v
	}
	millis := func(v float64) time.Time { return time.UnixMilli(int64(math.Round(v * 1000))) }
	labels := f.labels
	if labels == nil {
		labels = []map[string]string{{}}
	}
	result, kind := []stream{}, "matrix"
	if r.URL.Path == "/api/v1/query" {
		kind = "vector"
		at := millis(get("time"))
		for i, l := range labels {
			if v, ok := f.value(i, at); ok {
				p := point{model.TimeFromUnixNano(at.UnixNano()), fmt.Sprint(v)}
				result = append(result, stream{Metric: l, Value: &p})
			}
		}
		f.note(r, 1)
	} else {
		start, end := millis(get("start")), millis(get("end"))
		step := time.Duration(math.Round(get("step")*1000)) * time.Millisecond
		if end.Sub(start)/step > 11000 {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"status":"error","errorType":"bad_data",`+
				`"error":"exceeded maximum resolution of 11,000 points per timeseries."}`)
			return
		}
		n := 0
		for i, l := range labels {
			s := stream{Metric: l}
			n = 0
			for at := start; !at.After(end); at = at.Add(step) {
				n++
				if v, ok := f.value(i, at); ok {
					s.Values = append(s.Values, point{model.TimeFromUnixNano(at.UnixNano()), fmt.Sprint(v)})
				}
			}
			if len(s.Values) > 0 {
				result = append(result, s)
			}
		}
		f.note(r, n)
	}
	w.Header().Set("Content-Type", "application/json")
	data := map[string]any{"resultType": kind, "result": result}
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": data})
}

func (f *fakePrometheus) note(r *http.Request, points int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, rangeRequest{Query: r.FormValue("query"), Path: r.URL.Path, Points: points})
}

func (f *fakePrometheus) take() []rangeRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.requests
	f.requests = nil
	return out
}

// serve starts h and returns a source on it; change may adjust the configuration.
func serve(t testing.TB, h http.Handler, change func(*history.SourceConfig)) *history.Source {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return newSource(t, server.URL, change)
}

func newSource(t testing.TB, url string, change func(*history.SourceConfig)) *history.Source {
	t.Helper()
	c := history.SourceConfig{URL: url, Timeout: model.Duration(30 * time.Second)}
	if change != nil {
		change(&c)
	}
	s, err := history.NewSource(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// one is the value function of a single series that has a sample everywhere: the minute of the Unix
// epoch.
func one(_ int, t time.Time) (float64, bool) { return float64(t.Unix() / 60), true }
