package ui

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/cmd/headstart/cli/internal/explain"
)

// Who may read the page, and who may not. The page is at 127.0.0.1:8080.
func TestGuard(t *testing.T) {
	const token = "secret"
	handler := testHandler(t, token)
	browser := func(site, mode, dest string) map[string]string {
		return map[string]string{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
	}
	cases := map[string]struct {
		reason, method, host, path string
		header                     map[string]string
		want                       int
	}{
		"Page":      {"the address that was printed", "GET", "127.0.0.1:8080", "/secret/", nil, 200},
		"Localhost": {"the same machine by its name", "GET", "localhost:8080", "/secret/", nil, 200},
		"Typed": {
			"into the address bar", "GET", "127.0.0.1:8080", "/secret/", browser("none", "navigate", "document"), 200,
		},
		"File": {
			"the file that the browser is given leads to it", "GET", "127.0.0.1:8080", "/secret/",
			browser("cross-site", "navigate", "document"), 200,
		},
		"Own": {
			"a request of the page", "GET", "127.0.0.1:8080", "/secret/api/about",
			browser("same-origin", "cors", "empty"), 200,
		},
		"OwnOrigin": {
			"the same, with its origin", "GET", "127.0.0.1:8080", "/secret/api/about",
			map[string]string{"Origin": "http://127.0.0.1:8080"},
			200,
		},
		"Head":    {"a reader of the head alone", "HEAD", "127.0.0.1:8080", "/secret/", nil, 200},
		"NoToken": {"another user of the machine knows the port only", "GET", "127.0.0.1:8080", "/", nil, 403},
		"Guess":   {"and guesses", "GET", "127.0.0.1:8080", "/secreT/api/about", nil, 403},
		"Part":    {"a part of the token is not enough", "GET", "127.0.0.1:8080", "/secre/", nil, 403},
		"NoSlash": {"the token alone is no page", "GET", "127.0.0.1:8080", "/secret", nil, 403},
		"Rebound": {"a name that was pointed at 127.0.0.1", "GET", "evil.example:8080", "/secret/", nil, 421},
		"NoPort":  {"not the address that is served", "GET", "127.0.0.1", "/secret/", nil, 421},
		"Foreign": {
			"another page, even if it knew the token", "GET", "127.0.0.1:8080", "/secret/api/about",
			browser("cross-site", "cors", "empty"), 403,
		},
		"SamePort": {
			"a page at another port of this machine", "GET", "127.0.0.1:8080", "/secret/api/about",
			map[string]string{"Origin": "http://127.0.0.1:9090"},
			403,
		},
		"Null": {"a page in a sandbox", "GET", "127.0.0.1:8080", "/secret/", map[string]string{"Origin": "null"}, 403},
		"Frame": {
			"inside another page", "GET", "127.0.0.1:8080", "/secret/", browser("cross-site", "navigate", "iframe"), 403,
		},
		"Script": {
			"as a script of another page", "GET", "127.0.0.1:8080", "/secret/app.js",
			browser("cross-site", "no-cors", "script"), 403,
		},
		"Data": {
			"opening data as a page", "GET", "127.0.0.1:8080", "/secret/api/about",
			browser("cross-site", "navigate", "document"), 403,
		},
		"Post":    {"it only reads", "POST", "127.0.0.1:8080", "/secret/api/about", nil, 405},
		"Delete":  {"it only reads", "DELETE", "127.0.0.1:8080", "/secret/", nil, 405},
		"Unknown": {"there is no such file", "GET", "127.0.0.1:8080", "/secret/../../etc/passwd", nil, 404},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(tc.method, "http://"+tc.host+"/", nil)
			r.URL.Path = tc.path
			for k, v := range tc.header {
				r.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			got := w.Result()
			if got.StatusCode != tc.want && !(tc.want == 404 && got.StatusCode == http.StatusTemporaryRedirect) {
				t.Errorf("%s: %d, want %d: %s", tc.reason, got.StatusCode, tc.want, w.Body)
			}
			if got.StatusCode != http.StatusOK && strings.Contains(w.Body.String(), "prod-eu") {
				t.Errorf("%s: the refusal shows %s", tc.reason, w.Body)
			}
			for header, want := range map[string]string{
				"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff",
				"Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
			} {
				if value := got.Header.Get(header); !strings.Contains(value, want) {
					t.Errorf("%s: %s is %q, without %q", tc.reason, header, value, want)
				}
			}
			if got.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: another origin may read it", tc.reason)
			}
		})
	}
}

// The policy allows nothing inline and nothing from elsewhere, and no file of the page needs it.
func TestPageKeepsToItsPolicy(t *testing.T) {
	for _, word := range []string{"unsafe", "http:", "https:", "*", "data:"} {
		if strings.Contains(policy, word) {
			t.Errorf("the policy has %q", word)
		}
	}
	all, err := files.ReadDir("assets")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		text, err := files.ReadFile("assets/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"innerHTML", "onclick=", "style=\"", "eval(", "src=\"http", "href=\"http", "<script>"} {
			if strings.Contains(string(text), word) {
				t.Errorf("%s has %q", f.Name(), word)
			}
		}
	}
}

// Each token is another one, and long.
func TestTokensDiffer(t *testing.T) {
	a, b := newToken(), newToken()
	if a == b || len(a) < 43 || strings.ContainsAny(a, "/?#% ") {
		t.Errorf("tokens %q and %q", a, b)
	}
}

// testHandler returns the handler of a small fleet, at 127.0.0.1:8080.
func testHandler(t *testing.T, token string) http.Handler {
	t.Helper()
	table, err := explain.Load()
	if err != nil {
		t.Fatal(err)
	}
	h, err := newHandler(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, token, Options{
		Cluster: newFakeCluster(), Context: "prod-eu", Conditions: table, Study: newStudy(t), Now: time.Now,
		Starts: noStarts,
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}
