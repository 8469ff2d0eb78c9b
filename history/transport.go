package history

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	// maxBody bounds one answer. The most that is requested, 11000 points of 100 series, is below
	// 48 MiB.
	maxBody = 48 << 20
	// maxErrorBody bounds what is read of an answer that is an error.
	maxErrorBody = 64 << 10
)

// guard turns answers that are not those of a Prometheus into errors that say what to change, and
// bounds the size of the others. It is the last round tripper before client_golang, which would
// return a status and no more.
type guard struct {
	next  http.RoundTripper
	limit int64
}

// RoundTrip sends a request. An answer with another status than 2xx, or of a wrong type, is an
// [*Error].
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := g.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 2 {
		if isHTML(resp.Header) {
			resp.Body.Close()
			return nil, notPrometheus("answers with an HTML page")
		}
		resp.Body = &limitedBody{ReadCloser: resp.Body, left: g.limit}
		return resp, nil
	}
	if needsResponse(req, resp) {
		resp.Body = &limitedBody{ReadCloser: resp.Body, left: maxErrorBody}
		return resp, nil
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	return nil, statusError(resp, text)
}

// CloseIdleConnections closes those of the transport underneath; http.Client calls it.
func (g *guard) CloseIdleConnections() {
	if c, ok := g.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// needsResponse reports whether a caller needs the response as it is: http.Client to follow a
// redirect, client_golang to try again with GET when POST is not allowed.
func needsResponse(req *http.Request, resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return resp.Header.Get("Location") != ""
	case http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return req.Method == http.MethodPost
	}
	return false
}

// statusError explains a status other than 2xx to the user.
func statusError(resp *http.Response, body []byte) *Error {
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return errf(ErrUnauthorized, "Prometheus rejects the credentials (HTTP %s): check the source's "+
			"httpClientConfig (basic_auth, authorization, oauth2, tls_config)", resp.Status)
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
		return errf(ErrTLS, "the server accepts TLS only: begin the source's url with https://")
	case code == http.StatusNotFound:
		return notPrometheus("has no Prometheus API under this path (HTTP 404)")
	}
	return notPrometheus(fmt.Sprintf("answers with HTTP %s", resp.Status))
}

// apiError explains one of Prometheus's own error types to the user.
func apiError(kind, text string) *Error {
	text = abridgeTo(text, maxServerMessage)
	switch kind {
	case "bad_data":
		if strings.Contains(text, "invalid expression type") {
			return errf(ErrWrongType, "the query gives no instant vector: %s", text)
		}
		return badQuery(text)
	case "execution":
		return badQuery(text)
	case "timeout", "canceled":
		return errf(ErrTimeout, "Prometheus stopped the query: %s; simplify it, or record it with a recording rule",
			text)
	}
	return errf(ErrUnavailable, "Prometheus cannot answer now (%s: %s): check that it is up and not overloaded",
		abridge(kind), text)
}

// notPrometheus is about a server that is not a Prometheus; does says what it does instead.
func notPrometheus(does string) *Error {
	return errf(ErrNotPrometheus, "the server at the source's url %s: it is not a Prometheus API; the url must be the "+
		"address under which /api/v1/query is found, without a login page before it", does)
}

func isHTML(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && kind == "text/html"
}

// limitedBody fails, rather than ends, after left bytes.
type limitedBody struct {
	io.ReadCloser
	left int64
}

// Read fails with [ErrTooLarge] past the limit.
func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, tooLarge()
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n, tooLarge()
	}
	return n, err
}

func tooLarge() *Error {
	return errf(ErrTooLarge, "the answer is larger than %d MiB: aggregate the query to one series with sum(…)",
		maxBody>>20)
}

// dialer returns connections that wait for the other side for at most timeout. A context bounds
// other requests, but the request for an OAuth2 token has none.
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

// deadlineConn has a read deadline after each write.
type deadlineConn struct {
	net.Conn
	timeout time.Duration
}

// Write sets the deadline by which the other side must answer. It also closes a connection that has
// been idle for so long.
func (c *deadlineConn) Write(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
