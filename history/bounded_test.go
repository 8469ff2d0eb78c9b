package history_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"headstart.dev/headstart/history"
)

// hugeSize is the size of the answers below, before compression.
const hugeSize = 47 << 20

// huge serves an answer of hugeSize: head, and then pieces without end. The pieces are made before,
// so that the memory that is measured is not that of this server.
func huge(status int, head string, piece func(i int) string) http.Handler {
	pieces := make([]string, 1<<12)
	for i := range pieces {
		pieces[i] = piece(i)
	}
	piece = func(i int) string { return pieces[i%len(pieces)] }
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		writeHuge(w, head, piece)
	})
}

func writeHuge(w io.Writer, head string, piece func(i int) string) {
	written, err := io.WriteString(w, head)
	for i := 0; err == nil && written < hugeSize; i++ {
		var n int
		n, err = io.WriteString(w, piece(i))
		written += n
	}
}

// bomb serves the same, compressed.
func bomb(head string, piece func(i int) string) http.Handler {
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	writeHuge(z, head, piece)
	_ = z.Close()
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(small.Bytes())
	})
}

func repeat(text string) func(int) string { return func(int) string { return text } }

// hugeAnswers are answers of 47 MiB that no Prometheus would give to the request of a Source.
func hugeAnswers() map[string]badAnswer {
	const (
		open   = `{"status":"success","data":{"resultType":%q,"result":[`
		values = `{"metric":{},"values":[[1772409660,"1"]`
	)
	matrix, vector := fmt.Sprintf(open, "matrix"), fmt.Sprintf(open, "vector")
	rangeSeries := func(i int) string { return fmt.Sprintf(`{"metric":{"i":"%d"},"values":[[1772409660,"1"]]},`, i) }
	instantSeries := func(i int) string { return fmt.Sprintf(`{"metric":{"i":"%d"},"value":[1772409660,"1"]},`, i) }
	page := strings.Repeat("x", 1<<10)
	spaces := repeat(strings.Repeat(" ", 1<<10))
	return map[string]badAnswer{
		"range of many series": {
			server: huge(200, matrix, rangeSeries), kind: history.ErrSeveralSeries, want: `{i="0"} and {i="1"}`,
			ranged: true,
		},
		"instant of many series": {
			server: huge(200, vector, instantSeries), kind: history.ErrSeveralSeries, want: `{i="0"} and {i="1"}`,
			instant: true,
		},
		"many samples of one instant": {
			server: huge(200, matrix+values, repeat(`,[1772409660,"1"]`)), kind: history.ErrNotPrometheus,
			want: "order of time", ranged: true,
		},
		"samples past the end": {
			server: huge(200, matrix+values, func(i int) string {
				return fmt.Sprintf(`,[%d,"1"]`, 1772409720+60*i)
			}), kind: history.ErrNotPrometheus, want: "was not requested", ranged: true,
		},
		"histograms": {
			server: huge(200, matrix+values+`],"histograms":[1`, repeat(`,{"count":"1","buckets":[[0,"1","2","1"]]}`)),
			kind:   history.ErrTooLarge, want: "larger than", ranged: true,
		},
		"a long value": {
			server: huge(200, matrix+`{"metric":{},"values":[[1772409660,"`, repeat("1")),
			kind:   history.ErrTooLarge, want: "a text of more than 16 KiB", ranged: true,
		},
		"a long label": {
			server: huge(200, vector+`{"metric":{"a":"`, repeat(page)), kind: history.ErrTooLarge,
			want: "a text of more than", instant: true,
		},
		"many labels": {
			server: huge(200, vector+`{"metric":{"a":"b"`, func(i int) string { return fmt.Sprintf(`,"l%d":"x"`, i) }),
			kind:   history.ErrTooLarge, want: "labels", instant: true,
		},
		"warnings": {
			server: huge(200, `{"status":"success","warnings":["w"`, func(i int) string {
				return fmt.Sprintf(`,"%d %s"`, i, page)
			}), kind: history.ErrTooLarge, want: "larger than",
		},
		"an unknown field": {
			server: huge(200, `{"stats":"`, repeat(page)), kind: history.ErrTooLarge, want: "larger than",
		},
		"white space":  {server: huge(200, "", spaces), kind: history.ErrTooLarge, want: "larger than"},
		"nested":       {server: huge(200, `{"a":`, repeat("[")), kind: history.ErrNotPrometheus, want: "JSON"},
		"a gzip bomb":  {server: bomb("", spaces), kind: history.ErrTooLarge, want: "larger than"},
		"no gzip":      {server: notGzip(), kind: history.ErrNotPrometheus, want: "JSON"},
		"a long error": {server: huge(500, "", repeat(page)), kind: history.ErrUnavailable, want: "HTTP 500"},
		"a long API error": {
			server: huge(200, `{"status":"error","errorType":"internal","error":"`, repeat(page)),
			kind:   history.ErrTooLarge, want: "a text of more than",
		},
	}
}

