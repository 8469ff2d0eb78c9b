package history_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"headstart.dev/headstart/history"
)

// A redirect of any status within the server repeats the request as it was.
func TestRedirectWithinTheServer(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, to := range []string{"/moved%s", "../../moved%s"} {
			f := &fakePrometheus{value: one}
			methods := map[string]int{}
			mux := http.NewServeMux()
			mux.Handle("/moved/", http.StripPrefix("/moved", http.HandlerFunc(
				func(w http.ResponseWriter, r *http.Request) {
					methods[r.Method]++
					f.ServeHTTP(w, r)
				})))
			mux.HandleFunc("/api/v1/", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", fmt.Sprintf(to, r.URL.Path))
				w.WriteHeader(status)
			})
			s := serve(t, mux, nil)
			got, _, err := s.Range(t.Context(), "up", from, from.Add(3*time.Minute), time.Minute, nil)
			if err != nil || got.Known() != 3 {
				t.Errorf("%d to %s: %v, %v", status, to, got, err)
			}
			if _, err := s.Latest(t.Context(), "up", from); err != nil || methods["POST"] != 2 {
				t.Errorf("%d to %s: %v, requests %v, want two with POST", status, to, err, methods)
			}
		}
	}
}

// Where POST is not allowed, GET is redirected with its parameters.
func TestRedirectOfGet(t *testing.T) {
	f := &fakePrometheus{value: one}
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case strings.HasPrefix(r.URL.Path, "/moved"):
			http.StripPrefix("/moved", f).ServeHTTP(w, r)
		default:
			w.Header().Set("Location", "/moved"+r.URL.Path)
			w.WriteHeader(http.StatusMovedPermanently)
		}
	}), nil)
	if _, err := s.Latest(t.Context(), "up", from); err != nil {
		t.Error(err)
	}
}

// A redirect that names no address is told as one, whatever its code.
func TestRedirectToNowhere(t *testing.T) {
	for _, code := range []int{300, 301, 302, 303, 304, 305, 306, 307, 308} {
		s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }), nil)
		_, err := s.Latest(t.Context(), "up", from)
		if history.KindOf(err) != history.ErrRedirect || !strings.Contains(err.Error(), strconv.Itoa(code)) {
			t.Errorf("code %d: %v", code, err)
		}
	}
}

// A redirect that leaves the server is an error with the address, and nothing is sent there.
func TestRedirectToAnotherServer(t *testing.T) {
	var asked atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		always(7).ServeHTTP(w, r)
	}))
	defer other.Close()
	_, otherPort, _ := strings.Cut(other.URL, "127.0.0.1:")
	for name, location := range map[string]string{
		"another port": other.URL + "/x?token=hunter2",
		"another host": "http://localhost:" + otherPort + "/x",
		"credentials":  strings.Replace(other.URL, "http://", "http://u:hunter2@", 1) + "/x",
		"no host":      "http:///x",
		"a scheme":     "ftp://127.0.0.1/x",
		"no scheme":    "//127.0.0.2/x",
		"unparsable":   "http://[hunter2",
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", location)
				w.WriteHeader(status)
			}), nil)
			_, _, err := s.Range(t.Context(), "up", from, to, time.Minute, nil)
			if !errors.Is(err, history.ErrRedirect) || !strings.Contains(err.Error(), "redirect") {
				t.Errorf("%s, %d: got %v", name, status, err)
			} else if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: a secret in %v", name, err)
			} else if name == "another port" && !strings.Contains(err.Error(), other.URL+"/x,") {
				t.Errorf("%s: no address in %v", name, err)
			}
		}
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("%d requests followed a redirect to another server", n)
	}
}

// A redirect from https to http would send credentials in the clear.
func TestRedirectWithoutTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://"+r.Host+r.URL.Path)
		w.WriteHeader(http.StatusPermanentRedirect)
	}))
	defer server.Close()
	dir := t.TempDir()
	put(t, dir, "ca.crt", certPEM(server.Certificate()))
	s := load(t, dir, server.URL, "{tls_config: {ca_file: ca.crt}}")
	if _, err := s.Latest(t.Context(), "up", from); !errors.Is(err, history.ErrRedirect) {
		t.Errorf("got %v", err)
	}
}

// An error after a redirect names the last address.
func TestErrorAfterARedirect(t *testing.T) {
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			w.Header().Set("Content-Type", "text/html")
			return
		}
		w.Header().Set("Location", "/login")
		w.WriteHeader(http.StatusFound)
	}), nil)
	_, err := s.Latest(t.Context(), "up", from)
	if !errors.Is(err, history.ErrNotPrometheus) || !strings.Contains(err.Error(), "after a redirect to http://") ||
		!strings.Contains(err.Error(), "/login") {
		t.Errorf("got %v", err)
	}
}

// Samples of another time, and numbers that no service has as demand, are errors or told gaps.
func TestAbsurdSamples(t *testing.T) {
	for name, sample := range map[string]string{
		"1970":             `[0,"1"]`,
		"next year":        fmt.Sprintf(`[%d,"1"]`, to.AddDate(1, 0, 0).Unix()),
		"in an hour":       fmt.Sprintf(`[%d,"1"]`, to.Add(time.Hour).Unix()),
		"an hour ago":      fmt.Sprintf(`[%d,"1"]`, to.Add(-time.Hour).Unix()),
		"the end of time":  `[1e300,"1"]`,
		"before all times": `[-1e300,"1"]`,
		"1e308":            fmt.Sprintf(`[%d,"1e308"]`, to.Unix()),
		"1e400":            fmt.Sprintf(`[%d,"1e400"]`, to.Unix()),
		"negative":         fmt.Sprintf(`[%d,"-1e308"]`, to.Unix()),
		"a word":           fmt.Sprintf(`[%d,"many"]`, to.Unix()),
		"NaN":              fmt.Sprintf(`[%d,"NaN"]`, to.Unix()),
		"infinite":         fmt.Sprintf(`[%d,"+Inf"]`, to.Unix()),
	} {
		instant := serve(t, apiAnswer(200, success("vector", `[{"metric":{},"value":`+sample+`}]`)), nil)
		if got, err := instant.Latest(t.Context(), "up", to); history.KindOf(err) == "" {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
		if name == "an hour ago" {
			continue // It is in the range below.
		}
		ranged := serve(t, apiAnswer(200, success("matrix", `[{"metric":{},"values":[`+sample+`]}]`)), nil)
		if s, _, err := ranged.Range(t.Context(), "up", from, to, time.Minute, nil); history.KindOf(err) == "" {
			t.Errorf("%s: got %v, %v", name, s, err)
		}
	}
}

// One absurd sample among others is a gap.
func TestAbsurdSampleIsAGap(t *testing.T) {
	f := &fakePrometheus{value: func(_ int, at time.Time) (float64, bool) {
		if at.Minute() == 3 {
			return 1e308, true
		}
		return 1, true
	}}
	s, _, err := serve(t, f, nil).Range(t.Context(), "up", from, from.Add(10*time.Minute), time.Minute, nil)
	if err != nil || s.Known() != 9 || s.Values[2] == s.Values[2] {
		t.Errorf("got %v, %v", s.Values, err)
	}
}
