// Package termchart draws demand over time with the characters of a terminal.
package termchart

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"headstart.dev/headstart/scheduler"
)

// Chart is a chart for a terminal: demand as an area, one line above it, and lanes of marks below.
type Chart struct {
	// Title stands above.
	Title string
	// Start and End of the time axis.
	Start, End time.Time
	// Now is where the future begins; zero where all is past.
	Now time.Time
	// Location of the labels of the time axis; nil is UTC.
	Location *time.Location
	// Area is filled, Dots are points, and Line is a line. Any may be empty.
	Area, Dots, Line Series
	// Lanes are rows of marks under the axis.
	Lanes []Lane
	// Width in columns, at least 40, and Height in rows, at least 4, of the whole chart and of its middle; 0 is 100 and 12.
	Width, Height int
	// Colour writes ANSI colours.
	Colour bool
}

// Series is one quantity over time. At returns the largest value within [from, to), and false where there is none.
type Series struct {
	Name string
	At   func(from, to time.Time) (float64, bool)
}

// Lane is a row of marks. On says whether one stands at [from, to).
type Lane struct {
	Name string
	Mark Mark
	On   func(from, to time.Time) bool
}

// Mark is the character of a lane.
type Mark rune

const (
	// MarkPeak stands where a declared peak is.
	MarkPeak Mark = '▀'
	// MarkShort stands where some demand is not served.
	MarkShort Mark = '!'
)

// PeakLane marks the declared peaks.
func PeakLane(schedules []*scheduler.Schedule) Lane {
	return Lane{Name: "peak", Mark: MarkPeak, On: func(from, to time.Time) bool {
		return slices.ContainsFunc(schedules, func(s *scheduler.Schedule) bool {
			found, _ := s.Between(from, to, 1)
			return len(found) > 0
		})
	}}
}

// SeriesOf is a Series of values, one a step; NaN is a gap.
func SeriesOf(name string, start time.Time, step time.Duration, values []float64) Series {
	return Series{Name: name, At: func(from, to time.Time) (float64, bool) {
		most, found := 0.0, false
		first, last := int(from.Sub(start)/step), int((to.Sub(start)-1)/step)
		if from.Before(start) {
			first = 0
		}
		if !to.After(start) {
			return 0, false
		}
		for i := first; i <= last && i < len(values); i++ {
			if v := values[i]; !math.IsNaN(v) && (!found || v > most) {
				most, found = v, true
			}
		}
		return most, found
	}}
}

const (
	defaultWidth  = 100
	defaultHeight = 12
	axisColumns   = 11 // of the labels of the vertical axis, its rule included
	ansiReset     = "\x1b[0m"
	ansiArea      = "\x1b[90m"
	ansiLine      = "\x1b[36;1m"
	ansiDots      = "\x1b[34m"
	ansiLane      = "\x1b[33m"
	ansiAlarm     = "\x1b[31;1m"
)

// canvas is the middle of a chart.
type canvas struct {
	cells  [][]rune
	styles [][]string
}

func newCanvas(width, height int) *canvas {
	c := &canvas{cells: make([][]rune, height), styles: make([][]string, height)}
	for y := range height {
		c.cells[y], c.styles[y] = []rune(strings.Repeat(" ", width)), make([]string, width)
	}
	return c
}

// put writes a rune at a column and a row, counted from below.
func (c *canvas) put(x, y int, r rune, style string) {
	if y = len(c.cells) - 1 - y; y >= 0 && y < len(c.cells) && x >= 0 && x < len(c.cells[y]) {
		c.cells[y][x], c.styles[y][x] = r, style
	}
}

// row is a line of text from above, in colour or not.
func (c *canvas) row(y int, colour bool) string {
	var b strings.Builder
	style := ""
	for x, r := range c.cells[y] {
		if s := c.styles[y][x]; colour && s != style && r != ' ' {
			if style != "" {
				b.WriteString(ansiReset)
			}
			b.WriteString(s)
			style = s
		}
		b.WriteRune(r)
	}
	text := strings.TrimRight(b.String(), " ")
	if style != "" {
		text += ansiReset
	}
	return text
}

