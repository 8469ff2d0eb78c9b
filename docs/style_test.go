package docs_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	maxColumns   = 100
	maxMeanWords = 15
)

var (
	sentenceEnd = regexp.MustCompile(`[.:;?!](?:[\s*_)"]|$)`)
	item        = regexp.MustCompile(`\n\s*(-|\d+\.) `)
	target      = regexp.MustCompile(`\]\([^)]*\)`)
	code        = regexp.MustCompile("`[^`]*`")
	paragraph   = regexp.MustCompile(`\n\s*\n`)
	word        = regexp.MustCompile(`\w`)
)

// TestColumns holds that text wraps. Tables, code and lines with an address do not.
func TestColumns(t *testing.T) {
	for file, text := range styledPages(t) {
		for line := range strings.Lines(block.ReplaceAllString(text, "")) {
			line = strings.TrimSuffix(line, "\n")
			n, exempt := utf8.RuneCountInString(line), strings.HasPrefix(line, "|") || strings.Contains(line, "://")
			if n > maxColumns && !exempt {
				t.Errorf("%s: %d columns, more than %d: %s", file, n, maxColumns, line)
			}
		}
	}
}

// TestSentences holds that the sentences of each page are short on the mean. Headings, tables and
// code do not count, and a piece of code within a sentence is one word.
func TestSentences(t *testing.T) {
	for file, text := range styledPages(t) {
		words, sentences := 0, 0
		for _, p := range paragraph.Split(prose(text), -1) {
			for _, s := range sentenceEnd.Split(p, -1) {
				n := 0
				for w := range strings.FieldsSeq(s) {
					if word.MatchString(w) {
						n++
					}
				}
				if n > 0 {
					words, sentences = words+n, sentences+1
				}
			}
		}
		if sentences > 0 && words > maxMeanWords*sentences {
			t.Errorf("%s: %.1f words a sentence, more than %d", file, float64(words)/float64(sentences), maxMeanWords)
		}
	}
}

// styledPages are those that users read, and the decisions. CONTRIBUTING is a list of rules.
func styledPages(t *testing.T) map[string]string {
	texts := pages(t)
	for file := range texts {
		if filepath.Base(file) == "CONTRIBUTING.md" {
			delete(texts, file)
		}
	}
	return texts
}

func prose(text string) string {
	var out strings.Builder
	for line := range strings.Lines(block.ReplaceAllString(text, "\n")) {
		if strings.HasPrefix(line, "|") || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "    ") {
			line = "\n"
		}
		out.WriteString(line)
	}
	return item.ReplaceAllString(code.ReplaceAllString(target.ReplaceAllString(out.String(), "]"), "X"), "\n\n")
}
