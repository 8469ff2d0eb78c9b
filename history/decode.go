package history

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"headstart.dev/headstart/history/internal/jsonstream"
)

// maxLabels bounds, in bytes, the labels of a series.
const maxLabels = 16 << 10

// envelope is what every answer of the API has around its result.
type envelope struct {
	status, errorType, errorText string
	resultType                   string
	notes                        Notes
	// partial reports whether the server says that its answer is not the whole one.
	partial bool
}

// read reads an answer. element is called for each element of a result of the type want, and must
// read it.
func (e *envelope) read(d *jsonstream.Decoder, want string, element func() error) error {
	err := d.Object(func(key string) error {
		switch key {
		case "status":
			return readText(d, &e.status)
		case "errorType":
			return readText(d, &e.errorType)
		case "error":
			return readText(d, &e.errorText)
		case "warnings", "infos":
			return d.Array(func() error {
				text, err := d.String()
				e.notes.warn(text)
				e.partial = e.partial || key == "warnings" && !isPromQLWarning(text)
				return err
			})
		case "isPartial": // of VictoriaMetrics
			partial, err := d.Bool()
			e.partial = e.partial || partial
			return err
		case "data":
			return e.readData(d, want, element)
		}
		return d.Skip()
	})
	switch {
	case err != nil:
		return err
	case e.status == "error":
		return apiError(e.errorType, e.errorText)
	case e.resultType == "":
		return notPrometheus("answers without a result")
	case e.resultType != want:
		return wrongTypeNamed(e.resultType)
	}
	return nil
}

func readText(d *jsonstream.Decoder, into *string) (err error) {
	*into, err = d.String()
	return err
}

// readData reads the result, and its type.
func (e *envelope) readData(d *jsonstream.Decoder, want string, element func() error) error {
	if kind, err := d.Kind(); err != nil || kind != '{' {
		if err == nil {
			err = d.Skip()
		}
		return err
	}
	return d.Object(func(key string) error {
		switch {
		case key == "resultType":
			return readText(d, &e.resultType)
		case key == "result" && (e.resultType == "" || e.resultType == want):
			return d.Array(element)
		}
		return d.Skip()
	})
}

// readLabels reads the labels of a series.
func readLabels(d *jsonstream.Decoder) (model.Metric, error) {
	labels, size := model.Metric{}, 0
	err := d.Object(func(key string) error {
		value, err := d.String()
		if err != nil {
			return err
		}
		if size += len(key) + len(value); size > maxLabels {
			return errf(ErrTooLarge, "the labels of the series take more than %d KiB: aggregate the query with sum(…)",
				maxLabels>>10)
		}
		labels[model.LabelName(key)] = model.LabelValue(value)
		return nil
	})
	return labels, err
}

// readSample reads a sample: [1772409660.123,"1.5"].
func readSample(d *jsonstream.Decoder) (at time.Time, value float64, err error) {
	i := 0
	err = d.Array(func() error {
		defer func() { i++ }()
		switch i {
		case 0:
			seconds, err := d.Float()
			if math.Abs(seconds) > maxStamp {
				seconds = math.Copysign(maxStamp, seconds)
			}
			at = time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
			return err
		case 1:
			text, err := d.Bytes()
			if err != nil {
				return err
			}
			value, err = strconv.ParseFloat(string(text), 64)
			if err != nil && !math.IsInf(value, 0) {
				return notPrometheus("answers with a sample that is no number")
			}
			return nil
		}
		return d.Skip()
	})
	if err == nil && i != 2 {
		err = notPrometheus("answers with a sample that is no pair of time and value")
	}
	return at, value, err
}

// maxStamp bounds, in seconds, the time of a sample, so that it is a [time.Time].
const maxStamp = 1 << 40

// oneSeries reads the elements of a result, and fails at the second series.
type oneSeries struct {
	found  bool
	labels model.Metric
	// field reads the value of a key other than "metric".
	field func(key string) error
}

// read reads one element of the result.
func (s *oneSeries) read(d *jsonstream.Decoder) error {
	if !s.found {
		s.found, s.labels = true, model.Metric{}
		return d.Object(func(key string) (err error) {
			if key == "metric" {
				s.labels, err = readLabels(d)
				return err
			}
			return s.field(key)
		})
	}
	second := model.Metric{}
	err := d.Object(func(key string) error {
		if key != "metric" {
			return d.Skip()
		}
		labels, err := readLabels(d)
		if err != nil {
			return err
		}
		return severalSeries(s.labels, labels) // the rest need not be read
	})
	if err != nil {
		return err
	}
	return severalSeries(s.labels, second)
}

