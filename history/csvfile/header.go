package csvfile

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf16"
)

const (
	// sniffBytes is how much of a file is looked at to find out how columns are separated.
	sniffBytes = 1 << 16
	// maxPreamble is how many rows may come before the header, or before the rows of a file whose
	// header is written as rows of names.
	maxPreamble = 64
)

// columns say where in a row the time, the name of the series and the values are.
type columns struct {
	width  int
	time   int
	series int // -1 for none
	values []valueColumn
}

// valueColumn is a column of values. name is empty where it is the only one.
type valueColumn struct {
	index int
	name  string
}

var (
	timeNames = []string{
		"timestamp", "time", "date", "datetime", "date time", "date/time", "ts", "_time", "@timestamp", "time stamp",
		"datapoint", "epoch", "unix", "unixtime", "timestamp_ms", "time_ms", "timeepoch", "period start",
	}
	seriesNames = []string{"series", "metric", "metric name", "name", "target", "label", "full label", "group"}
	valueNames  = []string{"value", "values", "_value", "metric value"}
	// ignoredNames say nothing about demand.
	ignoredNames = []string{"", "unit", "units", "result", "table", "_start", "_stop"}
	// preambleNames begin the rows that CloudWatch writes before the values.
	preambleNames = []string{
		"full label", "label", "id", "period", "statistic", "stat", "unit", "namespace", "metric name", "metricname",
		"account", "account id", "region", "dimensions", "start", "start time", "end", "end time", "expression", "title",
	}
)

const wantHeader = `the header must be "timestamp,value" or "series,timestamp,value", or a column of times and one ` +
	`column for each series`

// clean returns a name of a header in lower case, without what surrounds it.
func clean(name string) string {
	name = strings.ToLower(strings.Trim(strings.TrimPrefix(name, "\ufeff"), " \t\""))
	if before, _, ok := strings.Cut(name, "("); ok && !slices.Contains(timeNames, name) {
		if trimmed := strings.TrimSpace(before); slices.Contains(timeNames, trimmed) {
			return trimmed // as in "Time (UTC)"
		}
	}
	return name
}

// findColumns reads a header. It reports false for what is none.
//
//nolint:gocyclo // one case for each form of header
func findColumns(record []string) (columns, bool) {
	for len(record) > 0 && clean(record[len(record)-1]) == "" {
		record = record[:len(record)-1]
	}
	c := columns{width: len(record), time: -1, series: -1}
	var others []valueColumn
	named := -1
	for i, text := range record {
		name := clean(text)
		switch {
		case c.time < 0 && slices.Contains(timeNames, name):
			c.time = i
		case c.series < 0 && slices.Contains(seriesNames, name):
			c.series = i
		case named < 0 && slices.Contains(valueNames, name):
			named = i
		case !slices.Contains(ignoredNames, name):
			others = append(others, valueColumn{i, strings.TrimSpace(strings.Clone(text))})
		}
	}
	switch {
	case c.time < 0:
		return columns{}, false
	case named >= 0:
		c.values = []valueColumn{{index: named}}
	case len(others) == 1:
		c.values = []valueColumn{{index: others[0].index}}
	case len(others) > 1 && c.series < 0:
		c.values = others
	case c.series >= 0 && len(others) == 0: // one series that is called "name", for example
		c.values, c.series = []valueColumn{{index: c.series}}, -1
	default:
		return columns{}, false
	}
	return c, true
}

// sniffSeparator finds out how columns are separated: by the first line that is a header with one
// of the separators, or that names its separator, as in "sep=;".
func sniffSeparator(r *bufio.Reader) rune {
	head, _ := r.Peek(sniffBytes) // an error is one of reading, which the next read has again
	separators := []rune{',', ';', '\t', '|'}
	counts := map[rune]int{}
	lines := 0
	for line := range strings.Lines(string(head)) {
		line = strings.TrimRight(strings.TrimPrefix(line, "\ufeff"), "\r\n")
		if named, ok := strings.CutPrefix(strings.Trim(line, `"`), "sep="); ok && len(named) == 1 {
			return rune(named[0])
		}
		for _, separator := range separators {
			in := csv.NewReader(strings.NewReader(line))
			in.Comma, in.LazyQuotes = separator, true
			record, err := in.Read()
			if err != nil {
				continue
			}
			if _, ok := findColumns(record); ok {
				return separator
			}
			counts[separator] += len(record) - 1
		}
		if lines++; lines == maxPreamble {
			break
		}
	}
	best := ','
	for _, separator := range separators {
		if counts[separator] > counts[best] {
			best = separator
		}
	}
	return best
}

