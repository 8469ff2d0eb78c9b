package history

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// statusError explains a status other than 2xx to the user.
func statusError(resp *http.Response, body []byte) *Error {
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return errf(ErrUnauthorized, "Prometheus rejects the credentials (HTTP %s): check %s "+
			"(basic_auth, authorization, oauth2, tls_config)", resp.Status, theHTTPClientConfig)
	}
	var answer struct{ Status, ErrorType, Error string }
	if json.Unmarshal(body, &answer) == nil && answer.Status == "error" && answer.ErrorType != "" {
		return apiError(answer.ErrorType, answer.Error)
	}
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500:
		return errf(ErrUnavailable, "Prometheus cannot answer now (HTTP %s): check that it is up and not overloaded",
			resp.Status)
	case strings.Contains(string(body), "HTTP request to an HTTPS server"):
		return errf(ErrTLS, "the server accepts TLS only: begin %s with https://", theURL)
	case code == http.StatusNotFound:
		return notPrometheus("has no Prometheus API under this path (HTTP 404)")
	}
	return notPrometheus(fmt.Sprintf("answers with HTTP %s", resp.Status))
}

// apiError explains an error that Prometheus itself reports, with its type and its text.
func apiError(kind, text string) *Error {
	text = abridgeTo(text, maxServerMessage)
	switch {
	case kind == "bad_data" && strings.Contains(text, "invalid expression type"):
		return errf(ErrWrongType, "the query gives no instant vector: %s", text)
	case (kind == "bad_data" || kind == "execution" || kind == "422") && tooMuch.MatchString(text):
		return errf(ErrTooLarge, "the query takes more than the source allows: %s; record it with a recording rule, read "+
			"a shorter time, or raise that limit", text)
	case kind == "bad_data", kind == "execution":
		return badQuery(text)
	case kind == "timeout", kind == "canceled":
		return errf(ErrTimeout, "Prometheus stopped the query: %s; simplify it, or record it with a recording rule",
			text)
	}
	return errf(ErrUnavailable, "Prometheus cannot answer now (%s: %s): check that it is up and not overloaded",
		abridge(kind), text)
}

// tooMuch matches what Prometheus, Thanos, Mimir and VictoriaMetrics say of a query that asks for
// too much at once.
var tooMuch = regexp.MustCompile(`(?i)too many (samples|points)|would load too many|exceeds? the limit|` +
	`exceeded the (maximum|limit|aggregated)|exceeded maximum resolution|hit the max number|-search\.max[A-Z]`)

// notPrometheus is about a server that is not a Prometheus; does says what it does instead.
func notPrometheus(does string) *Error {
	return errf(ErrNotPrometheus, "the server at %s %s: it is not a Prometheus API; give the address under which "+
		"/api/v1/query is found, without a login page before it", theURL, does)
}

func isHTML(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && kind == "text/html"
}

// dialer returns a function that connects. Its connections wait for the other side for at most
// timeout after each write. The request for an OAuth2 token needs that: it has no context that
// would bound it.
func dialer(timeout time.Duration) func(context.Context, string, string) (net.Conn, error) {
	d := &net.Dialer{Timeout: min(timeout, 10*time.Second), KeepAlive: 30 * time.Second}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &deadlineConn{Conn: c, timeout: timeout}, nil
	}
}

// deadlineConn is a connection on which an answer must come within timeout.
type deadlineConn struct {
	net.Conn
	timeout time.Duration
}

// Write sends a part of a request, and sets the deadline by which the answer must have come. A
// connection that stays unused for longer cannot be read any more, and is replaced by a new one.
func (c *deadlineConn) Write(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