// Lines are the rows of the chart, without blanks at their ends. A chart without any value is a sentence.
func (c Chart) Lines() []string {
	width, height := max(40, cmp.Or(c.Width, defaultWidth)), max(4, cmp.Or(c.Height, defaultHeight))
	n := width - axisColumns
	area, dots, line := c.sample(c.Area, n), c.sample(c.Dots, n), c.sample(c.Line, n)
	top, known := topOf(area, dots, line)
	if !known || !c.End.After(c.Start) {
		return []string{c.Title, "  nothing is known of this span"}
	}
	top = niceTop(top)
	k := newCanvas(n, height)
	k.fill(area, top)
	if x := c.column(c.Now, n); x >= 0 {
		for y := range height {
			k.put(x, y, '┊', ansiArea)
		}
	}
	k.dot(dots, top)
	k.draw(line, top)
	out := []string{c.Title}
	every := labelEvery(height)
	for y := range height {
		label := ""
		if v := top * float64(height-y) / float64(height); y%every == 0 {
			label = significant3(v)
		}
		out = append(out, fmt.Sprintf("%*s ┤%s", axisColumns-2, label, k.row(y, c.Colour)))
	}
	return append(append(out, c.timeAxis(n)...), c.foot(n)...)
}

// labelEvery is the rows between labels: quarters or thirds, where they fall on rows.
func labelEvery(height int) int {
	for _, parts := range []int{4, 3, 2} {
		if height%parts == 0 {
			return height / parts
		}
	}
	return height
}

// sample is the largest value within each column; NaN is none.
func (c Chart) sample(s Series, n int) []float64 {
	out := make([]float64, n)
	for x := range out {
		out[x] = math.NaN()
		if s.At == nil {
			continue
		}
		if v, ok := s.At(c.instant(x, n), c.instant(x+1, n)); ok && !math.IsInf(v, 0) {
			out[x] = v
		}
	}
	return out
}

// instant is the left edge of a column.
func (c Chart) instant(x, n int) time.Time {
	return c.Start.Add(time.Duration(float64(c.End.Sub(c.Start)) * float64(x) / float64(n)).Truncate(time.Second))
}

// column holds an instant; -1 where none does.
func (c Chart) column(t time.Time, n int) int {
	if t.IsZero() || t.Before(c.Start) || !t.Before(c.End) {
		return -1
	}
	return int(float64(n) * float64(t.Sub(c.Start)) / float64(c.End.Sub(c.Start)))
}

// topOf is the largest of all values; false where there is none.
func topOf(all ...[]float64) (top float64, known bool) {
	for _, x := range all {
		for _, v := range x {
			if !math.IsNaN(v) {
				top, known = math.Max(top, v), true
			}
		}
	}
	return top, known
}

// niceTop is the end of an axis: 1, 1.2, 1.6, 2, 2.4, 2.8, 3.2, 4, 5, 6, 8 times a power of ten.
func niceTop(v float64) float64 {
	if v <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 1.2, 1.6, 2, 2.4, 2.8, 3.2, 4, 5, 6, 8} {
		if v <= m*unit*(1+1e-9) {
			return m * unit
		}
	}
	return 10 * unit
}

// significant3 writes at most three significant digits, with k, M, G for what is long, and as a power of ten what those do not shorten.
func significant3(v float64) string {
	switch {
	case v >= 1e12:
		return fmt.Sprintf("%.3g", v)
	case v > 0 && v < 1e-9:
		return fmt.Sprintf("%.1g", v) // more digits would not fit beside the axis
	}
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e4, "k"}} {
		if v >= u.size {
			if u.name == "k" {
				u.size = 1e3
			}
			return significant3(v/u.size) + u.name
		}
	}
	return fmt.Sprintf("%.4g", v)
}

// fill draws an area in eighths of a row.
func (c *canvas) fill(x []float64, top float64) {
	eighths := []rune(" ▁▂▃▄▅▆▇█")
	height := len(c.cells)
	for i, v := range x {
		if math.IsNaN(v) {
			continue
		}
		full := int(math.Round(v / top * float64(8*height)))
		if full == 0 && v > 0 {
			full = 1
		}
		for y := 0; y < height && full > 8*y; y++ {
			c.put(i, y, eighths[min(8, full-8*y)], ansiArea)
		}
	}
}

// level is the row of a value.
func (c *canvas) level(v, top float64) int {
	return min(len(c.cells)-1, int(v/top*float64(len(c.cells))))
}

func (c *canvas) dot(x []float64, top float64) {
	for i, v := range x {
		if !math.IsNaN(v) {
			c.put(i, c.level(v, top), '·', ansiDots)
		}
	}
}

