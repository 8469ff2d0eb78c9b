package csvfile

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// dayOrder says which part of a date such as 03/04/2026 is the day.
type dayOrder int

const (
	unknownOrder dayOrder = iota
	dayFirst
	monthFirst
)

func (o dayOrder) String() string {
	if o == dayFirst {
		return "the day first"
	}
	return "the month first"
}

// slashedDate is a date whose year comes last, and the time after it.
var slashedDate = regexp.MustCompile(`^([0-9]{1,2})([/-])([0-9]{1,2})([/-])([0-9]{2,4})(.*)$`)

// clocks are the forms of the time after such a date.
var clocks = [...]string{
	" 15:04:05", " 15:04", "", " 3:04:05 PM", " 3:04 PM", ", 15:04:05", ", 3:04:05 PM", " 3:04:05 pm", " 3:04 pm",
}

// slashedParser reads dates such as 03/16/2026. A date with a day above 12 tells for the whole file
// which part is the day. Those before it wait.
type slashedParser struct {
	order dayOrder
	text  string // of the date that told
	waits bool   // whether some dates wait
}

// parse reads a time. While the order is not known, it takes the month to be first. It reports false
// for a text that is no such date.
func (p *slashedParser) parse(text string) (stamp, bool, error) {
	part := slashedDate.FindStringSubmatch(text)
	if part == nil {
		return stamp{}, false, nil
	}
	if len(part[5]) != 4 {
		return stamp{}, true, fmt.Errorf("timestamp %q has no year of four digits: write it as 2006-01-02T15:04:05Z",
			abridge(text))
	}
	order := p.order
	a, _ := strconv.Atoi(part[1]) // digits
	b, _ := strconv.Atoi(part[3])
	switch {
	case a > 12 && b <= 12:
		order = dayFirst
	case b > 12 && a <= 12:
		order = monthFirst
	case order == unknownOrder:
		p.waits = true
		return slashed(part, monthFirst, text)
	}
	if p.order == unknownOrder {
		p.order, p.text = order, strings.Clone(text)
	}
	if order != p.order {
		return stamp{}, true, fmt.Errorf("timestamp %q has %s, and %q before it %s: write it as 2006-01-02T15:04:05Z",
			abridge(text), order, abridge(p.text), p.order)
	}
	return slashed(part, order, text)
}

// slashed reads a date of a known order.
func slashed(part []string, order dayOrder, text string) (stamp, bool, error) {
	day, month := "2", "1"
	if len(part[1]) == 2 && len(part[3]) == 2 {
		day, month = "02", "01"
	}
	layout := month + part[2] + day + part[4] + "2006"
	if order == dayFirst {
		layout = day + part[2] + month + part[4] + "2006"
	}
	for _, clock := range clocks {
		if t, err := time.Parse(layout+clock, text); err == nil {
			return stamp{t, layout + clock}, true, nil
		}
	}
	return stamp{}, false, nil
}

// finish reads the dates that waited. It fails where no date tells the order.
func (p *slashedParser) finish(all []*rawSeries) error {
	if !p.waits || p.order == monthFirst {
		return nil // the month was taken to be first
	}
	var first rawRow
	for _, s := range all {
		for i, row := range s.rows {
			part := slashedDate.FindStringSubmatch(row.text)
			if part == nil {
				continue
			}
			if first.line == 0 || row.line < first.line {
				first = row
			}
			if p.order == dayFirst {
				s.rows[i].stamp, _, _ = slashed(part, dayFirst, row.text) // both parts are at most 12, or it was so read
			}
		}
	}
	if p.order == unknownOrder && first.line > 0 { // none is from a row above the header
		return &RowError{first.line, fmt.Sprintf("timestamp %q does not say which is the day and which is the month, and no "+
			"other row does: write it as 2006-01-02T15:04:05Z", abridge(first.text))}
	}
	return nil
}
