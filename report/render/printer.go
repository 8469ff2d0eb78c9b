package render

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// printer writes lines and remembers the first error.
type printer struct {
	w      io.Writer
	colour bool
	err    error
}

func (p *printer) line(format string, args ...any) {
	if p.err != nil {
		return
	}
	_, p.err = fmt.Fprintln(p.w, strings.TrimRight(fmt.Sprintf(format, args...), " "))
}

const columns = 100

// wrap writes words under a label, no line longer than the page.
func (p *printer) wrap(label, text string) {
	for _, line := range Wrap(label, text) {
		p.line("%s", line)
	}
}

// Wrap breaks words under a label into lines of at most 100 columns.
func Wrap(label, text string) []string {
	var out []string
	line, used := label, utf8.RuneCountInString(label)
	indent := strings.Repeat(" ", used)
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if i > 0 && used+1+n > columns {
			out = append(out, line)
			line, used = indent, utf8.RuneCountInString(indent)
		} else if i > 0 {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+n
	}
	return append(out, line)
}

// bold stands out where there are colours.
func (p *printer) bold(text string) string {
	if !p.colour {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

// table writes rows in columns: the first to the left, the others to the right. A short row is a remark.
func (p *printer) table(rows [][]string) {
	var width []int
	for _, row := range rows {
		for i, cell := range row {
			if i >= len(width) {
				width = append(width, 0)
			}
			if len(row) > 2 || i == 0 {
				width[i] = max(width[i], utf8.RuneCountInString(cell))
			}
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", max(0, width[i]-utf8.RuneCountInString(cell)))
			switch {
			case i == 0:
				b.WriteString(cell + pad)
			case len(row) <= 2:
				b.WriteString("  " + cell)
			default:
				b.WriteString("  " + pad + cell)
			}
		}
		p.line("%s", b.String())
	}
}
