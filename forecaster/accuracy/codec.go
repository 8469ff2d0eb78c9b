package accuracy

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// digits of a sum that a record keeps.
const digits = 5

// A Record is a Tracker written down.
type Record struct {
	// Since is the beginning of the first tally, and Until the step of the newest promise.
	Since, Until time.Time
	// Text names what is counted, and then holds one word for each tally. It is empty without
	// tallies.
	Text string
}

// counted returns what is counted under the contract.
func (o Options) counted() string {
	if o.Contract.ShortageCost > 0 {
		return "steps"
	}
	return "windows"
}

// Record writes the tallies down. It leaves out promises whose windows are not over: a Tracker that
// is restored does not score them.
func (t *Tracker) Record() Record {
	if len(t.tallies) == 0 {
		return Record{}
	}
	words := make([]string, 0, 1+len(t.tallies))
	words = append(words, t.opts.counted())
	for _, b := range t.tallies {
		var parts []string
		for _, v := range b.values() {
			parts = append(parts, strconv.FormatFloat(*v, 'g', digits, 64))
		}
		words = append(words, strings.Join(parts, "/"))
	}
	since := time.Unix(t.first*int64(span/time.Second), 0).UTC()
	return Record{Since: since, Until: t.until, Text: strings.Join(words, " ")}
}

// Restore returns a Tracker that continues from a Record. It fails on a record of another kind of
// contract, and on one that is not valid.
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
	if len(words) > maxTallies {
		return nil, fmt.Errorf("accuracy: %d tallies, at most %d are kept", len(words), maxTallies)
	}
	t.first, t.until = spanNumber(r.Since), r.Until
	for _, word := range words {
		b, err := parseTally(word)
		if err != nil {
			return nil, err
		}
		t.tallies = append(t.tallies, b)
	}
	return t, nil
}

// parseTally reads one word of a record.
func parseTally(word string) (tally, error) {
	var b tally
	into := b.values()
	parts := strings.Split(word, "/")
	if len(parts) != len(into) {
		return tally{}, fmt.Errorf("accuracy: tally %q has %d figures, want %d", word, len(parts), len(into))
	}
	for i, part := range parts {
		v, err := strconv.ParseFloat(part, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return tally{}, fmt.Errorf("accuracy: tally %q: %q is not a finite number", word, part)
		}
		*into[i] = v
	}
	if b.promises < 0 || b.missed < 0 || b.missed > b.promises {
		return tally{}, fmt.Errorf("accuracy: tally %q misses more promises than there were", word)
	}
	return b, nil
}

// values returns the figures of a tally in the order of a record.
func (b *tally) values() []*float64 {
	return []*float64{&b.promises, &b.missed, &b.loss, &b.benchmarks[0], &b.benchmarks[1], &b.over, &b.actual}
}
