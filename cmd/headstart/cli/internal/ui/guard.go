package ui

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
)

// guard lets only requests of the page itself through. The page shows what the user may see, so
// neither another user of the machine nor another web page may read it:
//
//   - Every path begins with a random token, which only the user is told.
//   - The Host header must be this machine. A name that an attacker has pointed at 127.0.0.1 is not.
//   - What a browser says about the sender must be the page. Only the page itself may be opened from
//     elsewhere, as a whole window.
//   - Only GET and HEAD are answered.
type guard struct {
	token string
	hosts []string
	next  http.Handler
}

// newToken returns 256 random bits as text that a path can have.
func newToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// policy lets the page load its own files and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// ServeHTTP implements http.Handler.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range map[string]string{
		"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
		"Cache-Control": "no-store",
	} {
		w.Header().Set(name, value)
	}
	if !slices.Contains(g.hosts, r.Host) {
		http.Error(w, "this page is served on this machine only", http.StatusMisdirectedRequest)
		return
	}
	token, rest, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if !ok || subtle.ConstantTimeCompare([]byte(token), []byte(g.token)) != 1 {
		http.Error(w, "open the address that headstart ui has printed: it ends in a secret", http.StatusForbidden)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "this page only reads", http.StatusMethodNotAllowed)
		return
	}
	if !fromPage(r, rest) {
		http.Error(w, "another page may not read this one", http.StatusForbidden)
		return
	}
	inner := r.Clone(r.Context())
	inner.URL.Path, inner.URL.RawPath = "/"+rest, ""
	g.next.ServeHTTP(w, inner)
}

// fromPage reports whether a request is from the page, or opens it. A program that is no browser
// says nothing about itself; it knows the token.
func fromPage(r *http.Request, path string) bool {
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin":
		return true
	}
	return path == "" && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}
