package render

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
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
	_, p.err = fmt.Fprintln(p.w, strings.TrimRight(printable(fmt.Sprintf(format, args...), p.colour), " "))
}

// ownStyles are the colours of this package and of termchart.
var ownStyles = regexp.MustCompile(`\x1b\[(0|1|3[1-6](;1)?|90)m`)

// Printable replaces what a terminal would obey. Names of series, labels and the errors of servers
// come from elsewhere: one of them could hide the answer, or write another one.
func Printable(text string) string { return printable(text, false) }

// printable is Printable for one line, which may have our own colours.
func printable(text string, colour bool) string {
	if !strings.ContainsFunc(text, unicode.IsControl) {
		return text
	}
	var styles [][]int
	if colour {
		styles = ownStyles.FindAllStringIndex(text, -1)
	}
	var b strings.Builder
	for i, c := range text {
		if len(styles) > 0 && i >= styles[0][1] {
			styles = styles[1:]
		}
		if unicode.IsControl(c) && (len(styles) == 0 || i != styles[0][0]) {
			c = utf8.RuneError
		}
		b.WriteRune(c)
	}
	return b.String()
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
func Wrap(label, text string) []string { return WrapTo(columns, label, text) }

// WrapTo is Wrap for another width. A word that is longer stays whole.
func WrapTo(columns int, label, text string) []string {
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
