package csvfile

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// gapTexts are what programs write where there is no value.
var gapTexts = []string{"", "nan", "null", "none", "na", "n/a", "-", "undefined", "<nil>"}

// place is where a value belongs: a row of a series, and its line.
type place struct {
	series *rawSeries
	row    int
	line   int
}

// numberParser reads values with a decimal point or, where nothing speaks against it, with a
// decimal comma. A value such as "1,234" can mean both 1.234 and 1234. It is kept until another
// value of the file tells which.
type numberParser struct {
	comma  meaning // of a comma
	points int     // the first line with a decimal point; 0 for none
	// doubtful are the values that wait, and doubt is the first one.
	doubtful []place
	doubt    string
	commas   int // the first line with a decimal comma; 0 for none
}

// meaning is what a comma in a number means.
type meaning int

const (
	unknown meaning = iota
	decimal
	thousands
)

// parse reads a value, or what it is if a comma is a decimal one.
func (p *numberParser) parse(field string, at place) (float64, error) {
	field = strings.TrimSpace(field)
	if slices.Contains(gapTexts, strings.ToLower(field)) {
		return math.NaN(), nil
	}
	text := withoutGroups(field)
	if strings.Contains(text, ",") {
		means, plain := meaningOf(text)
		switch {
		case means == unknown && p.comma == unknown:
			if p.doubt == "" {
				p.doubt = field
			}
			p.doubtful = append(p.doubtful, at)
		case means != unknown && p.comma != unknown && means != p.comma:
			return 0, fmt.Errorf("value %q has another form than the ones before it: write plain numbers, such as 1234.5",
				abridge(field))
		case means != unknown:
			p.comma = means
		case p.comma == thousands:
			plain = strings.ReplaceAll(text, ",", "")
		}
		if means == decimal && p.commas == 0 {
			p.commas = at.line
		}
		text = plain
	} else if strings.Contains(text, ".") && p.points == 0 {
		p.points = at.line
	}
	return parseValue(text, field)
}

// meaningOf returns what the commas in a number mean, and the number in plain form. Where that is
// not known, the plain form is that of a decimal comma.
func meaningOf(text string) (meaning, string) {
	whole, fraction, _ := strings.Cut(text, ",")
	lastComma, lastPoint := strings.LastIndex(text, ","), strings.LastIndex(text, ".")
	switch {
	case lastPoint > lastComma || strings.Count(text, ",") > 1 && lastPoint < 0:
		if !grouped(text[:max(lastPoint, 0)], ",") && !grouped(text, ",") {
			return thousands, "?"
		}
		return thousands, strings.ReplaceAll(text, ",", "")
	case lastPoint >= 0:
		if !grouped(whole, ".") {
			return decimal, "?"
		}
		return decimal, strings.ReplaceAll(whole, ".", "") + "." + fraction
	case len(fraction) != 3 || len(whole) > 3 || strings.Trim(whole, "0") == "":
		return decimal, whole + "." + fraction
	}
	return unknown, whole + "." + fraction
}

// groupSeparators are what separates thousands, beside points and commas.
var groupSeparators = []string{" ", "\u00a0", "\u202f", "'", "’"}

// withoutGroups returns a number without separators of thousands that can mean nothing else.
func withoutGroups(text string) string {
	whole := text
	if i := strings.IndexAny(text, ".,"); i >= 0 {
		whole = text[:i]
	}
	for _, separator := range groupSeparators {
		if digits := strings.TrimLeft(whole, "-+"); strings.Contains(digits, separator) && grouped(digits, separator) {
			return strings.ReplaceAll(whole, separator, "") + text[len(whole):]
		}
	}
	return text
}

// grouped reports whether a whole number has a separator before every three digits.
func grouped(text, separator string) bool {
	groups := strings.Split(text, separator)
	for i, g := range groups {
		if i > 0 && len(g) != 3 || len(g) > 3 || g == "" {
			return false
		}
	}
	return true
}

// finish decides about the values that waited. It fails where the file does not tell.
func (p *numberParser) finish() error {
	if p.comma != thousands && p.points > 0 && (p.commas > 0 || len(p.doubtful) > 0) {
		line, other := p.commas, p.points
		if line == 0 {
			line = p.doubtful[0].line
		}
		return &RowError{max(line, other), fmt.Sprintf("this value and the one on line %d have different decimal "+
			"separators: write plain numbers, such as 1234.5", min(line, other))}
	}
	if len(p.doubtful) == 0 || p.comma == decimal {
		return nil
	}
	if p.comma == unknown {
		return &RowError{p.doubtful[0].line, fmt.Sprintf("value %q can mean a thousand times what it says or a fraction: "+
			"write plain numbers, such as 1234.5", abridge(p.doubt))}
	}
	for _, at := range p.doubtful {
		row := &at.series.rows[at.row]
		row.value = math.Round(row.value * 1000)
	}
	return nil
}

// withUnit is a number with a unit or a factor, such as 1.5k or 12 req/s. Exports that have them
// change them from row to row, so they cannot be left out.
var withUnit = regexp.MustCompile(`^[-+]?[0-9][0-9.,]*\s*[^0-9.,\s]`)

// parseValue parses a plain number. field is what the file has.
func parseValue(text, field string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil && !math.IsInf(v, 0) && withUnit.MatchString(field):
		return 0, fmt.Errorf("value %q is not a finite number: write plain numbers without a unit, all in the same one "+
			"(in an export from Grafana, switch \"Formatted data\" off)", abridge(field))
	case err != nil || math.IsInf(v, 0):
		return 0, fmt.Errorf("value %q is not a finite number: write a plain number without a unit, or leave it empty "+
			"for a gap", abridge(field))
	case math.IsNaN(v):
		return math.NaN(), nil
	case math.Abs(v) > maxValue:
		return 0, fmt.Errorf("value %q is beyond ±%.0g: use a larger unit", abridge(field), float64(maxValue))
	case v < -roundingError:
		return 0, fmt.Errorf("value %q is negative, and demand never is: leave it empty for a gap",
			abridge(field))
	}
	return max(v, 0), nil
}
