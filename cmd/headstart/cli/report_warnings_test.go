package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// partialPrometheus is wavePrometheus with a warning about a store that does not answer.
func partialPrometheus() http.HandlerFunc {
	whole := wavePrometheus(0)
	return func(w http.ResponseWriter, r *http.Request) {
		in := httptest.NewRecorder()
		whole(in, r)
		w.Header().Set("Content-Type", "application/json")
		text := strings.TrimSuffix(strings.TrimSpace(in.Body.String()), "}")
		_, _ = w.Write([]byte(text + `,"warnings":["store-2 does not answer"],"infos":["PromQL info: no counter"]}`))
	}
}

// What Prometheus says about its answers is in the notes of a report. Answers in part are a doubt.
func TestReportShowsWarnings(t *testing.T) {
	server := httptest.NewServer(partialPrometheus())
	defer server.Close()
	stdout, stderr, code := headstart(t, "report --query demand --history 14d --step 1h --lead 1h --capacity 5 -o json "+
		"--shortage-cost 20 --policies headstart,reactive,static,oracle --prometheus", server.URL)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	var made struct {
		Notes, Doubts []string
		Verdict       string
		Decision      struct{ Reasons []string }
	}
	if err := json.Unmarshal([]byte(stdout), &made); err != nil {
		t.Fatal(err)
	}
	notes, doubts := strings.Join(made.Notes, "\n"), strings.Join(made.Doubts, "\n")
	if !strings.Contains(notes, "store-2 does not answer") || !strings.Contains(notes, "no counter") ||
		!strings.Contains(doubts, "in part only") || !strings.Contains(doubts, "store-2 does not answer") {
		t.Errorf("notes %q, doubts %q", made.Notes, made.Doubts)
	}
	if !strings.Contains(strings.Join(made.Decision.Reasons, "\n"), "in part only") ||
		strings.HasPrefix(made.Verdict, "Switch it on") {
		t.Errorf("the doubt is no reason of %q: %q", made.Verdict, made.Decision.Reasons)
	}
	stdout, _, _ = headstart(t, fromPrometheus(server.URL))
	if !strings.Contains(strings.Join(strings.Fields(stdout), " "), "store-2 does not answer") {
		t.Errorf("no warning in %s", stdout)
	}
	_, stderr, code = headstart(t, "forecast --query demand --history 7d --step 5m --horizon 1h --prometheus "+server.URL)
	if code != 0 || !strings.Contains(stderr, "note: Prometheus says: store-2 does not answer") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
