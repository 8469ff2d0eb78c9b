package clusters

import (
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
)

// repeated reads a text again and again.
type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

// A watch may go on for long, and each event of it is bounded.
func TestEventsAreBounded(t *testing.T) {
	cases := map[string]struct {
		reason, text string
		want         int64 // bytes that are read at least
		full         bool
	}{
		"Events":     {"small events, until all are listed again", `{"a":"}\\\"{"}` + "\n", maxEvents - 1<<20, true},
		"LongString": {"a string without end", `a`, 0, false},
		"Nested":     {"a value that closes less than it opens", `[[]`, 0, false},
		"Spaces":     {"space between events is kept until the next one", " ", 0, false},
		"NewLines":   {"line ends within a value end no event", "{\n", 0, false},
	}
	for name, tc := range cases {
		var full atomic.Bool
		body := &limitedBody{
			ReadCloser: io.NopCloser(&repeated{text: tc.text}), most: maxEvents, values: &values{}, full: &full,
		}
		n, err := io.Copy(io.Discard, body)
		if full.Load() != tc.full || (err == nil) != tc.full || n < tc.want || tc.want == 0 && n > maxEvent {
			t.Errorf("%s: %d bytes, full %v, error %v: %s", name, n, full.Load(), err, tc.reason)
		}
		if !tc.full && (err == nil || !strings.Contains(err.Error(), "larger than 4 MiB")) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

// An answer that is as large as may be is read.
func TestLargestAnswer(t *testing.T) {
	for size, ok := range map[int64]bool{10: true, 11: false} {
		in := io.LimitReader(&repeated{text: "x"}, size)
		n, err := io.Copy(io.Discard, &limitedBody{ReadCloser: io.NopCloser(in), most: 10})
		if (err == nil) != ok || errors.Is(err, io.EOF) || ok && n != size {
			t.Errorf("of %d bytes %d are read, with %v", size, n, err)
		}
	}
}
