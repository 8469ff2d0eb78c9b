package termchart

import (
	"math"
	"strings"
)

// ANSI sequences.
const (
	styleReset = "\x1b[0m"
	styleArea  = "\x1b[90m"
	styleLine  = "\x1b[36;1m"
	styleDots  = "\x1b[34m"
	stylePeak  = "\x1b[33m"
	styleShort = "\x1b[31;1m"
)

// canvas is the part of a chart between the axes.
type canvas struct {
	maximum float64 // of the vertical axis
	cells   [][]rune
	styles  [][]string
}

func newCanvas(width, height int, maximum float64) *canvas {
	c := &canvas{maximum: maximum, cells: make([][]rune, height), styles: make([][]string, height)}
	for y := range height {
		c.cells[y], c.styles[y] = []rune(strings.Repeat(" ", width)), make([]string, width)
	}
	return c
}

// set writes a character at a column and a row. Row 0 is the lowest. A position outside of the
// canvas is ignored.
func (c *canvas) set(x, y int, r rune, style string) {
	if y = len(c.cells) - 1 - y; y >= 0 && y < len(c.cells) && x >= 0 && x < len(c.cells[y]) {
		c.cells[y][x], c.styles[y][x] = r, style
	}
}

// row returns a row as text. Row 0 is the highest.
func (c *canvas) row(y int, colour bool) string {
	var b strings.Builder
	style := ""
	for x, r := range c.cells[y] {
		if s := c.styles[y][x]; colour && s != style && r != ' ' {
			if style != "" {
				b.WriteString(styleReset)
			}
			b.WriteString(s)
			style = s
		}
		b.WriteRune(r)
	}
	text := strings.TrimRight(b.String(), " ")
	if style != "" {
		text += styleReset
	}
	return text
}

// fill draws an area, to an eighth of a row.
func (c *canvas) fill(values []float64) {
	blocks := []rune(" ▁▂▃▄▅▆▇█")
	height := len(c.cells)
	for x, v := range values {
		if math.IsNaN(v) {
			continue
		}
		eighths := int(math.Round(v / c.maximum * float64(8*height)))
		if eighths == 0 && v > 0 {
			eighths = 1 // what is above 0 is visible
		}
		for y := 0; y < height && eighths > 8*y; y++ {
			c.set(x, y, blocks[min(8, eighths-8*y)], styleArea)
		}
	}
}

// verticalLine draws a dashed line over the whole height.
func (c *canvas) verticalLine(x int) {
	for y := range c.cells {
		c.set(x, y, '┊', styleArea)
	}
}

// rowOf returns the row of a value.
func (c *canvas) rowOf(v float64) int {
	return min(len(c.cells)-1, int(v/c.maximum*float64(len(c.cells))))
}

// points draws one point for each value.
func (c *canvas) points(values []float64) {
	for x, v := range values {
		if !math.IsNaN(v) {
			c.set(x, c.rowOf(v), '·', styleDots)
		}
	}
}

// steps draws a stepped line, with vertical parts where the value changes.
func (c *canvas) steps(values []float64) {
	last := -1
	for x, v := range values {
		if math.IsNaN(v) {
			last = -1
			continue
		}
		y := c.rowOf(v)
		switch {
		case last < 0 || y == last:
			c.set(x, y, '─', styleLine)
		case y > last:
			c.set(x, last, '╯', styleLine)
			c.set(x, y, '╭', styleLine)
		default:
			c.set(x, last, '╮', styleLine)
			c.set(x, y, '╰', styleLine)
		}
		for between := min(y, last) + 1; last >= 0 && between < max(y, last); between++ {
			c.set(x, between, '│', styleLine)
		}
		last = y
	}
}