// readHeader reads up to the header and sets the columns. It returns the first row of values where
// it had to read that too: after a preamble of rows such as "Label,RequestCount".
//
//nolint:gocyclo // one case for each form of header
func (c *reader) readHeader() (first []string, err error) {
	var labels []string
	for n := 0; ; n++ {
		record, err := c.in.Read()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the file is empty: " + wantHeader)
		}
		if err != nil {
			return nil, err
		}
		line, _ := c.in.FieldPos(0)
		name := clean(record[0])
		known := n < maxPreamble && (strings.HasPrefix(name, "sep=") || slices.Contains(preambleNames, name))
		if found, ok := findColumns(record); ok {
			c.columns = found
			return nil, nil
		}
		if name == "label" || name == "full label" && labels == nil {
			labels = slices.Clone(record)
		}
		if labels != nil && !known && len(record) >= 2 && len(record) <= len(labels) {
			if _, err := c.clock.parse(strings.TrimSpace(record[0])); err == nil {
				c.columns = labelled(labels)
				return record, nil
			}
		}
		if !known {
			return nil, &RowError{line, fmt.Sprintf("%s, separated by commas, semicolons or tabs, not %q",
				wantHeader, abridge(strings.Join(record, ",")))}
		}
	}
}

// labelled returns the columns of a file whose first column has the times, and whose others are
// named by a row of labels.
func labelled(labels []string) columns {
	c := columns{width: len(labels), series: -1}
	for i, name := range labels[1:] {
		c.values = append(c.values, valueColumn{i + 1, strings.TrimSpace(name)})
	}
	if len(c.values) == 1 {
		c.values[0].name = ""
	}
	return c
}

// decodeText returns a text in UTF-8 without a byte order mark. Spreadsheets write UTF-16, with a
// byte order mark.
func decodeText(r io.Reader) io.Reader {
	in := bufio.NewReader(r)
	mark, _ := in.Peek(3)
	switch {
	case strings.HasPrefix(string(mark), "\xff\xfe"):
		_, _ = in.Discard(2)
		return &utf16Reader{in: in, low: 0}
	case strings.HasPrefix(string(mark), "\xfe\xff"):
		_, _ = in.Discard(2)
		return &utf16Reader{in: in, low: 1}
	case string(mark) == "\xef\xbb\xbf":
		_, _ = in.Discard(3)
	}
	return in
}

// utf16Reader turns UTF-16 into UTF-8.
type utf16Reader struct {
	in   *bufio.Reader
	low  int // where in a pair of bytes the low one is
	out  []byte
	err  error
	half rune // the first half of a surrogate pair; 0 for none
}

// Read implements io.Reader.
func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.out) < len(p) && u.err == nil {
		var pair [2]byte
		if _, u.err = io.ReadFull(u.in, pair[:]); u.err != nil {
			if errors.Is(u.err, io.ErrUnexpectedEOF) {
				u.err = io.EOF
			}
			break
		}
		c := rune(pair[u.low]) | rune(pair[1-u.low])<<8
		switch {
		case u.half != 0:
			u.out = append(u.out, string(utf16.DecodeRune(u.half, c))...)
			u.half = 0
		case utf16.IsSurrogate(c):
			u.half = c
		default:
			u.out = append(u.out, string(c)...)
		}
	}
	n := copy(p, u.out)
	u.out = u.out[n:]
	if n == 0 && len(p) > 0 {
		return 0, u.err
	}
	return n, nil
}
