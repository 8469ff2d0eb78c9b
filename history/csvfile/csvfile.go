// Package csvfile reads demand series from CSV files, as people write them and as dashboards export
// them.
//
// A row stamped t is the step that begins at t. Nothing here fills or smooths: gaps stay gaps.
package csvfile

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
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
	// roundingError is how far below zero a sum of floats may fall that should have been zero.
	roundingError = 1e-9
)

// Options say how to read a CSV file.
type Options struct {
	// Step is the length of a step. When it is zero, it is inferred for each series from the
	// differences between neighbouring rows.
	Step time.Duration
}

func (o Options) validate() error {
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

// Read reads the series of a CSV file, in the order of their first rows. The header is
// "timestamp,value" or "series,timestamp,value", or what dashboards export: a column of times, and
// one column for each series. Columns are separated by commas, semicolons or tabs.
//
// Timestamps are RFC 3339. Other ISO 8601 forms, and Unix seconds, milliseconds, microseconds or
// nanoseconds, are understood; a timestamp without an offset is UTC. A date such as 03/04/2026 is
// read where another row of the file tells which part is the day. A file of times and values needs
// no header. Rows may have any order. A
// step starts at the row's time, rounded to the grid of the rows. Where times jitter, this grid is
// that of whole steps. [NamedSeries.Timestamp] returns what the file has. An empty value, NaN and a
// missing row are gaps.
//
// Read fails with a [*RowError] at the first row that cannot be used.
func Read(r io.Reader, opts Options) ([]NamedSeries, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	text := withLineFeeds(bufio.NewReaderSize(decodeText(r), sniffBytes))
	in := csv.NewReader(text)
	in.Comma = sniffSeparator(text)
	in.Comment = '#'
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

// reader collects the rows of a file.
type reader struct {
	in      *csv.Reader
	columns columns
	all     []*rawSeries
	byName  map[string]*rawSeries
	clock   stampParser
	numbers numberParser
}

func readRows(in *csv.Reader) ([]*rawSeries, error) {
	c := reader{in: in, byName: map[string]*rawSeries{}}
	record, err := c.readHeader()
	for ; err == nil; record, err = in.Read() {
		if record == nil { // the header was a row of names
			continue
		}
		if err := c.add(record); err != nil {
			return nil, err
		}
	}
	if !errors.Is(err, io.EOF) {
		return nil, parseError(err)
	}
	if len(c.all) == 0 {
		return nil, errors.New("no rows after the header: at least one is needed")
	}
	if err := c.numbers.finish(); err != nil {
		return nil, err
	}
	if err := c.clock.slashed.finish(c.all); err != nil {
		return nil, err
	}
	for _, s := range c.all {
		if err := s.sort(); err != nil {
			return nil, err
		}
	}
	return c.all, nil
}

// add adds one row of the file: a time, and one value for each of its series.
func (c *reader) add(record []string) error {
	line, _ := c.in.FieldPos(0)
	width := c.columns.width
	for len(record) > width && strings.TrimSpace(record[len(record)-1]) == "" {
		record = record[:len(record)-1] // some programs end a row with a separator
	}
	if len(record) != width {
		return &RowError{line, fmt.Sprintf("%d fields, but the header has %d", len(record), width)}
	}
	if name := c.columns.timeName; name != "" && record[c.columns.time] == name {
		return nil // the header again, where files were put together
	}
	row := rawRow{line: line, text: strings.TrimSpace(record[c.columns.time])}
	var err error
	if row.stamp, err = c.clock.parse(row.text); err != nil {
		return &RowError{line, err.Error()}
	}
	for _, column := range c.columns.values {
		name := column.name
		if c.columns.series >= 0 {
			name = strings.TrimSpace(record[c.columns.series])
		}
		s := c.byName[name]
		if s == nil {
			s = &rawSeries{name: strings.Clone(name)}
			c.byName[s.name] = s
			c.all = append(c.all, s)
		}
		if row.value, err = c.numbers.parse(record[column.index], place{s, len(s.rows), line}); err != nil {
			return &RowError{line, err.Error()}
		}
		s.rows = append(s.rows, row)
	}
	return nil
}

func parseError(err error) error {
	if pe, ok := errors.AsType[*csv.ParseError](err); ok {
		return &RowError{pe.Line, "not CSV: " + pe.Err.Error()}
	}
	return err
}

// abridge returns the first 60 bytes of a text, so that a message stays short.
func abridge(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
