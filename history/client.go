package history

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/config"

	"headstart.dev/headstart/history/internal/jsonstream"
)

const (
	// seriesLimit is how many series Prometheus may send: enough to say that there are several.
	// Other engines ignore it.
	seriesLimit = 2
	// baseBody bounds, in bytes, what an answer has beside its samples. It bounds errors as well.
	baseBody = 64 << 10
	// sampleBody bounds, in bytes, one sample of an answer: [1772409660.123,"0.30000000000000004"]
	// takes 40.
	sampleBody = 128
)

// bodyLimit bounds, in bytes, an answer of so many samples.
func bodyLimit(samples int) int64 { return baseBody + sampleBody*int64(samples) }

// client sends requests to the HTTP API of one Prometheus, and decodes the answers as they come.
// The client of client_golang would hold an answer as a whole, several times over.
type client struct {
	http    http.RoundTripper
	base    *url.URL
	follow  bool // whether redirects within the server are followed
	timeout time.Duration
}

// newClient returns the client of a source.
func newClient(c SourceConfig) (*client, error) {
	base, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	timeout := time.Duration(c.Timeout)
	if c.Transport != nil {
		return &client{http: c.Transport, base: base, timeout: timeout}, nil
	}
	rt, err := config.NewRoundTripperFromConfig(*c.HTTPClientConfig, "headstart",
		config.WithUserAgent("headstart"), config.WithDialContextFunc(dialer(timeout)))
	if err != nil {
		return nil, err
	}
	// Not an http.Client, which would have redirects of its own: see send.
	return &client{http: rt, base: base, follow: c.HTTPClientConfig.FollowRedirects, timeout: timeout}, nil
}

// query sends a query to an endpoint of the API, and gives decode the answer. It reads at most
// limit bytes of it.
func (c *client) query(
	ctx context.Context, endpoint string, params url.Values, limit int64, decode func(*jsonstream.Decoder) error,
) error {
	params.Set("timeout", c.timeout.String())
	params.Set("limit", strconv.Itoa(seriesLimit))
	resp, err := c.post(ctx, endpoint, params)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return afterRedirect(c.read(resp, limit, decode), resp, c.base)
}

// read reads a response. It reads at most limit bytes of it.
func (c *client) read(resp *http.Response, limit int64, decode func(*jsonstream.Decoder) error) error {
	body, err := uncompressed(resp)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(body, baseBody))
		return statusError(resp, text)
	}
	if isHTML(resp.Header) {
		return notPrometheus("answers with an HTML page")
	}
	d := jsonstream.NewDecoder(&limitedBody{Reader: body, left: limit, limit: limit})
	if err := decode(d); err != nil {
		return err
	}
	return d.End()
}

// post sends a query with POST, since a query may be longer than a URL. Where that is not allowed,
// it tries again with GET.
func (c *client) post(ctx context.Context, endpoint string, params url.Values) (*http.Response, error) {
	target := c.base.JoinPath("api/v1", endpoint)
	resp, err := c.send(ctx, http.MethodPost, target, params)
	if err != nil {
		return nil, err
	}
	switch resp.StatusCode {
	case http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		resp.Body.Close()
		return c.send(ctx, http.MethodGet, target, params)
	}
	return resp, nil
}

// do sends one request.
func (c *client) do(ctx context.Context, method string, target *url.URL, params url.Values) (*http.Response, error) {
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(params.Encode())
	} else {
		all := target.Query()
		maps.Copy(all, params)
		with := *target
		with.RawQuery = all.Encode()
		target = &with
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	// The transport may send an idempotent request again on a new connection, when the old one has
	// been closed. An empty list is not sent.
	req.Header["Idempotency-Key"] = nil
	return c.http.RoundTrip(req)
}

// uncompressed returns the body of a response. The transport asks for no compression, and some
// servers compress nevertheless.
func uncompressed(resp *http.Response) (io.Reader, error) {
	switch encoding := resp.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
		return resp.Body, nil
	case "gzip", "x-gzip":
		return gzip.NewReader(resp.Body)
	default:
		return nil, notPrometheus(fmt.Sprintf("answers in the encoding %q, which was not asked for",
			abridge(encoding)))
	}
}

// limitedBody fails, rather than ends, after left bytes.
type limitedBody struct {
	io.Reader
	left, limit int64
}

// Read fails with [ErrTooLarge] past the limit.
func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, tooLarge(b.limit)
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.Reader.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n, tooLarge(b.limit)
	}
	return n, err
}

// tooLarge is about an answer of more than limit bytes.
func tooLarge(limit int64) *Error {
	return errf(ErrTooLarge, "the answer is larger than %d KiB, which is more than one series of the requested steps "+
		"can take: check that %s is that of a Prometheus API, and aggregate the query to one series with sum(…)",
		limit>>10, theURL)
}

// formatTime returns an instant in the API's format: seconds since the Unix epoch.
func formatTime(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', -1, 64)
}

// formatSeconds returns a duration in the API's format.
func formatSeconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }
