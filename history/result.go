package history

import (
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// add puts the answer to one request into that of the whole range.
func (a *answer) add(part rangeAnswer, p span) error {
	a.notes.add(part.notes)
	if part.notes.Partial > 0 {
		a.partial = append(a.partial, p)
	}
	if !part.found {
		return nil
	}
	if a.found && !a.labels.Equal(part.labels) {
		return severalSeries(a.labels, part.labels)
	}
	a.found, a.labels = true, part.labels
	copy(a.series.Values[stepsBetween(a.series.Start, p.start, p.step):], part.values)
	return nil
}

func noSeries(from, to time.Time) *Error {
	return errf(ErrNoSeries, "the query gives no series between %s and %s: check the metric's name and its labels in "+
		"Prometheus, and that its targets are scraped", from.Format(time.RFC3339), to.Format(time.RFC3339))
}

// severalSeries is about several series, of which a and b are two.
func severalSeries(a, b model.Metric) *Error {
	return errf(ErrSeveralSeries, "the query gives several series, such as %s and %s, but demand is one: aggregate "+
		"with sum(…)", abridgeTo(a.String(), maxQuoted), abridgeTo(b.String(), maxQuoted))
}

func histogram() *Error {
	return errf(ErrWrongType, "the query gives a native histogram, but demand is a number: use histogram_count(…) or "+
		"histogram_sum(…)")
}

// wrongTypeNamed is about a result of the named type.
func wrongTypeNamed(name string) *Error {
	remedy := "write an expression that gives one instant vector, such as sum(rate(requests_total[2m]))"
	switch name {
	case "scalar":
		remedy = "wrap it in vector(…), or leave out scalar(…)"
	case "matrix", "range vector":
		remedy = "wrap the range selector in rate(…) or another function over time"
	}
	return errf(ErrWrongType, "the query gives a %s, but demand is an instant vector: %s", name, remedy)
}

// abridgeTo returns the first most bytes of a text, so that a message stays short.
func abridgeTo(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// abridge returns the first 60 bytes of a text.
func abridge(s string) string { return abridgeTo(s, 60) }
