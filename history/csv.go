package history

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxSteps bounds the steps of all series of one file together: 31 years of minutes. So one
	// mistyped year is an error and does not take all memory.
	maxSteps = 1 << 24
	// minStep is the shortest resolution, as in a Forecast. maxStep is the longest one, a year.
	minStep, maxStep = time.Second, 366 * 24 * time.Hour
	// maxValue bounds demand, so that sums over a history stay finite and exact enough.
	maxValue = 1e18
)

// CSVOptions say how to read a CSV file.
type CSVOptions struct {
	// Step is the length of a step. When it is zero, it is inferred for each series: the most
	// common difference between neighbouring rows.
	Step time.Duration
}

func (o CSVOptions) validate() error {
	if o.Step < 0 || o.Step > maxStep {
		return fmt.Errorf("step %s must be between 0 and a year: leave it out to infer it from the rows", o.Step)
	}
	return nil
}

// RowError is a row of a CSV file that cannot be used.
type RowError struct {
	// Line is the line in the file, counted from 1.
	Line int
	// Reason says what is wrong and what to change.
	Reason string
}

// Error returns the line and the reason.
func (e *RowError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// ReadCSV reads the series of a CSV file, in the order of their first rows. The header is
// "timestamp,value" or "series,timestamp,value".
//
// Timestamps are RFC 3339. Other ISO 8601 forms, and Unix seconds or milliseconds, are understood;
// a timestamp without an offset is UTC. Times must rise within a series. A step starts at the row's
// time, rounded to the grid that the first row sets; [NamedSeries.Timestamp] returns what the file
// has. An empty value, NaN and a missing row are gaps.
//
// ReadCSV fails with a [*RowError] at the first row that cannot be used.
func ReadCSV(r io.Reader, opts CSVOptions) ([]NamedSeries, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	in := csv.NewReader(r)
	in.FieldsPerRecord = -1 // counted here, for a better message
	in.ReuseRecord = true
	rows, err := readRows(in)
	if err != nil {
		return nil, err
	}
	left := maxSteps
	out := make([]NamedSeries, 0, len(rows))
	for _, s := range rows {
		named, err := s.series(opts.Step, left)
		if err != nil {
			return nil, err
		}
		left -= len(named.Series.Values)
		out = append(out, named)
	}
	return out, nil
}

// rawSeries is the rows of one series in the file.
type rawSeries struct {
	name string
	rows []rawRow
}

type rawRow struct {
	line  int
	text  string // of the timestamp
	stamp stamp
	value float64
}

func readRows(in *csv.Reader) ([]*rawSeries, error) {
	columns, err := readHeader(in)
	if err != nil {
		return nil, err
	}
	var (
		all    []*rawSeries
		byName = map[string]*rawSeries{}
		clock  stampParser
	)
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, csvError(err)
		}
		line, _ := in.FieldPos(0)
		if len(record) != columns {
			return nil, &RowError{line, fmt.Sprintf("%d fields, but the header has %d", len(record), columns)}
		}
		row := rawRow{line: line, text: strings.TrimSpace(record[columns-2])}
		if row.stamp, err = clock.parse(row.text); err != nil {
			return nil, &RowError{line, err.Error()}
		}
		if row.value, err = parseValue(record[columns-1]); err != nil {
			return nil, &RowError{line, err.Error()}
		}
		name := ""
		if columns == 3 {
			name = strings.TrimSpace(record[0])
		}
		s := byName[name]
		if s == nil {
			s = &rawSeries{name: strings.Clone(name)}
			byName[s.name] = s
			all = append(all, s)
		}
		if err := s.append(row); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no rows after the header: at least one is needed")
	}
	return all, nil
}

const wantHeader = `the header must be "timestamp,value" or "series,timestamp,value"`

// readHeader returns the number of columns: 2, or 3 with a series column.
func readHeader(in *csv.Reader) (int, error) {
	record, err := in.Read()
	if errors.Is(err, io.EOF) {
		return 0, errors.New("the file is empty: " + wantHeader)
	}
	if err != nil {
		return 0, csvError(err)
	}
	line, _ := in.FieldPos(0)
	names := make([]string, len(record))
	for i, f := range record {
		names[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(f, "\ufeff")))
	}
	plain, several := []string{"timestamp", "value"}, []string{"series", "timestamp", "value"}
	if slices.Equal(names, plain) || slices.Equal(names, several) {
		return len(names), nil
	}
	got := abridge(strings.Join(record, ","))
	return 0, &RowError{line, fmt.Sprintf("%s, separated by commas, not %q", wantHeader, got)}
}

func csvError(err error) error {
	if pe, ok := errors.AsType[*csv.ParseError](err); ok {
		return &RowError{pe.Line, "not CSV: " + pe.Err.Error()}
	}
	return err
}

