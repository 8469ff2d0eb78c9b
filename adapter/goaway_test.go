package adapter

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

// Connections end by chance, and never many at once: each new one delays requests.
func TestGoaway(t *testing.T) {
	c := clocktesting.NewFakePassiveClock(noon)
	g := &goaway{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), clock: c}
	for _, step := range []struct {
		reason string
		after  time.Duration
		proto  int
		chance float64
		ends   bool
	}{
		{"chance decides against it", 0, 2, 0, false},
		{"HTTP/1.1 has no GOAWAY", 0, 1, 1, false},
		{"the first", 0, 2, 1, true},
		{"another one was just before", 14 * time.Second, 2, 1, false},
		{"the next", time.Second, 2, 1, true},
		{"and so on", time.Second, 2, 1, false},
	} {
		c.SetTime(c.Now().Add(step.after))
		g.chance = step.chance
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		r.ProtoMajor = step.proto
		g.ServeHTTP(w, r)
		if got := w.Header().Get("Connection") == "close"; got != step.ends {
			t.Errorf("%s: the connection ends: %v", step.reason, got)
		}
	}
}
