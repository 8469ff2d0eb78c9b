package csvfile

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"headstart.dev/headstart/history"
)

// NamedSeries is one series of a CSV file.
type NamedSeries struct {
	// Name is the value of the series column; "" for a file without one.
	Name string
	// Series is the demand.
	Series history.Series

	first  stamp    // of step 0, in the form of the first row
	stamps []string // the file's own timestamps; "" for a row that is missing
	lines  []int    // of the rows in the file; 0 for a row that is missing
}

// Line returns the line in the file of the row of step i, counted from 1; 0 when there is none.
func (n NamedSeries) Line(i int) int {
	if i < 0 || i >= len(n.lines) {
		return 0
	}
	return n.lines[i]
}

// Timestamp returns the timestamp of step i as the file writes it. When the file has no row for the
// step, Timestamp writes it in the form and the zone of the first row.
func (n NamedSeries) Timestamp(i int) string {
	if i >= 0 && i < len(n.stamps) && n.stamps[i] != "" {
		return n.stamps[i]
	}
	return n.first.format(n.first.t.Add(time.Duration(i) * n.Series.Step))
}

// Open reads the series of a CSV file, plain or gzipped; see [Read].
func Open(path string, opts Options) ([]NamedSeries, error) {
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
	if magic, _ := in.Peek(4); string(magic) == "PK\x03\x04" {
		return nil, fmt.Errorf("reading demand from %s: it is a ZIP archive or a spreadsheet: "+
			"extract it, or export it as CSV", path)
	}
	all, err := Read(r, opts)
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
	unixMicros  = "unix microseconds"
	unixNanos   = "unix nanoseconds"
	serialDays  = "days of a spreadsheet"
)

// layouts are tried in this order. The ones without an offset mean UTC.
var layouts = [...]string{
	time.RFC3339,
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05 -0700",
	"2006-01-02T15:04:05Z0700",
	"2006-01-02 15:04:05Z0700",
	"2006-01-02 15:04:05 UTC",
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05",
	"2006-01-02T15:04",
	"2006-01-02 15:04",
	"2006-01-02",
	"2006/01/02 15:04:05",
	"2006/01/02 15:04",
	"02.01.2006 15:04:05",
	"02.01.2006 15:04",
	"2.1.2006 15:04:05",
	"2.1.2006 15:04",
	"2.1.2006",
	"20060102T150405Z0700",
	"2006-01-02 03:04:05 PM",
	"Jan 2, 2006 @ 15:04:05",
	"Mon, 02 Jan 2006 15:04:05 GMT",
	"Mon Jan 2 2006 15:04:05 GMT-0700",
}

// isNumber reports whether the instant was written as a number.
func (s stamp) isNumber() bool {
	return slices.Contains([]string{unixSeconds, unixMillis, unixMicros, unixNanos, serialDays}, s.layout)
}

// format writes t as s was written.
func (s stamp) format(t time.Time) string {
	switch s.layout {
	case serialDays:
		days := float64(t.Sub(serialEpoch()).Milliseconds()) / millisPerDay
		return strconv.FormatFloat(math.Round(days*1e10)/1e10, 'f', -1, 64)
	case unixSeconds:
		return strconv.FormatInt(t.Unix(), 10)
	case unixMillis:
		return strconv.FormatInt(t.UnixMilli(), 10)
	case unixMicros:
		return strconv.FormatInt(t.UnixMicro(), 10)
	case unixNanos:
		return strconv.FormatInt(t.UnixNano(), 10)
	}
	return t.In(s.t.Location()).Format(s.layout)
}

// stampParser reads timestamps. It remembers the last layout that fitted, as the next row has the
// same.
type stampParser struct {
	layout  string
	slashed slashedParser
}

func (p *stampParser) parse(text string) (stamp, error) {
	if text == "" {
		return stamp{}, errors.New("the timestamp is empty: write it as 2006-01-02T15:04:05Z")
	}
	s, ok := parseUnix(text)
	if !ok {
		s, ok = parseSerial(text)
	}
	if !ok {
		s, ok = p.parseDate(text)
	}
	if !ok {
		var err error
		if s, ok, err = p.slashed.parse(text); err != nil {
			return stamp{}, err
		}
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
	if before, _, ok := strings.Cut(text, " ("); ok {
		text = before // JavaScript writes the name of the zone behind its offset
	}
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

const millisPerDay = 24 * 60 * 60 * 1000

// serialEpoch is day 0 of spreadsheets.
func serialEpoch() time.Time { return time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC) }

var serial = regexp.MustCompile(`^[3-7][0-9]{4}([.,][0-9]+)?$`)

// parseSerial reads a time as spreadsheets count it: in days since 1899-12-30. It takes the years
// from 1990 to 2099, to the millisecond.
func parseSerial(text string) (stamp, bool) {
	if !serial.MatchString(text) {
		return stamp{}, false
	}
	days, err := strconv.ParseFloat(strings.Replace(text, ",", ".", 1), 64)
	millis := math.Round(days * millisPerDay)
	t := serialEpoch().Add(time.Duration(millis) * time.Millisecond)
	return stamp{t, serialDays}, err == nil && t.Year() >= 1990 && t.Year() < 2100
}

// parseUnix reads a Unix time. Nine to 11 digits are seconds, 12 to 14 are milliseconds, 15 to 17
// microseconds, and 18 or 19 nanoseconds. It may have a fraction, or an exponent.
func parseUnix(text string) (stamp, bool) {
	if strings.ContainsAny(text, "eE") {
		if v, err := strconv.ParseFloat(text, 64); err == nil && v >= 1e8 && v < 1e19 {
			text = strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	whole, fraction, _ := strings.Cut(text, ".")
	if len(whole) < 9 || len(whole) > 19 || strings.Trim(whole+fraction, "0123456789") != "" {
		return stamp{}, false
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return stamp{}, false
	}
	unit, layout := time.Second, unixSeconds
	switch {
	case len(whole) > 17:
		unit, layout = time.Nanosecond, unixNanos
	case len(whole) > 14:
		unit, layout = time.Microsecond, unixMicros
	case len(whole) > 11:
		unit, layout = time.Millisecond, unixMillis
	}
	part, err := strconv.ParseFloat("0."+fraction+"0", 64)
	if err != nil {
		return stamp{}, false
	}
	perSecond := int64(time.Second / unit)
	t := time.Unix(n/perSecond, n%perSecond*int64(unit)+int64(part*float64(unit)+0.5))
	return stamp{t.UTC(), layout}, true
}
