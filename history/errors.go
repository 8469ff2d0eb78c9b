package history

import (
	"errors"
	"fmt"
	"slices"
)

// Kind says what is wrong with a query or its source. A Kind is itself an error, so that
// errors.Is(err, ErrNoSeries) works. Its text is the reason of a condition.
type Kind string

// The kinds of an [*Error].
const (
	// ErrSourceUnknown indicates that the configuration file has no source of this name.
	ErrSourceUnknown Kind = "SourceUnknown"
	// ErrSourceForbidden indicates that the source is not open to this namespace.
	ErrSourceForbidden Kind = "SourceForbidden"
	// ErrNamespaceLabel indicates that a selector of the query matches another namespace than its
	// own.
	ErrNamespaceLabel Kind = "NamespaceLabel"
	// ErrBadQuery indicates that the query is not PromQL, or cannot be evaluated.
	ErrBadQuery Kind = "BadQuery"
	// ErrWrongType indicates that the query does not give an instant vector of floats.
	ErrWrongType Kind = "WrongType"
	// ErrNoSeries indicates that the query gives no series.
	ErrNoSeries Kind = "NoSeries"
	// ErrSeveralSeries indicates that the query gives more than one series.
	ErrSeveralSeries Kind = "SeveralSeries"
	// ErrNotFinite indicates that the query gives NaN, an infinity, a negative number or one above
	// [MaxDemand] as demand.
	ErrNotFinite Kind = "NotFinite"
	// ErrUnauthorized indicates that the source rejects the credentials, or that there are none.
	ErrUnauthorized Kind = "Unauthorized"
	// ErrTLS indicates that no trusted TLS connection to the source is possible.
	ErrTLS Kind = "TLS"
	// ErrUnreachable indicates that no connection to the source is possible.
	ErrUnreachable Kind = "Unreachable"
	// ErrTimeout indicates that the source did not answer in time.
	ErrTimeout Kind = "Timeout"
	// ErrUnavailable indicates that the source answers, but cannot serve now.
	ErrUnavailable Kind = "Unavailable"
	// ErrNotPrometheus indicates that the server at the URL does not serve the Prometheus API.
	ErrNotPrometheus Kind = "NotPrometheus"
	// ErrRedirect indicates that the server redirects the request where it is not followed.
	ErrRedirect Kind = "Redirect"
	// ErrPartial indicates that the server answers in part only: some of its stores did not answer.
	ErrPartial Kind = "Partial"
	// ErrTooLarge indicates that the answer is larger than any single series can be.
	ErrTooLarge Kind = "TooLarge"
	// ErrBadRequest indicates that the span or the step of the request is not possible.
	ErrBadRequest Kind = "BadRequest"
)

// Error returns the kind's name.
func (k Kind) Error() string { return string(k) }

// Temporary reports whether the same query may succeed later without any change by the user.
func (k Kind) Temporary() bool {
	return k == ErrTimeout || k == ErrUnavailable || k == ErrUnreachable || k == ErrPartial
}

// Error says what went wrong with a query on a source, and what to change.
type Error struct {
	// Kind is what errors.Is compares.
	Kind Kind
	// Source is the name of the source; "" when it is not known.
	Source string
	// Message says what happened and what to change. It holds no credentials.
	Message string

	// format and args make the message again in other words. They are those of the message only until
	// a source has put its name on the error.
	format string
	args   []any
}

// Error returns the message after the name of the source.
func (e *Error) Error() string {
	if e.Source == "" {
		return e.Message
	}
	return fmt.Sprintf("source %q: %s", e.Source, e.Message)
}

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

// KindOf returns the kind of the [*Error] in err's chain; "" when there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return ""
}

func errf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...), format: format, args: args}
}

// with returns the error with more text after its message.
func (e *Error) with(format string, args ...any) *Error {
	before, known := e.format, e.args
	if before == "" {
		before, known = "%s", []any{e.Message}
	}
	out := errf(e.Kind, before+format, append(slices.Clip(known), args...)...)
	out.Source = e.Source
	return out
}

// in returns the message in other words.
func (e *Error) in(words Words) string {
	if e.format == "" {
		return e.Message
	}
	args := slices.Clone(e.args)
	for i, a := range args {
		if s, ok := a.(setting); ok {
			args[i] = s.in(words)
		}
	}
	return fmt.Sprintf(e.format, args...)
}
