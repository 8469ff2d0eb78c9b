package history

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// notes are what does not make a series unusable, but helps to explain one that is.
type notes struct {
	notFinite int // samples that were NaN or infinite
	negative  int // samples below zero
	tooHigh   int // samples above MaxDemand
	warnings  []string
}

const (
	// maxWarnings bounds what is kept of a server's warnings.
	maxWarnings = 5
	// maxQuoted bounds, in bytes, a text of the server or of the user that a message repeats.
	maxQuoted = 200
)

// warn notes warnings of Prometheus, each once.
func (n *notes) warn(texts ...string) {
	for _, t := range texts {
		if len(n.warnings) == maxWarnings {
			return
		}
		if t = abridgeTo(t, maxQuoted); !slices.Contains(n.warnings, t) {
			n.warnings = append(n.warnings, t)
		}
	}
}

// add counts the notes of another request as well.
func (n *notes) add(other notes) {
	n.notFinite += other.notFinite
	n.negative += other.negative
	n.tooHigh += other.tooHigh
	n.warn(other.warnings...)
}

// String returns the notes in one line.
func (n *notes) String() string {
	var out []string
	if n.notFinite > 0 {
		out = append(out, fmt.Sprintf("samples that were NaN or infinite, and are gaps: %d", n.notFinite))
	}
	if n.negative > 0 {
		out = append(out, fmt.Sprintf("samples that were negative, and are gaps: %d", n.negative))
	}
	if n.tooHigh > 0 {
		out = append(out, fmt.Sprintf("samples that were above %g, and are gaps: %d", MaxDemand, n.tooHigh))
	}
	for _, w := range n.warnings {
		out = append(out, "Prometheus says: "+w)
	}
	return strings.Join(out, "; ")
}

// demand returns the demand of the sample v; NaN when v cannot be demand.
func (n *notes) demand(v float64) float64 {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		n.notFinite++
		return math.NaN()
	case v < -roundingError:
		n.negative++
		return math.NaN()
	case v > MaxDemand:
		n.tooHigh++
		return math.NaN()
	}
	return max(v, 0)
}

// roundingError is how far below zero a sum of floats may fall that should have been zero.
const roundingError = 1e-9

// add puts the answer to one request into that of the whole range.
func (a *answer) add(part rangeAnswer, p span) error {
	a.notes.add(part.notes)
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
