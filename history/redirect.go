package history

import (
	"context"
	"net/http"
	"net/url"
)

// maxRedirects bounds how often one request is redirected.
const maxRedirects = 5

// send sends a request. Where the server redirects it, the request is repeated as it was, whatever
// the status says: a POST stays a POST.
//
// Only redirects within the server are followed. Another one could read the credentials, and what
// it answers would be believed.
func (c *client) send(ctx context.Context, method string, target *url.URL, params url.Values) (*http.Response, error) {
	for hops := 0; ; hops++ {
		resp, err := c.do(ctx, method, target, params)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode/100 != 3 {
			return resp, nil
		}
		resp.Body.Close()
		location, ok := redirected(resp)
		if !ok {
			return nil, redirectError("no address that can be followed (status %d)", resp.StatusCode)
		}
		next, err := target.Parse(location)
		switch {
		case err != nil: // its text would repeat the address, with whatever is in it
			return nil, redirectError("an address that cannot be parsed")
		case !c.follow:
			return nil, redirectError("%s, and follow_redirects is off in %s", redact(next), theHTTPClientConfig)
		case !sameServer(target, next):
			return nil, redirectError("%s, which is another server or a connection without TLS, and is not followed",
				redact(next))
		case hops == maxRedirects:
			return nil, redirectError("%s, after %d other redirects", redact(next), maxRedirects)
		}
		target = next
	}
}

// redirected returns where a response redirects to.
func redirected(resp *http.Response) (location string, ok bool) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		location = resp.Header.Get("Location")
		return location, location != ""
	}
	return "", false
}

// sameServer reports whether a redirect stays on its server. A change from http to https on the
// same host does, when both have the same port or none.
func sameServer(from, to *url.URL) bool {
	if from.Hostname() != to.Hostname() || to.User != nil {
		return false
	}
	if from.Scheme == to.Scheme {
		return port(from) == port(to)
	}
	return from.Scheme == "http" && to.Scheme == "https" && from.Port() == to.Port()
}

// port returns the port of an address, also where it is that of the scheme.
func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// redirectError is about a redirect that is not followed; where says where it leads to.
func redirectError(where string, args ...any) *Error {
	return errf(ErrRedirect, "the server answers with a redirect to "+where, args...).
		with(": make %s the one that answers itself, if you trust it", theURL)
}

// afterRedirect adds to an error where the request was redirected to.
func afterRedirect(err error, resp *http.Response, base *url.URL) error {
	if err == nil || resp.Request == nil || resp.Request.URL == nil {
		return err
	}
	e, ok := err.(*Error) //nolint:errorlint // only an error made here and not yet wrapped
	last := redact(resp.Request.URL)
	if !ok || last == redact(base.JoinPath("api/v1/query")) || last == redact(base.JoinPath("api/v1/query_range")) {
		return err
	}
	return e.with(" (after a redirect to %s)", last)
}