func parseValue(field string) (float64, error) {
	field = strings.TrimSpace(field)
	if field == "" {
		return math.NaN(), nil
	}
	v, err := strconv.ParseFloat(field, 64)
	switch {
	case err != nil || math.IsInf(v, 0):
		return 0, fmt.Errorf("value %q is not a finite number: write a plain number, or leave it empty for a gap",
			abridge(field))
	case math.Abs(v) > maxValue:
		return 0, fmt.Errorf("value %q is beyond ±%.0g: use a larger unit", abridge(field), float64(maxValue))
	case v < 0:
		return 0, fmt.Errorf("value %q is negative, and demand never is: leave it empty for a gap",
			abridge(field))
	}
	return v, nil
}

func (s *rawSeries) append(row rawRow) error {
	if n := len(s.rows); n > 0 {
		last := s.rows[n-1]
		of := ""
		if s.name != "" {
			of = fmt.Sprintf(" of series %q", abridge(s.name))
		}
		switch {
		case row.stamp.t.Equal(last.stamp.t):
			return &RowError{row.line, fmt.Sprintf("timestamp %s%s was already on line %d: keep one row per time "+
				"(where a local clock was set back, write the UTC offset)", row.text, of, last.line)}
		case row.stamp.t.Before(last.stamp.t):
			return &RowError{row.line, fmt.Sprintf("timestamp %s%s is before %s on line %d: sort the rows by time",
				row.text, of, last.text, last.line)}
		}
	}
	s.rows = append(s.rows, row)
	return nil
}

// series puts the rows on their grid. It makes at most maxSteps steps.
func (s *rawSeries) series(step time.Duration, maxSteps int) (NamedSeries, error) {
	first, last := s.rows[0], s.rows[len(s.rows)-1]
	if step == 0 {
		if step = commonDifference(s.rows); step == 0 {
			return NamedSeries{}, &RowError{first.line, "a series of one row has no step of its own: give the step"}
		}
	}
	if err := checkSpan(first, last, step, maxSteps); err != nil {
		return NamedSeries{}, err
	}
	n := NamedSeries{
		Name: s.name, first: first.stamp,
		Series: Series{Start: FloorTo(first.stamp.t, step), Step: step},
	}
	before := rawRow{}
	for i, row := range s.rows {
		at := nearest(row.stamp.t.Sub(first.stamp.t), step)
		if i > 0 && at < len(n.Series.Values) {
			return NamedSeries{}, &RowError{row.line, fmt.Sprintf("%s falls into the same step of %s as %s on line "+
				"%d: give a shorter step, or one row per step", row.text, step, before.text, before.line)}
		}
		n.Series.Values = append(n.Series.Values, gaps(at-len(n.Series.Values))...)
		n.Series.Values = append(n.Series.Values, row.value)
		n.stamps = append(n.stamps, make([]string, at-len(n.stamps))...)
		n.stamps = append(n.stamps, row.text)
		before = row
	}
	return n, nil
}

// checkSpan checks the step of a series, and the number of steps from its first row to its last.
func checkSpan(first, last rawRow, step time.Duration, maxSteps int) error {
	if step < minStep {
		return &RowError{first.line, fmt.Sprintf("rows are %s apart, and demand comes in steps of at least %s: sum or "+
			"average the rows of a second, or give a longer step", step, minStep)}
	}
	if step > maxStep {
		return &RowError{last.line, fmt.Sprintf("rows are more than a year apart: check %s and %s on line %d",
			last.text, first.text, first.line)}
	}
	if steps := last.stamp.t.Sub(first.stamp.t) / step; int64(steps) >= int64(maxSteps) {
		return &RowError{last.line, fmt.Sprintf("%s is %d steps of %s after %s on line %d, more than a file may have: "+
			"check both times, or give a longer step", last.text, int64(steps), step, first.text, first.line)}
	}
	return nil
}

// nearest returns how many steps come closest to d, the higher number of two.
func nearest(d, step time.Duration) int {
	n, remainder := d/step, d%step
	if remainder >= step-remainder {
		n++
	}
	return int(n)
}

// commonDifference returns the most common difference between neighbouring rows, the smaller one of
// equals; 0 for a single row.
func commonDifference(rows []rawRow) time.Duration {
	counts := map[time.Duration]int{}
	for i := 1; i < len(rows); i++ {
		counts[rows[i].stamp.t.Sub(rows[i-1].stamp.t)]++
	}
	var best time.Duration
	for d, n := range counts {
		if n > counts[best] || n == counts[best] && d < best {
			best = d
		}
	}
	return best
}

// abridge returns the first 60 bytes of a text, so that a message stays short.
func abridge(s string) string { return abridgeTo(s, 60) }
