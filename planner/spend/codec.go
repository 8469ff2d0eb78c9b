package spend

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	// digits is how many significant digits of a figure a record keeps.
	digits = 6
	// maxAhead is how far the clock of another process may have been ahead.
	maxAhead = time.Hour
)

// Record is the state of a Ledger, for storage.
type Record struct {
	// Since is the beginning of the first period, and Until the newest step that was counted.
	Since, Until time.Time
	// Text has the service level, what each Keep would have covered, and one word for each period.
	Text string
}

// Record returns what was counted, in the form for storage. Its Text is empty where that is
// nothing. The lead window under way is left out.
func (l *Ledger) Record() Record {
	if len(l.periods) == 0 {
		return Record{}
	}
	words := []string{strconv.FormatFloat(l.level, 'g', -1, 64), join(l.reach.values())}
	for i := range l.periods {
		words = append(words, join(l.periods[i].values()))
	}
	since := time.Unix(l.first*int64(periodLength/time.Second), 0).UTC()
	return Record{Since: since, Until: l.until, Text: strings.Join(words, " ")}
}

// Restore returns a Ledger that continues from a Record. It returns an error if the record is not
// valid, or is of a time after now.
func Restore(r Record, now time.Time) (*Ledger, error) {
	words := strings.Fields(r.Text)
	if len(words) < 3 || len(words) > 2+maxPeriods {
		return nil, fmt.Errorf("spend: the record has %d words, want from 3 to %d", len(words), 2+maxPeriods)
	}
	l := &Ledger{first: periodOf(r.Since), until: r.Until, periods: make([]period, len(words)-2)}
	var err error
	if l.level, err = strconv.ParseFloat(words[0], 64); err != nil || !(l.level > 0 && l.level < 1) {
		return nil, fmt.Errorf("spend: the record has the service level %q, want one between 0 and 1", words[0])
	}
	if err := parse(words[1], l.reach.values()); err != nil {
		return nil, err
	}
	for i, word := range words[2:] {
		if err := parse(word, l.periods[i].values()); err != nil {
			return nil, err
		}
	}
	if n := periodOf(r.Until) - l.first; n != int64(len(l.periods)-1) || r.Until.After(now.Add(maxAhead)) {
		return nil, errors.New("spend: the record does not end with its newest step, or ends in the future")
	}
	return l, nil
}

// values returns the figures of a period in the order of a record.
func (p *period) values() []*float64 {
	return []*float64{&p.hours, &p.asked, &p.reactive, &p.full, &p.expected}
}

// values returns the counts in the order of a record.
func (r *reach) values() []*float64 {
	out := []*float64{&r.never, &r.observed}
	for i := range r.needed {
		out = append(out, &r.needed[i])
	}
	return out
}

func join(values []*float64) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = strconv.FormatFloat(*v, 'g', digits, 64)
	}
	return strings.Join(parts, "/")
}

// maxFigure bounds what a record may hold, so that no sum of figures overflows.
const maxFigure = 1e15

func parse(word string, into []*float64) error {
	parts := strings.Split(word, "/")
	if len(parts) != len(into) {
		return fmt.Errorf("spend: the record has %d figures where %d belong", len(parts), len(into))
	}
	for i, part := range parts {
		v, err := strconv.ParseFloat(part, 64)
		if err != nil || math.IsNaN(v) || v < 0 || v > maxFigure {
			return fmt.Errorf("spend: the record has %q where a figure from 0 to %g belongs", part, maxFigure)
		}
		*into[i] = v
	}
	return nil
}