// draw draws a line of steps.
func (c *canvas) draw(x []float64, top float64) {
	last := -1
	for i, v := range x {
		if math.IsNaN(v) {
			last = -1
			continue
		}
		y := c.level(v, top)
		switch {
		case last < 0 || y == last:
			c.put(i, y, '─', ansiLine)
		case y > last:
			c.put(i, last, '╯', ansiLine)
			c.put(i, y, '╭', ansiLine)
		default:
			c.put(i, last, '╮', ansiLine)
			c.put(i, y, '╰', ansiLine)
		}
		for between := min(y, last) + 1; last >= 0 && between < max(y, last); between++ {
			c.put(i, between, '│', ansiLine)
		}
		last = y
	}
}

// timeAxis is the rule with its ticks, and what stands below them.
func (c Chart) timeAxis(n int) []string {
	rule, labels := []rune(strings.Repeat("─", n)), []rune(strings.Repeat(" ", n))
	zone := c.Location
	if zone == nil {
		zone = time.UTC
	}
	every := tickEvery(c.End.Sub(c.Start), n)
	begin := c.Start.In(zone)
	midnight := time.Date(begin.Year(), begin.Month(), begin.Day(), 0, 0, 0, 0, zone)
	free := 0
	for i := range 1000 {
		// Built from the wall clock, so that labels stay round where clocks are changed.
		at := time.Date(midnight.Year(), midnight.Month(), midnight.Day(), 0, i*int(every.Minutes()), 0, 0, zone)
		if !at.Before(c.End) {
			break
		}
		x := c.column(at, n)
		if x < 0 {
			continue
		}
		rule[x] = '┬'
		layout := "15:04"
		if every >= 24*time.Hour || at.Hour() == 0 && at.Minute() == 0 {
			layout = "Jan 2"
		}
		if text := []rune(at.Format(layout)); x >= free && x+len(text) <= n {
			copy(labels[x:], text)
			free = x + len(text) + 1
		}
	}
	pad := strings.Repeat(" ", axisColumns-1)
	return []string{pad + "└" + string(rule), strings.TrimRight(pad+" "+string(labels), " ")}
}

// tickEvery is how far apart ticks stand.
func tickEvery(span time.Duration, n int) time.Duration {
	const day = 24 * time.Hour
	for _, d := range []time.Duration{
		5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour, 4 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 2 * day, 7 * day, 28 * day,
	} {
		if span/d <= time.Duration(max(1, n/7)) {
			return d
		}
	}
	return 365 * day
}

// foot is the lanes, and what the signs mean.
func (c Chart) foot(n int) []string {
	var out []string
	alarmed := false
	for _, lane := range c.Lanes {
		if text := c.lane(lane, n); text != "" {
			out = append(out, text)
			alarmed = alarmed || lane.Mark == MarkShort
		}
	}
	var signs []string
	for _, s := range []struct{ sign, name, style string }{{"█", c.Area.Name, ansiArea}, {"·", c.Dots.Name, ansiDots}, {"─", c.Line.Name, ansiLine}} {
		if s.name != "" {
			signs = append(signs, c.paint(s.sign, s.style)+" "+s.name)
		}
	}
	if alarmed {
		signs = append(signs, string(MarkShort)+" not all served")
	}
	if !c.Now.IsZero() {
		signs = append(signs, "┊ now")
	}
	return append(out, strings.Repeat(" ", axisColumns)+strings.Join(signs, "   "))
}

// lane is a row of marks; "" without any.
func (c Chart) lane(lane Lane, n int) string {
	marks, marked := []rune(strings.Repeat(" ", n)), false
	for x := range marks {
		if lane.On(c.instant(x, n), c.instant(x+1, n)) {
			marks[x], marked = rune(lane.Mark), true
		}
	}
	if !marked {
		return ""
	}
	name := []rune(lane.Name)
	if len(name) > axisColumns-2 {
		name = append(name[:axisColumns-3], '…')
	}
	style := ansiLane
	if lane.Mark == MarkShort {
		style = ansiAlarm
	}
	return fmt.Sprintf("%*s  %s", axisColumns-2, string(name), c.paint(strings.TrimRight(string(marks), " "), style))
}

// paint puts a text in a colour, where there are colours.
func (c Chart) paint(text, style string) string {
	if !c.Colour {
		return text
	}
	return style + text + ansiReset
}
