package csvfile

import (
	"bufio"
	"encoding/csv"
	"slices"
	"strings"
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
	// timeName is the name of the column of times, as the header has it.
	timeName string
}

// valueColumn is a column of values. name is empty where it is the only one.
type valueColumn struct {
	index int
	name  string
}

var (
	timeNames = []string{
		"timestamp", "time", "date", "datetime", "date time", "date/time", "ts", "_time", "@timestamp", "time stamp",
		"datapoint", "epoch", "unix", "unixtime", "timestamp_ms", "time_ms", "timeepoch", "period start", "timegenerated",
	}
	seriesNames = []string{"series", "metric", "metric name", "name", "target", "label", "full label", "group", "scope"}
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
	if i := strings.IndexAny(name, "(["); i >= 0 {
		if trimmed := strings.TrimSpace(name[:i]); slices.Contains(timeNames, trimmed) {
			return trimmed // as in "Time (UTC)"
		}
	}
	return name
}

// findColumns reads a header. It reports false for what is none.
func findColumns(record []string) (columns, bool) {
	for len(record) > 0 && clean(record[len(record)-1]) == "" {
		record = record[:len(record)-1]
	}
	c := columns{width: len(record), time: -1, series: -1}
	value := -1 // the column that is named as the one of values
	var others []valueColumn
	for i, text := range record {
		name := clean(text)
		switch {
		case c.time < 0 && slices.Contains(timeNames, name):
			c.time = i
			c.timeName = strings.Clone(text)
		case c.series < 0 && slices.Contains(seriesNames, name):
			c.series = i
		case value < 0 && slices.Contains(valueNames, name):
			value = i
		case !slices.Contains(ignoredNames, name):
			others = append(others, valueColumn{i, strings.TrimSpace(strings.Clone(text))})
		}
	}
	return c, c.time >= 0 && c.chooseValues(value, others)
}

// chooseValues sets the columns of values: the one that is named so, or else the others. It reports
// false where there is none, or where it is not clear which series a column belongs to.
func (c *columns) chooseValues(value int, others []valueColumn) bool {
	switch {
	case value >= 0:
		c.values = []valueColumn{{index: value}}
	case len(others) == 1:
		c.values = []valueColumn{{index: others[0].index}}
	case len(others) > 1 && c.series < 0:
		c.values = others
	case c.series >= 0 && len(others) == 0: // one series that is called "name", for example
		c.values, c.series = []valueColumn{{index: c.series}}, -1
	default:
		return false
	}
	return true
}

// sniffSeparator finds out how columns are separated: by the first line that is a header with one
// of the separators, or that names its separator, as in "sep=;".
func sniffSeparator(r *bufio.Reader) rune {
	head, _ := r.Peek(sniffBytes) // an error is one of reading, which the next read has again
	separators := []rune{',', ';', '\t', '|'}
	alike := map[rune]int{}  // lines with as many fields as the one before
	fields := map[rune]int{} // of the line before
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
			if n := len(record); n > 1 && n == fields[separator] {
				alike[separator]++
			}
			fields[separator] = len(record)
		}
		if lines++; lines == maxPreamble {
			break
		}
	}
	best := ','
	for _, separator := range separators {
		if alike[separator] > alike[best] {
			best = separator
		}
	}
	return best
}
