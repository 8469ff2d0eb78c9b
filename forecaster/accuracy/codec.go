package accuracy

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// digits is how many significant digits of a sum a record keeps.
const digits = 5

// A Record is the state of a Tracker, for storage.
type Record struct {
	// Since is the beginning of the first period, and Until the step of the newest promise.
	Since, Until time.Time
	// Text names what is counted, and then holds one word for each period. It is empty without
	// periods.
	Text string
}

// counted returns what is counted under the contract.
func (o Options) counted() string {
	if o.Contract.ShortageCost > 0 {
		return "steps"
	}
	return "windows"
}

// Record returns the periods in the form for storage. It leaves out promises that are not scored
// yet: a restored Tracker does not score them.
func (t *Tracker) Record() Record {
	if len(t.periods) == 0 {
		return Record{}
	}
	words := make([]string, 0, 1+len(t.periods))
	words = append(words, t.opts.counted())
	for _, b := range t.periods {
		var parts []string
		for _, v := range b.values() {
			parts = append(parts, strconv.FormatFloat(*v, 'g', digits, 64))
		}
		words = append(words, strings.Join(parts, "/"))
	}
	since := time.Unix(t.first*int64(periodLength/time.Second), 0).UTC()
	return Record{Since: since, Until: t.until, Text: strings.Join(words, " ")}
}

// Restore returns a Tracker that continues from a Record. It returns an error if the record is not
// valid, or has another kind of contract.
func Restore(o Options, r Record) (*Tracker, error) {
	t, err := New(o)
	if err != nil {
		return nil, err
	}
	words := strings.Fields(r.Text)
	if len(words) == 0 || words[0] != o.counted() {
		return nil, fmt.Errorf("accuracy: the record does not count %s", o.counted())
	}
	words = words[1:]
	if len(words) > maxPeriods {
		return nil, fmt.Errorf("accuracy: %d periods, at most %d are kept", len(words), maxPeriods)
	}
	t.first, t.until = periodNumber(r.Since), r.Until
	for _, word := range words {
		b, err := parsePeriod(word)
		if err != nil {
			return nil, err
		}
		t.periods = append(t.periods, b)
	}
	return t, nil
}

// parsePeriod reads one word of a record.
func parsePeriod(word string) (period, error) {
	var b period
	into := b.values()
	parts := strings.Split(word, "/")
	if len(parts) != len(into) {
		return period{}, fmt.Errorf("accuracy: period %q has %d figures, want %d", word, len(parts), len(into))
	}
	for i, part := range parts {
		v, err := strconv.ParseFloat(part, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return period{}, fmt.Errorf("accuracy: period %q: %q is not a finite number", word, part)
		}
		*into[i] = v
	}
	if b.promises < 0 || b.missed < 0 || b.missed > b.promises {
		return period{}, fmt.Errorf("accuracy: period %q misses more promises than there were", word)
	}
	return b, nil
}

// values returns the figures of a period in the order of a record.
func (b *period) values() []*float64 {
	return []*float64{&b.promises, &b.missed, &b.loss, &b.benchmarks[0], &b.benchmarks[1], &b.excess, &b.actual}
}
