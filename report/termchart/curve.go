package termchart

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Curve draws one quantity against another, such as latency against load per replica.
type Curve struct {
	// Title is the line above the chart, and XName what the horizontal axis measures.
	Title, XName string
	// Points are in order of X. Each is drawn from Low to High.
	Points []CurvePoint
	// LowName and HighName say what the two ends of a point are.
	LowName, HighName string
	// Limit is a horizontal line with a name; NaN draws none. Values that are far above it are cut.
	Limit     float64
	LimitName string
	// Marks are vertical lines. One that is no number is left out.
	Marks []CurveMark
	// Width is the number of columns of the whole chart, at least 40. 0 means 100.
	Width int
	// Height is the number of rows above the horizontal axis, at least 4. 0 means 12.
	Height int
	// Colour allows ANSI colours.
	Colour bool
}

// CurvePoint is what was measured at one place of the horizontal axis.
type CurvePoint struct{ X, Low, High float64 }

// CurveMark is a vertical line, made of its sign.
type CurveMark struct {
	At   float64
	Sign rune
	Name string
}

// cutAbove is how many times the limit a value may be to be drawn in full. A service at its limit
// has latencies that would leave no room for the others.
const cutAbove = 2.5

// Lines returns the rows of the chart, without blanks at their ends. All of them fit into Width, but
// for the title. A chart without any point is the title and a sentence.
func (c Curve) Lines() []string {
	total := max(minWidth, cmp.Or(c.Width, defaultWidth))
	width, height := total-labelColumns, max(minHeight, cmp.Or(c.Height, defaultHeight))
	low, high := c.columns(width)
	largest, known := largestOf(low, high)
	right := c.right()
	if !known || !(right > 0) {
		return []string{c.Title, "  there is no data to draw"}
	}
	cut := false
	if c.limited() {
		cut = largest > cutAbove*c.Limit
		largest = max(min(largest, cutAbove*c.Limit), 1.2*c.Limit)
	}
	plot := newCanvas(width, height, axisMaximum(largest))
	for _, m := range c.Marks {
		if drawn(m.At) {
			x := min(int(m.At/right*float64(width)), width-1)
			for y := range height {
				plot.set(x, y, m.Sign, styleLine)
			}
		}
	}
	if c.limited() {
		for x := range width {
			plot.set(x, plot.rowOf(c.Limit), '╌', styleShort)
		}
	}
	for x := range width {
		plot.span(x, low[x], high[x])
	}
	out := []string{c.Title}
	every := rowsPerLabel(height)
	for y := range height {
		label := ""
		if y%every == 0 {
			label = shortNumber(plot.maximum * float64(height-y) / float64(height))
		}
		out = append(out, fmt.Sprintf("%*s ┤%s", labelColumns-2, label, plot.row(y, c.Colour)))
	}
	return append(append(out, numberAxis(right, width)...), c.legend(total, cut)...)
}

// limited reports whether there is a limit to draw.
func (c Curve) limited() bool { return c.Limit > 0 && !math.IsInf(c.Limit, 0) }

// drawn reports whether a place on the horizontal axis can be drawn.
func drawn(x float64) bool { return x > 0 && !math.IsInf(x, 0) }

// right returns the end of the horizontal axis.
func (c Curve) right() float64 {
	most := 0.0
	for _, p := range c.Points {
		if drawn(p.X) {
			most = max(most, p.X)
		}
	}
	for _, m := range c.Marks {
		if drawn(m.At) {
			most = max(most, m.At)
		}
	}
	return axisMaximum(most * 1.02)
}

// columns returns the lowest and the highest value of the points of each column.
func (c Curve) columns(width int) (low, high []float64) {
	low, high = make([]float64, width), make([]float64, width)
	for x := range low {
		low[x], high[x] = math.NaN(), math.NaN()
	}
	right := c.right()
	for _, p := range c.Points {
		if !drawn(p.X) || !(p.Low >= 0) || !(p.High >= p.Low) || math.IsInf(p.High, 0) {
			continue
		}
		x := min(int(p.X/right*float64(width)), width-1)
		if math.IsNaN(low[x]) || p.Low < low[x] {
			low[x] = p.Low
		}
		if math.IsNaN(high[x]) || p.High > high[x] {
			high[x] = p.High
		}
	}
	return low, high
}

// span draws a point from its low to its high end. An end above the canvas is an arrow.
func (c *canvas) span(x int, low, high float64) {
	if math.IsNaN(low) {
		return
	}
	top := c.rowOf(high)
	for y := c.rowOf(low); y <= top; y++ {
		c.set(x, y, '│', styleArea)
	}
	c.set(x, c.rowOf(low), '·', styleDots)
	sign := '▪'
	if high > c.maximum {
		sign = '▲'
	}
	c.set(x, top, sign, styleLine)
}

// numberAxis returns the rule of a horizontal axis from 0 to right, and the labels below.
func numberAxis(right float64, width int) []string {
	rule, labels := []rune(strings.Repeat("─", width)), []rune(strings.Repeat(" ", width))
	parts := 2
	for _, n := range []int{8, 5, 4} {
		if width/n >= 11 {
			parts = n
			break
		}
	}
	for i := range parts {
		x := width * i / parts
		rule[x] = '┬'
		copy(labels[x:], []rune(shortNumber(right*float64(i)/float64(parts))))
	}
	last := []rune(shortNumber(right))
	copy(labels[width-len(last):], last)
	indent := strings.Repeat(" ", labelColumns-1)
	return []string{indent + "└" + string(rule), strings.TrimRight(indent+" "+string(labels), " ")}
}

// legend returns the name of the horizontal axis and those of what is drawn, in lines that fit.
func (c Curve) legend(total int, cut bool) []string {
	type entry struct{ sign, name, style string }
	entries := []entry{{"·", c.LowName, styleDots}, {"▪", c.HighName, styleLine}}
	if cut {
		entries = append(entries, entry{"▲", "above the chart", styleLine})
	}
	if c.limited() {
		entries = append(entries, entry{"╌", c.LimitName, styleShort})
	}
	for _, m := range c.Marks {
		if drawn(m.At) {
			entries = append(entries, entry{string(m.Sign), m.Name, styleLine})
		}
	}
	indent := strings.Repeat(" ", labelColumns)
	out := []string{indent + fit(c.XName, total-labelColumns)}
	line, used := "", 0
	for _, e := range entries {
		if e.name == "" {
			continue
		}
		name := fit(e.name, total-labelColumns-2)
		n := utf8.RuneCountInString(name) + 2
		if used > 0 && used+3+n > total-labelColumns {
			out = append(out, indent+line)
			line, used = "", 0
		}
		if used > 0 {
			line, used = line+"   ", used+3
		}
		line, used = line+(Chart{Colour: c.Colour}).paint(e.sign, e.style)+" "+name, used+n
	}
	return append(out, indent+line)
}

// fit cuts a text to a number of columns.
func fit(text string, columns int) string {
	if r := []rune(text); len(r) > columns {
		return string(r[:columns-1]) + "…"
	}
	return text
}
