// Package terminal writes to terminals: colours, the width, and how far a long task is.
package terminal

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"text/tabwriter"

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

// NewTable aligns columns that are separated by tabs.
func NewTable(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 4, 2, ' ', 0) }

// OrDash returns a text, or a dash for an empty one.
func OrDash(s string) string { return cmp.Or(s, "-") }
