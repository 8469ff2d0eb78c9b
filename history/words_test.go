package history_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/config"
	"github.com/prometheus/common/model"

	"headstart.dev/headstart/history"
)

// flagWords are those of a command line, which has no file with sources.
func flagWords() *history.Words {
	return &history.Words{
		URL: "the address", HTTPClientConfig: "the flag", Reader: "this machine", OrReach: "; or go another way",
	}
}

// The errors of a source of a command line are in its words, whatever went wrong.
func TestErrorsInOtherWords(t *testing.T) {
	slow := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(time.Minute):
		}
	})
	half := 0
	halfWay := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if half++; half > 1 {
			answer(401, "text/plain", "no").ServeHTTP(w, r)
			return
		}
		(&fakePrometheus{value: one}).ServeHTTP(w, r)
	})
	for name, tc := range map[string]struct {
		reason string
		server http.Handler
		change func(*history.SourceConfig)
		says   []string
	}{
		"credentials": {"they are in the flag", answer(401, "text/plain", "no"), nil, []string{"check the flag (basic_auth"}},
		"half way": {
			"what is added to an error keeps the words", halfWay,
			func(c *history.SourceConfig) { c.MaxPointsPerRequest = 30 },
			[]string{"check the flag", "1 of 2 requests"},
		},
		"HTML": {
			"the address is another server's", answer(200, "text/html", "<html>"), nil, []string{"the server at the address"},
		},
		"not JSON": {"the same", answer(200, "text/plain", "hello"), nil, []string{"the server at the address"}},
		"redirect": {
			"the address must be another one", http.RedirectHandler("http://example.com/", http.StatusFound), nil,
			[]string{"redirect to http://example.com/", "make the address the one that answers itself"},
		},
		"redirects off": {
			"the flag says so", http.RedirectHandler("/elsewhere", http.StatusFound),
			func(c *history.SourceConfig) { c.HTTPClientConfig = &config.HTTPClientConfig{} },
			[]string{"follow_redirects is off in the flag", "make the address"},
		},
		"TLS alone": {
			"the scheme is in the address", answer(400, "text/plain", "HTTP request to an HTTPS server"), nil,
			[]string{"begin the address with https://"},
		},
		"time": {
			"there is no setting to raise, and there is another way", slow,
			func(c *history.SourceConfig) { c.Timeout = model.Duration(50 * time.Millisecond) },
			[]string{"no answer within 50ms", "; or go another way"},
		},
		"no file": {
			"the flag names it", answer(200, "text/plain", ""),
			func(c *history.SourceConfig) {
				c.HTTPClientConfig = &config.HTTPClientConfig{
					BasicAuth: &config.BasicAuth{Username: "u", PasswordFile: "/nowhere/password"},
				}
			},
			[]string{"a file that the flag names cannot be read"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, words := range []*history.Words{flagWords(), nil} {
				half = 0
				source := serve(t, tc.server, func(c *history.SourceConfig) {
					if tc.change != nil {
						tc.change(c)
					}
					c.Name, c.Words = "shared", words
				})
				end := time.Unix(3600*100, 0)
				_, _, err := source.Range(t.Context(), "demand", end.Add(-time.Hour), end, time.Minute, nil)
				e, ok := errors.AsType[*history.Error](err)
				if !ok {
					t.Fatalf("%s: got %v", tc.reason, err)
				}
				own := strings.Contains(err.Error(), "source") || strings.Contains(err.Error(), "httpClientConfig")
				if words == nil {
					if e.Source != "shared" || !own || strings.Contains(err.Error(), "the flag") {
						t.Errorf("%s: the words of the file are gone: %v", tc.reason, err)
					}
					continue
				}
				if e.Source != "" || own || strings.Contains(err.Error(), "Headstart") {
					t.Errorf("%s: it speaks of a file with sources: %v", tc.reason, err)
				}
				for _, part := range tc.says {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("%s: %q does not say %q", tc.reason, err, part)
					}
				}
			}
		})
	}
}

// What cannot be a source is said in the same words.
func TestBadSourceInOtherWords(t *testing.T) {
	for _, url := range []string{"", "ftp://x", "http://u:hunter2@x", "http://[", "x"} {
		_, err := history.NewSource(history.SourceConfig{URL: url, Words: flagWords()})
		if err == nil || !strings.HasPrefix(err.Error(), "the address ") || strings.Contains(err.Error(), "source") {
			t.Errorf("%q: %v", url, err)
		}
	}
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	source := newSource(t, closed.URL, func(c *history.SourceConfig) { c.Words = flagWords() })
	_, err := source.Latest(t.Context(), "demand", time.Unix(0, 0))
	const want = "; check the address, and that network policies and proxies let this machine reach it; or go another way"
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want an error that ends with %q", err, want)
	}
}
