package csvfile

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// readHeader reads up to the header and sets the columns. Where no row has names that are known, the
// header is the row of labels, or else the first row, and it ends before the first row that begins
// with a time. readHeader returns that row, because it has values already.
func (c *reader) readHeader() (first []string, err error) {
	var names preamble
	for range maxPreamble {
		record, err := c.in.Read()
		switch {
		case errors.Is(err, io.EOF) && names.line == 0:
			return nil, errors.New("the file is empty: " + wantHeader)
		case errors.Is(err, io.EOF):
			return nil, names.err()
		case err != nil:
			return nil, err
		}
		if found, ok := findColumns(record); ok {
			c.columns = found
			return nil, nil
		}
		line, _ := c.in.FieldPos(0)
		if at, err := c.clock.parse(strings.TrimSpace(record[0])); err == nil {
			if found, ok := headless(record, at); ok && names.line == 0 {
				c.columns = found
				return record, nil
			}
			found, ok := names.columnsOf(record)
			if ok && (names.isLabels || !at.isNumber()) {
				c.columns = found
				return record, nil
			}
			names.add(record, line)
			return nil, names.err() // a number may be anything below a name that is not known
		}
		names.add(record, line)
	}
	return nil, names.err()
}

// headless returns the columns of a file without a header whose first row this is: a time, and a
// number.
func headless(record []string, at stamp) (columns, bool) {
	width := len(record)
	for width > 0 && strings.TrimSpace(record[width-1]) == "" {
		width--
	}
	year := at.t.Year()
	if width != 2 || at.layout == serialDays || at.isNumber() && (year < 2000 || year > 2100) {
		return columns{}, false
	}
	_, err := strconv.ParseFloat(strings.TrimSpace(record[1]), 64)
	return columns{width: 2, series: -1, values: []valueColumn{{index: 1}}}, err == nil
}

// preamble has what the rows before the first row of values say about its columns.
type preamble struct {
	line   int    // of the first row that says nothing known, or else of the first row
	text   string // of that row
	known  bool   // whether all rows so far are known to come before a header
	labels []string
	// isLabels is set where labels are known to be labels, and are not just the first row.
	isLabels bool
}

// add takes a row into account that is neither a header nor has values.
func (p *preamble) add(record []string, line int) {
	name := clean(record[0])
	known := strings.HasPrefix(name, "sep=") || slices.Contains(preambleNames, name)
	if p.line == 0 || p.known && !known {
		p.line, p.text, p.known = line, strings.Join(record, ","), known
	}
	switch {
	case name == "label", name == "full label" && !p.isLabels:
		p.labels, p.isLabels = slices.Clone(record), true
	case p.labels == nil && !strings.HasPrefix(name, "sep="):
		p.labels = slices.Clone(record)
	}
}

// columnsOf returns the columns of a row whose first column has the time, and whose others are named
// by the labels. It reports false where there are no labels, or fewer.
func (p *preamble) columnsOf(record []string) (columns, bool) {
	c := columns{width: len(p.labels), series: -1}
	for c.width > 0 && strings.TrimSpace(p.labels[c.width-1]) == "" {
		c.width--
	}
	if c.width < 2 || len(record) < 2 || len(record) > len(p.labels) {
		return columns{}, false
	}
	for i, name := range p.labels[1:c.width] {
		if !slices.Contains(ignoredNames, clean(name)) {
			c.values = append(c.values, valueColumn{i + 1, strings.TrimSpace(name)})
		}
	}
	if len(c.values) == 1 {
		c.values[0].name = ""
	}
	return c, len(c.values) > 0
}

// err says which row should be a header.
func (p *preamble) err() error {
	return &RowError{p.line, fmt.Sprintf("%s, separated by commas, semicolons or tabs, not %q",
		wantHeader, abridge(p.text))}
}
