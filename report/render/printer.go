package render

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// columns is the width of the text format.
const columns = 100

// printer writes lines. It keeps the first error and writes nothing after it.
type printer struct {
	w      io.Writer
	colour bool
	err    error
}

// line writes a formatted line without blanks at its end.
func (p *printer) line(format string, args ...any) {
	if p.err != nil {
		return
	}
	_, p.err = fmt.Fprintln(p.w, strings.TrimRight(fmt.Sprintf(format, args...), " "))
}

// wrap writes a text after a label, in as many lines as needed.
func (p *printer) wrap(label, text string) {
	for _, line := range Wrap(label, text) {
		p.line("%s", line)
	}
}

// bold makes a text bold, if colours are allowed.
func (p *printer) bold(text string) string {
	if !p.colour {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

// table writes rows in columns. The first column is aligned left, the others right. A row of two
// cells is a name and a remark; the remark does not widen the columns.
func (p *printer) table(rows [][]string) {
	width := columnWidths(rows)
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", max(0, width[i]-utf8.RuneCountInString(cell)))
			switch {
			case i == 0:
				b.WriteString(cell + pad)
			case isRemark(row):
				b.WriteString("  " + cell)
			default:
				b.WriteString("  " + pad + cell)
			}
		}
		p.line("%s", b.String())
	}
}

func columnWidths(rows [][]string) []int {
	var width []int
	for _, row := range rows {
		for i, cell := range row {
			if i >= len(width) {
				width = append(width, 0)
			}
			if i == 0 || !isRemark(row) {
				width[i] = max(width[i], utf8.RuneCountInString(cell))
			}
		}
	}
	return width
}

func isRemark(row []string) bool { return len(row) <= 2 }

// Wrap breaks a text into lines of at most 100 columns. The first line begins with the label, and
// the others are indented by its width.
func Wrap(label, text string) []string {
	var out []string
	indent := utf8.RuneCountInString(label)
	line, used := label, indent
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if i > 0 && used+1+n > columns {
			out = append(out, line)
			line, used = strings.Repeat(" ", indent), indent
		} else if i > 0 {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+n
	}
	return append(out, line)
}
