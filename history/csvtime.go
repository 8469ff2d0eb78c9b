package history

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// NamedSeries is one series of a CSV file.
type NamedSeries struct {
	// Name is the value of the series column; "" for a file without one.
	Name string
	// Series is the demand.
	Series Series

	first  stamp    // the first row's time
	stamps []string // the file's own timestamps; "" for a row that is missing
}

// Timestamp returns the timestamp of step i as the file writes it. When the file has no row for the
// step, Timestamp writes it in the form and the zone of the first row.
func (n NamedSeries) Timestamp(i int) string {
	if i >= 0 && i < len(n.stamps) && n.stamps[i] != "" {
		return n.stamps[i]
	}
	return n.first.format(n.first.t.Add(time.Duration(i) * n.Series.Step))
}

// OpenCSV reads the series of a CSV file, plain or gzipped; see [ReadCSV].
func OpenCSV(path string, opts CSVOptions) ([]NamedSeries, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading demand: %w", err)
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<16)
	var r io.Reader = in
	// The content decides, not the name, so that a renamed file can be read.
	if magic, _ := in.Peek(2); string(magic) == "\x1f\x8b" {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("reading demand from %s: %w", path, err)
		}
		r = z
	}
	all, err := ReadCSV(r, opts)
	if err != nil {
		return nil, fmt.Errorf("reading demand from %s: %w", path, err)
	}
	return all, nil
}

// stamp is an instant and the layout it was written in: one of layouts, or a unix form.
type stamp struct {
	t      time.Time
	layout string
}

const (
	unixSeconds = "unix seconds"
	unixMillis  = "unix milliseconds"
)

// layouts are tried in this order. The ones without an offset mean UTC.
var layouts = [...]string{
	time.RFC3339,
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05 -0700",
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05",
	"2006-01-02T15:04",
	"2006-01-02 15:04",
	"2006-01-02",
}

// format writes t as s was written.
func (s stamp) format(t time.Time) string {
	switch s.layout {
	case unixSeconds:
		return strconv.FormatInt(t.Unix(), 10)
	case unixMillis:
		return strconv.FormatInt(t.UnixMilli(), 10)
	}
	return t.In(s.t.Location()).Format(s.layout)
}

// stampParser reads timestamps. It remembers the last layout that fitted, as the next row has the
// same.
type stampParser struct{ layout string }

func (p *stampParser) parse(text string) (stamp, error) {
	if text == "" {
		return stamp{}, errors.New("the timestamp is empty: write it as 2006-01-02T15:04:05Z")
	}
	s, ok := parseUnix(text)
	if !ok {
		s, ok = p.parseDate(text)
	}
	if !ok {
		return stamp{}, fmt.Errorf("timestamp %q is not a time: write it as 2006-01-02T15:04:05Z", abridge(text))
	}
	// The difference of times that are further apart overflows a time.Duration.
	if y := s.t.UTC().Year(); y < 1900 || y > 2190 {
		return stamp{}, fmt.Errorf("timestamp %q is not between the years 1900 and 2190", abridge(text))
	}
	return s, nil
}

func (p *stampParser) parseDate(text string) (stamp, bool) {
	if p.layout != "" {
		if t, err := time.Parse(p.layout, text); err == nil {
			return stamp{t, p.layout}, true
		}
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			p.layout = layout
			return stamp{t, layout}, true
		}
	}
	return stamp{}, false
}

// parseUnix reads a Unix time. Nine to 11 digits are seconds, with or without a fraction; 12 to 14
// are milliseconds.
func parseUnix(text string) (stamp, bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	if len(whole) < 9 || len(whole) > 14 || strings.Trim(whole+fraction, "0123456789") != "" {
		return stamp{}, false
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return stamp{}, false
	}
	if len(whole) > 11 {
		return stamp{time.UnixMilli(n).UTC(), unixMillis}, fraction == ""
	}
	nanos, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	if err != nil {
		return stamp{}, false
	}
	return stamp{time.Unix(n, nanos).UTC(), unixSeconds}, true
}
