package history_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"headstart.dev/headstart/history"
)

func certPEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// load returns the source "default" of a configuration file in dir whose httpClientConfig is auth.
func load(t *testing.T, dir, url, auth string) *history.Source {
	t.Helper()
	return loadWithin(t, "1m", dir, url, auth)
}

// loadWithin is load with a timeout.
func loadWithin(t *testing.T, timeout, dir, url, auth string) *history.Source {
	t.Helper()
	path := filepath.Join(dir, "sources.yaml")
	text := fmt.Sprintf("sources:\n- name: default\n  url: %s\n  namespaces: ['*']\n", url) +
		fmt.Sprintf("  timeout: %s\n  httpClientConfig: %s\n", timeout, auth)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := history.LoadSources(path)
	if err != nil {
		t.Fatal(err)
	}
	src, err := s.For("any", "default")
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func put(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// onlyWith serves requests for which ok is true, and answers others with 401.
func onlyWith(ok func(*http.Request) bool) http.Handler {
	f := &fakePrometheus{value: one}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ok(r) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		f.ServeHTTP(w, r)
	})
}

func TestAuthentication(t *testing.T) {
	const headers = "{http_headers: {X-Scope-OrgID: {values: [team-a]}, X-Key: {files: [secret]}}}"
	cases := map[string]struct {
		auth string
		ok   func(*http.Request) bool
	}{
		"basic": {"{basic_auth: {username: u, password_file: secret}}", func(r *http.Request) bool {
			u, p, _ := r.BasicAuth()
			return u == "u" && p == "hunter2"
		}},
		"bearer": {"{authorization: {credentials_file: secret}}", func(r *http.Request) bool {
			return r.Header.Get("Authorization") == "Bearer hunter2"
		}},
		"headers": {headers, func(r *http.Request) bool {
			return r.Header.Get("X-Scope-OrgID") == "team-a" && r.Header.Get("X-Key") == "hunter2"
		}},
		"user agent": {"{}", func(r *http.Request) bool { return r.UserAgent() == "headstart" }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(onlyWith(tc.ok))
			defer server.Close()
			dir := t.TempDir()
			put(t, dir, "secret", "hunter2")
			src := load(t, dir, server.URL, tc.auth)
			if _, err := src.Latest(t.Context(), "up", from); err != nil {
				t.Error(err)
			}
			if !strings.Contains(tc.auth, "secret") {
				return
			}
			put(t, dir, "secret", "stale")
			if _, err := src.Latest(t.Context(), "up", from); !errors.Is(err, history.ErrUnauthorized) {
				t.Errorf("with another secret in the file: %v", err)
			}
			put(t, dir, "secret", "hunter2")
			if _, err := src.Latest(t.Context(), "up", from); err != nil {
				t.Errorf("with the secret back in the file: %v", err)
			}
			if err := os.Remove(filepath.Join(dir, "secret")); err != nil {
				t.Fatal(err)
			}
			_, err := src.Latest(t.Context(), "up", from)
			if !errors.Is(err, history.ErrUnauthorized) || !strings.Contains(err.Error(), "secret") {
				t.Errorf("without the file: %v", err)
			}
		})
	}
}

func TestOAuth2(t *testing.T) {
	var answer atomic.Value
	answer.Store("good")
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		switch answer.Load() {
		case "never":
			<-r.Context().Done()
		case "denied":
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client","error_description":"hunter2"}`)
		case "nonsense":
			fmt.Fprint(w, "hello")
		default:
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"access_token":"t0ken","token_type":"Bearer","expires_in":3600}`)
		}
	}))
	defer tokens.Close()
	server := httptest.NewServer(onlyWith(func(r *http.Request) bool {
		return r.Header.Get("Authorization") == "Bearer t0ken"
	}))
	defer server.Close()
	auth := fmt.Sprintf("{oauth2: {client_id: c, client_secret: hunter2, token_url: %q}}", tokens.URL)
	for how, want := range map[string]history.Kind{
		"good": "", "denied": history.ErrUnauthorized, "nonsense": history.ErrUnauthorized, "never": history.ErrTimeout,
	} {
		t.Run(how, func(t *testing.T) {
			answer.Store(how)
			timeout := "1m"
			if how == "never" { // waits for it
				timeout = "2s"
			}
			src := loadWithin(t, timeout, t.TempDir(), server.URL, auth)
			began := time.Now()
			_, err := src.Latest(t.Context(), "up", from)
			if history.KindOf(err) != want || (want == "") != (err == nil) {
				t.Fatalf("got %v, want %q", err, want)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), tokens.URL)) {
				t.Errorf("a secret or a URL is in the message: %v", err)
			}
			if took := time.Since(began); took > time.Minute { // of a machine that stands still in between
				t.Errorf("took %s, the timeout is 2s", took)
			}
			if how != "never" {
				return
			}
			// The token request has ended as well: the source recovers once the endpoint answers.
			answer.Store("good")
			for range 50 {
				if _, err = src.Latest(t.Context(), "up", from); err == nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
			t.Errorf("the source does not recover: %v", err)
		})
	}
}

func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(&fakePrometheus{value: one})
	defer server.Close()
	plain := httptest.NewServer(&fakePrometheus{value: one})
	defer plain.Close()
	strict := httptest.NewUnstartedServer(&fakePrometheus{value: one})
	strict.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	strict.StartTLS()
	defer strict.Close()
	for _, s := range []*httptest.Server{server, strict} {
		s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // handshakes fail on purpose
	}
	dir := t.TempDir()
	put(t, dir, "ca.crt", certPEM(server.Certificate()))
	const ownCA = "{tls_config: {ca_file: ca.crt}}"
	const otherName = "{tls_config: {ca_file: ca.crt, server_name: prometheus.svc}}"
	cases := map[string]struct {
		url, auth string
		kind      history.Kind
		want      string
	}{
		"own CA":       {server.URL, ownCA, "", ""},
		"unknown CA":   {server.URL, "{}", history.ErrTLS, "signed by an unknown authority: give its CA"},
		"client cert":  {strict.URL, ownCA, history.ErrTLS, "may want a client certificate"},
		"other name":   {server.URL, otherName, history.ErrTLS, "server_name"},
		"plain server": {"https" + strings.TrimPrefix(plain.URL, "http"), "{}", history.ErrTLS, "url with http://"},
		"plain client": {"http" + strings.TrimPrefix(server.URL, "https"), "{}", history.ErrTLS, "url with https://"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, dir, tc.url, tc.auth).Latest(t.Context(), "up", from)
			if history.KindOf(err) != tc.kind || (tc.kind == "") != (err == nil) {
				t.Fatalf("got %v, want %q", err, tc.kind)
			}
			if err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %q, want %q in it", err, tc.want)
			}
		})
	}
}

// TestIdleConnection checks polls whose interval equals the timeout: they must not use a connection
// that is just being closed.
func TestIdleConnection(t *testing.T) {
	const timeout = 400 * time.Millisecond
	src := serve(t, &fakePrometheus{value: one}, func(c *history.SourceConfig) { c.Timeout = model.Duration(timeout) })
	answered := 0
	for i := range 6 {
		began := time.Now()
		switch _, err := src.Latest(t.Context(), "up", from); {
		case err == nil:
			answered++
		case errors.Is(err, history.ErrTimeout) && time.Since(began) >= timeout:
			t.Logf("poll %d: %v: the machine stood still, a connection that is closed ends a poll at once", i, err)
		default:
			t.Fatalf("poll %d: %v", i, err)
		}
		time.Sleep(timeout)
	}
	if answered < 4 {
		t.Errorf("%d of 6 polls were answered", answered)
	}
}
