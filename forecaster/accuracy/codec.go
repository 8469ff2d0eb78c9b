package accuracy

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// digits that a sum keeps when it is written down.
const digits = 5

// A Record is a Tracker written down.
type Record struct {
	// Since is the begin of the first tally, and Until the newest promise that is in one or would be.
	Since, Until time.Time
	// Text has what is counted, and a word for each tally; empty when there are none.
	Text string
}

// what is counted.
func (o Options) counted() string {
	if o.Contract.ShortageCost > 0 {
		return "steps"
	}
	return "windows"
}

// Record writes the tallies down. Promises whose windows are not over are left out, and so not scored by who goes on from it.
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
	return Record{Since: time.Unix(t.first*int64(Span/time.Second), 0).UTC(), Until: t.until, Text: strings.Join(words, " ")}
}

// Restore returns a Tracker that goes on from a Record. One of another kind of contract is an error.
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
	if len(words) > kept {
		return nil, fmt.Errorf("accuracy: %d tallies, at most %d are kept", len(words), kept)
	}
	t.first, t.until = number(r.Since), r.Until
	for _, word := range words {
		var b tally
		into := b.values()
		parts := strings.Split(word, "/")
		if len(parts) != len(into) {
			return nil, fmt.Errorf("accuracy: tally %q has %d figures, want %d", word, len(parts), len(into))
		}
		for i, part := range parts {
			v, err := strconv.ParseFloat(part, 64)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("accuracy: tally %q: %q is not a finite number", word, part)
			}
			*into[i] = v
		}
		if b.promises < 0 || b.missed < 0 || b.missed > b.promises {
			return nil, fmt.Errorf("accuracy: tally %q misses more promises than there were", word)
		}
		t.tallies = append(t.tallies, b)
	}
	return t, nil
}

// values are the figures of a tally in the order in which they are written down.
func (b *tally) values() []*float64 {
	return []*float64{&b.promises, &b.missed, &b.loss, &b.benchmarks[0], &b.benchmarks[1], &b.over, &b.actual}
}