func notGzip() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, success("vector", `[{"metric":{},"value":[1772409660,"1"]}]`))
	})
}

// TestHugeAnswers checks that an answer of 47 MiB is an error that says what to do.
func TestHugeAnswers(t *testing.T) {
	for name, tc := range hugeAnswers() {
		t.Run(name, tc.test)
	}
}

// An answer of 47 MiB, whatever is in it, costs about as much memory as a right one. The stand-in
// server counts as well, and needs little, since it writes one piece at a time.
func TestHugeAnswersCostLittle(t *testing.T) {
	const most = 4 << 20
	for name, tc := range hugeAnswers() {
		t.Run(name, func(t *testing.T) {
			s := serve(t, tc.server, nil)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if !tc.instant {
				if _, _, err := s.Range(t.Context(), "up", from, to, time.Minute, nil); err == nil {
					t.Error("no error")
				}
			}
			if !tc.ranged {
				if _, err := s.Latest(t.Context(), "up", to); err == nil {
					t.Error("no error")
				}
			}
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > most {
				t.Errorf("%d KiB were allocated, want at most %d", took>>10, most>>10)
			}
		})
	}
}

// The memory of concurrent reads is bounded too: forty of them, four at a time.
func TestConcurrentHugeAnswersCostLittle(t *testing.T) {
	series := func(i int) string { return fmt.Sprintf(`{"metric":{"i":"%d"},"values":[[1772409660,"1"]]},`, i) }
	s := serve(t, huge(200, `{"status":"success","data":{"resultType":"matrix","result":[`, series), nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			if _, _, err := s.Range(t.Context(), "up", from, to, time.Minute, nil); history.KindOf(err) == "" {
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 40<<20 {
		t.Errorf("%d MiB were allocated by 40 reads, want at most 1 MiB for each", took>>20)
	}
}

// The answer to a whole request costs its samples and a little more.
func TestARightAnswerCostsLittle(t *testing.T) {
	const steps = 11_000
	start := history.FloorTo(from, steps*time.Second) // So it is one request.
	var body strings.Builder
	body.WriteString(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[`)
	for i := range steps {
		fmt.Fprintf(&body, `%s[%d,"0.30000000000000004"]`, strings.Repeat(",", min(i, 1)), start.Unix()+int64(i+1))
	}
	body.WriteString(`]}]}}`)
	s := serve(t, apiAnswer(200, body.String()), func(c *history.SourceConfig) { c.MaxPointsPerRequest = steps })
	read := func() {
		got, _, err := s.Range(t.Context(), "up", start, start.Add(steps*time.Second), time.Second, nil)
		if err != nil || got.Known() != steps {
			t.Fatalf("%d steps, %v", got.Known(), err)
		}
	}
	read()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	read()
	runtime.ReadMemStats(&after)
	// The stand-in server copies the body, of 0.4 MiB.
	if took := after.TotalAlloc - before.TotalAlloc; took > 3<<20 {
		t.Errorf("%d KiB were allocated for %d samples", took>>10, steps)
	} else {
		t.Logf("%d KiB were allocated for %d samples", took>>10, steps)
	}
}

func BenchmarkRange(b *testing.B) {
	f := &fakePrometheus{value: one}
	s := serve(b, f, nil)
	for b.Loop() {
		if _, _, err := s.Range(b.Context(), "up", from, from.Add(7*24*time.Hour), time.Minute, nil); err != nil {
			b.Fatal(err)
		}
	}
}