// rangeAnswer is the answer to one request for a part of a history.
type rangeAnswer struct {
	found  bool
	labels model.Metric
	values []float64 // one for each step of the part; nil when no series was found
	notes  Notes
}

// rangeDecoder decodes the answer to one request for a part of a history.
type rangeDecoder struct {
	span   span
	answer rangeAnswer
}

func (r *rangeDecoder) decode(d *jsonstream.Decoder) error {
	var e envelope
	samples, last := 0, -1
	series := oneSeries{}
	series.field = func(key string) error {
		switch key {
		case "values":
			r.answer.values = gaps(r.span.steps)
			return d.Array(func() error {
				at, value, err := readSample(d)
				if err != nil {
					return err
				}
				i, err := r.span.index(at)
				if err != nil {
					return err
				}
				if i <= last {
					return notPrometheus("answers with samples that are not in the order of time")
				}
				samples, last = samples+1, i
				r.answer.values[i] = r.answer.notes.demand(value)
				return nil
			})
		case "histograms":
			return d.Array(func() error {
				if samples == 0 {
					return histogram()
				}
				return d.Skip()
			})
		}
		return d.Skip()
	}
	err := e.read(d, "matrix", func() error { return series.read(d) })
	r.answer.found, r.answer.labels = series.found, series.labels
	r.answer.notes.warn(e.notes.Warnings...)
	if e.partial {
		r.answer.notes.Partial = r.span.steps
	}
	return err
}

// Sample is the demand at one instant.
type Sample struct {
	// Value is the demand, from 0 to [MaxDemand].
	Value float64
	// At is the instant of the sample, see [Source.Latest].
	At time.Time
	// Partial reports whether the server answered in part only, so that Value may be too low.
	Partial bool
	// Warnings are the warnings and infos of the server.
	Warnings []string
}

// instantDecoder decodes the answer to a query at one instant.
type instantDecoder struct {
	at     time.Time
	answer Sample
}

func (r *instantDecoder) decode(d *jsonstream.Decoder) error {
	var e envelope
	known := false
	series := oneSeries{}
	series.field = func(key string) (err error) {
		switch key {
		case "value":
			known = true
			r.answer.At, r.answer.Value, err = readSample(d)
			return err
		case "histogram":
			return histogram()
		}
		return d.Skip()
	}
	if err := e.read(d, "vector", func() error { return series.read(d) }); err != nil {
		return err
	}
	r.answer.Warnings, r.answer.Partial = e.notes.Warnings, e.partial
	if !series.found && e.partial {
		return errf(ErrPartial, "the source answers in part only, without a series (Prometheus says: %s): bring the "+
			"missing stores back", strings.Join(e.notes.Warnings, "; "))
	}
	if !series.found {
		return errf(ErrNoSeries, "the query gives no series at %s: check the metric's name and its labels, and "+
			"that its targets are scraped; where no sample means no demand, add \"or vector(0)\"",
			r.at.UTC().Format(time.RFC3339))
	}
	if !known {
		return notPrometheus("answers with a series without a value")
	}
	return r.answer.check(r.at)
}

const (
	// oldestSample is how much before the asked instant the sample of an instant query may be.
	// Prometheus stamps it with the instant itself. Others stamp it with the time of the last scrape.
	oldestSample = 5 * time.Minute
	// newestSample is how much after the asked instant it may be, where an engine rounds up to a step.
	newestSample = time.Minute
)

// check returns an error unless the answer can be the demand at an instant.
func (a *Sample) check(at time.Time) error {
	when := at.UTC().Format(time.RFC3339)
	switch v := a.Value; {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return errf(ErrNotFinite, "the query gives %v at %s, which is no demand: guard a division with \"> 0\" "+
			"on its divisor", v, when)
	case v < -roundingError:
		return errf(ErrNotFinite, "the query gives %v at %s, and demand is never negative: guard a subtraction "+
			"with clamp_min(…, 0)", v, when)
	case v > MaxDemand:
		return errf(ErrNotFinite, "the query gives %v at %s, and demand is at most %g: guard a division with \"> 0\" "+
			"on its divisor, or use a larger unit", v, when, MaxDemand)
	case a.At.Before(at.Add(-oldestSample)) || a.At.After(at.Add(newestSample)):
		return errf(ErrNotPrometheus, "the answer for %s has a sample of %s, which was not requested: check the clocks, "+
			"and that %s is that of a Prometheus API", when, a.At.Format(time.RFC3339), theURL)
	}
	a.Value = max(a.Value, 0)
	return nil
}
