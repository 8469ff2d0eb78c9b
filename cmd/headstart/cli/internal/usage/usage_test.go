package usage_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"headstart.dev/headstart/cmd/headstart/cli/internal/usage"
)

func TestFit(t *testing.T) {
	for name, tc := range map[string]struct {
		reason, text string
		columns      int
		want         string
	}{
		"Narrow": {"what fits stays as it was written", "a b\nc", 10, "a b\nc"},
		"Wide":   {"a paragraph is filled again", "one two\nthree", 8, "one two\nthree"},
		"Filled": {
			"short lines are joined where another one is too wide", "one two three\nfour five", 9,
			"one two\nthree\nfour five",
		},
		"Others": {"only the paragraph that is too wide", "a\nb\n\none two three", 9, "a\nb\n\none two\nthree"},
		"Indented": {
			"a list or an example has lines of its own", "list:\n  one two three\n  b", 9, "list:\n  one two three\n  b",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := usage.Fit(tc.text, tc.columns); got != tc.want {
				t.Errorf("%s:\ngot  %q\nwant %q", tc.reason, got, tc.want)
			}
		})
	}
}

// No word is lost, and lines of short words fit.
func TestFitKeepsWords(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[a-zé]{1,12}`), 1, 60).Draw(r, "words")
		var b strings.Builder
		for i, w := range words {
			if i > 0 {
				b.WriteString(rapid.SampledFrom([]string{" ", "\n", "\n\n"}).Draw(r, "gap"))
			}
			b.WriteString(w)
		}
		columns := rapid.IntRange(12, 100).Draw(r, "columns")
		got := usage.Fit(b.String(), columns)
		if strings.Join(strings.Fields(got), " ") != strings.Join(words, " ") {
			r.Errorf("got %q of %q", got, b.String())
		}
		for line := range strings.SplitSeq(got, "\n") {
			if utf8.RuneCountInString(line) > columns {
				r.Errorf("%q is wider than %d", line, columns)
			}
		}
	})
}
