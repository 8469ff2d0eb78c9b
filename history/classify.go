package history

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"headstart.dev/headstart/history/internal/jsonstream"
)

// classify turns an error of a request into an [*Error]. It never uses the text of a
// *url.Error, which holds the whole URL.
func classify(err error, timeout time.Duration) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	if e := answerError(err); e != nil {
		return e
	}
	if e := credentialsError(err); e != nil {
		return e
	}
	var slow net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &slow) && slow.Timeout() {
		return errf(ErrTimeout, "no answer within %s: check that Prometheus is reachable and not overloaded, "+
			"simplify the query (a recording rule helps)%s%s", timeout, orRaiseTimeout, orReach)
	}
	if e := tlsError(err); e != nil {
		return e
	}
	return errf(ErrUnreachable, "no connection: %s; check %s, and that network policies and proxies let %s reach it%s",
		innermost(err), theURL, theReader, orReach)
}

// answerError explains an answer that is not one of the Prometheus API; nil when err is something
// else.
func answerError(err error) *Error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, jsonstream.ErrTooLong):
		return errf(ErrTooLarge, "the answer has a text of more than %d KiB: check that %s is that of a Prometheus API",
			jsonstream.MaxText>>10, theURL)
	case errors.Is(err, jsonstream.ErrSyntax), errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum),
		errors.As(err, &corrupt):
		return notPrometheus("does not answer in Prometheus's JSON")
	}
	return nil
}

// credentialsError explains credentials that cannot be read or obtained; nil when err is something
// else.
func credentialsError(err error) *Error {
	var (
		token *oauth2.RetrieveError
		file  *fs.PathError
	)
	switch {
	case errors.As(err, &token):
		status := "an error"
		if token.Response != nil {
			status = "HTTP " + token.Response.Status
		}
		return errf(ErrUnauthorized, "the OAuth2 token endpoint answers with %s: check oauth2 in %s "+
			"(client_id, client_secret, scopes, token_url)", status, theHTTPClientConfig)
	case errors.As(err, &file):
		return errf(ErrUnauthorized, "a file that %s names cannot be read (%v): correct its path, and check that "+
			"the file is there", theHTTPClientConfig, file)
	case strings.Contains(innermost(err), "oauth2:"):
		return errf(ErrUnauthorized, "the OAuth2 token endpoint gives no token: check oauth2 in %s, above all token_url",
			theHTTPClientConfig)
	}
	return nil
}

// tlsError explains why there is no trusted TLS connection; nil when err is something else.
func tlsError(err error) *Error {
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		record   tls.RecordHeaderError
		alert    tls.AlertError
		verify   *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &unknown):
		return errf(ErrTLS, "the server's certificate is signed by an unknown authority: give its CA as "+
			"tls_config.ca_file in %s", theHTTPClientConfig)
	case errors.As(err, &hostname):
		return errf(ErrTLS, "the server's certificate is for another name (%v): use that name in %s, or set "+
			"tls_config.server_name in %s", hostname, theURL, theHTTPClientConfig)
	case errors.As(err, &invalid):
		return errf(ErrTLS, "the server's certificate is not valid (%v): renew it", invalid)
	case errors.As(err, &verify):
		return errf(ErrTLS, "the server's certificate cannot be verified (%v): check "+
			"tls_config.ca_file in %s", verify.Err, theHTTPClientConfig)
	case errors.As(err, &record), strings.Contains(innermost(err), "server gave HTTP response to HTTPS client"):
		return errf(ErrTLS, "the server does not accept TLS: begin %s with http://, or turn TLS on there", theURL)
	case errors.As(err, &alert), strings.Contains(innermost(err), "tls: "):
		return errf(ErrTLS, "the server ends the TLS handshake (%s): it may want a client certificate; see "+
			"tls_config (cert_file, key_file) in %s", innermost(err), theHTTPClientConfig)
	}
	return nil
}

// innermost returns the text of err without the URL that [url.Error] puts before it.
func innermost(err error) string {
	var u *url.Error
	for errors.As(err, &u) {
		err = u.Err
	}
	return abridgeTo(err.Error(), maxQuoted)
}
