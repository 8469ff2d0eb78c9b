// Package terminal writes to terminals: colours, the width, and how far a long task is.
package terminal

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"golang.org/x/term"
)

// UseColour reports whether to write colours to w. flag is the value of --color.
func UseColour(flag string, w io.Writer) (bool, error) {
	switch flag {
	case "always":
		return true, nil
	case "never":
		return false, nil
	case "auto":
		return isTerminal(w) && os.Getenv("NO_COLOR") == "", nil
	}
	return false, fmt.Errorf("--color %q is unknown: use auto, always or never", flag)
}

// isTerminal reports whether a stream is a terminal. A stream that is not a file may have a method
// IsTerminal, as tests use it.
func isTerminal(w any) bool {
	switch w := w.(type) {
	case *os.File:
		return term.IsTerminal(int(w.Fd()))
	case interface{ IsTerminal() bool }:
		return w.IsTerminal()
	}
	return false
}

// Columns returns width if it is above 0, else the width of the terminal. Without a terminal
// there is no limit.
func Columns(w io.Writer, width int) int {
	if width > 0 {
		return width
	}
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width >= 40 {
			return width
		}
	}
	return math.MaxInt
}

// Page returns the width of a page of text: that of the terminal, but at most 100 columns.
func Page(w io.Writer) int { return min(100, Columns(w, 0)) }

// NewTable aligns columns that are separated by tabs.
func NewTable(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 4, 2, ' ', 0) }

// WriteFitting writes rows as a table. The first row has the names of the columns. Where the table
// is wider than the width, the last columns are left out, and a line names them.
func WriteFitting(w io.Writer, rows [][]string, width int) {
	shown, used := 0, -2
	for column := range rows[0] {
		widest := 0
		for _, r := range rows {
			widest = max(widest, utf8.RuneCountInString(r[column]))
		}
		if used += 2 + widest; used > width && shown > 1 {
			break
		}
		shown++
	}
	tw := NewTable(w)
	for _, r := range rows {
		fmt.Fprintln(tw, strings.Join(r[:shown], "\t"))
	}
	tw.Flush() //nolint:errcheck // standard output is gone, so nobody can read an error
	if left := rows[0][shown:]; len(left) > 0 {
		fmt.Fprintf(w, "(too narrow for %s)\n", strings.Join(left, ", "))
	}
}

// OrDash returns a text, or a dash for an empty one.
func OrDash(s string) string { return cmp.Or(s, "-") }
