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
	warnings  []string
}

const (
	// maxWarnings bounds what is kept of a server's warnings.
	maxWarnings = 5
	// maxQuoted bounds, in bytes, a text of the server or of the user that a message repeats.
	maxQuoted = 200
)

// warn notes the warnings of Prometheus, each once.
func (n *notes) warn(texts []string) {
	for _, t := range texts {
		if len(n.warnings) == maxWarnings {
			return
		}
		if !slices.Contains(n.warnings, abridgeTo(t, maxQuoted)) {
			n.warnings = append(n.warnings, abridgeTo(t, maxQuoted))
		}
	}
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
	}
	return max(v, 0)
}

// roundingError is how far below zero a sum of floats may fall that should have been zero.
const roundingError = 1e-9

// add puts the samples of one request into the answer.
func (a *answer) add(result model.Value, part Series) error {
	matrix, ok := result.(model.Matrix)
	if !ok {
		return wrongType(result)
	}
	switch {
	case len(matrix) > 1:
		return severalSeries(len(matrix), matrix[0].Metric, matrix[1].Metric)
	case len(matrix) == 0:
		return nil
	}
	stream := matrix[0]
	if a.found && !a.labels.Equal(stream.Metric) {
		return severalSeries(2, a.labels, stream.Metric)
	}
	if len(stream.Values) == 0 && len(stream.Histograms) > 0 {
		return histogram()
	}
	a.found, a.labels = true, stream.Metric
	offset := stepsBetween(a.series.Start, part.Start, part.Step)
	for _, p := range stream.Values {
		// A sample evaluated at T is the step that ends at T.
		since := p.Timestamp.Time().Sub(part.Start)
		i := int(since/part.Step) - 1
		if since%part.Step != 0 || i < 0 || i >= len(part.Values) {
			return errf(ErrNotPrometheus, "the answer has a sample at %s, which was not requested: this URL does not "+
				"follow the Prometheus API", p.Timestamp.Time().UTC().Format(time.RFC3339))
		}
		a.series.Values[offset+i] = a.notes.demand(float64(p.Value))
	}
	return nil
}

// oneSample returns the only sample of an instant query.
func oneSample(result model.Value, at time.Time) (*model.Sample, error) {
	vector, ok := result.(model.Vector)
	if !ok {
		return nil, wrongType(result)
	}
	when := at.UTC().Format(time.RFC3339)
	switch {
	case len(vector) > 1:
		return nil, severalSeries(len(vector), vector[0].Metric, vector[1].Metric)
	case len(vector) == 0:
		return nil, errf(ErrNoSeries, "the query gives no series at %s: check the metric's name and its labels, and "+
			"that its targets are scraped; where no sample means no demand, add \"or vector(0)\"", when)
	}
	sample := vector[0]
	if sample.Histogram != nil {
		return nil, histogram()
	}
	switch v := float64(sample.Value); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return nil, errf(ErrNotFinite, "the query gives %v at %s, which is no demand: guard a division with \"> 0\" "+
			"on its divisor", v, when)
	case v < -roundingError:
		return nil, errf(ErrNotFinite, "the query gives %v at %s, and demand is never negative: guard a subtraction "+
			"with clamp_min(…, 0)", v, when)
	case v < 0:
		sample.Value = 0
	}
	return sample, nil
}

func noSeries(from, to time.Time) *Error {
	return errf(ErrNoSeries, "the query gives no series between %s and %s: check the metric's name and its labels in "+
		"Prometheus, and that its targets are scraped", from.Format(time.RFC3339), to.Format(time.RFC3339))
}

// severalSeries is about n series, of which a and b are two.
func severalSeries(n int, a, b model.Metric) *Error {
	count := fmt.Sprint(n)
	if n >= seriesLimit {
		count = fmt.Sprintf("%d or more", seriesLimit)
	}
	return errf(ErrSeveralSeries, "the query gives %s series, such as %s and %s, but demand is one: aggregate with "+
		"sum(…)", count, abridgeTo(a.String(), maxQuoted), abridgeTo(b.String(), maxQuoted))
}

func histogram() *Error {
	return errf(ErrWrongType, "the query gives a native histogram, but demand is a number: use histogram_count(…) or "+
		"histogram_sum(…)")
}

func wrongType(v model.Value) *Error {
	if v == nil {
		return notPrometheus("answers without a result")
	}
	return wrongTypeNamed(v.Type().String())
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
