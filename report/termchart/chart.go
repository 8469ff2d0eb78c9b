// Package termchart draws a service's demand over time with the characters of a terminal.
package termchart

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"
)

const (
	defaultWidth  = 100
	defaultHeight = 12
	minWidth      = 40
	minHeight     = 4
	// labelColumns is the width of the vertical axis: its labels and its rule.
	labelColumns = 11
)

// Chart draws demand as an area, a plan as a line, and marks in lanes below the time axis.
type Chart struct {
	// Title is the line above the chart.
	Title string
	// Start and End are the ends of the time axis.
	Start, End time.Time
	// Now is marked by a vertical line. The zero time draws none.
	Now time.Time
	// Location is the time zone of the labels of the time axis. Nil is UTC.
	Location *time.Location
	// Area is filled, Dots are points, and Line is a stepped line. Each may be empty.
	Area, Dots, Line Series
	// Lanes are rows of marks below the time axis. A lane without a mark is left out.
	Lanes []Lane
	// Width is the number of columns of the whole chart, at least 40. 0 means 100. The title and the
	// legend can be wider.
	Width int
	// Height is the number of rows above the time axis, at least 4. 0 means 12.
	Height int
	// Colour allows ANSI colours.
	Colour bool
}

// Lines returns the rows of the chart, without blanks at their ends. A chart without any value is
// the title and a sentence.
func (c Chart) Lines() []string {
	width := max(minWidth, cmp.Or(c.Width, defaultWidth)) - labelColumns
	height := max(minHeight, cmp.Or(c.Height, defaultHeight))
	area, dots, line := c.sample(c.Area, width), c.sample(c.Dots, width), c.sample(c.Line, width)
	largest, known := largestOf(area, dots, line)
	if !known || !c.End.After(c.Start) {
		return []string{c.Title, "  there is no data in this time range"}
	}

	plot := newCanvas(width, height, axisMaximum(largest))
	plot.fill(area)
	if x := c.column(c.Now, width); x >= 0 {
		plot.verticalLine(x)
	}
	plot.points(dots)
	plot.steps(line)

	out := []string{c.Title}
	every := rowsPerLabel(height)
	for y := range height {
		label := ""
		if y%every == 0 {
			label = shortNumber(plot.maximum * float64(height-y) / float64(height))
		}
		out = append(out, fmt.Sprintf("%*s ┤%s", labelColumns-2, label, plot.row(y, c.Colour)))
	}
	return append(append(out, c.timeAxis(width)...), c.footer(width)...)
}

// sample returns the largest value of a series within each column. NaN is a column without a value.
func (c Chart) sample(s Series, width int) []float64 {
	out := make([]float64, width)
	for x := range out {
		out[x] = math.NaN()
		if s.Max == nil {
			continue
		}
		if v, ok := s.Max(c.instant(x, width), c.instant(x+1, width)); ok && !math.IsInf(v, 0) {
			out[x] = v
		}
	}
	return out
}

// instant returns the time at the left edge of a column.
func (c Chart) instant(x, width int) time.Time {
	share := float64(x) / float64(width)
	return c.Start.Add(time.Duration(float64(c.End.Sub(c.Start)) * share).Truncate(time.Second))
}

// column returns the column that contains an instant, or -1 if the instant is outside of the chart.
func (c Chart) column(t time.Time, width int) int {
	if t.IsZero() || t.Before(c.Start) || !t.Before(c.End) {
		return -1
	}
	return int(float64(width) * float64(t.Sub(c.Start)) / float64(c.End.Sub(c.Start)))
}

// footer returns the lanes and the legend.
func (c Chart) footer(width int) []string {
	var out []string
	shortage := false
	for _, lane := range c.Lanes {
		if text := c.lane(lane, width); text != "" {
			out = append(out, text)
			shortage = shortage || lane.Mark == MarkShort
		}
	}
	var legend []string
	for _, entry := range []struct{ sign, name, style string }{
		{"█", c.Area.Name, styleArea}, {"·", c.Dots.Name, styleDots}, {"─", c.Line.Name, styleLine},
	} {
		if entry.name != "" {
			legend = append(legend, c.paint(entry.sign, entry.style)+" "+entry.name)
		}
	}
	if shortage {
		legend = append(legend, string(MarkShort)+" shortage")
	}
	if !c.Now.IsZero() {
		legend = append(legend, "┊ now")
	}
	return append(out, strings.Repeat(" ", labelColumns)+strings.Join(legend, "   "))
}

// lane returns a row of marks, or "" if it has none.
func (c Chart) lane(lane Lane, width int) string {
	marks, marked := []rune(strings.Repeat(" ", width)), false
	for x := range marks {
		if lane.Marked(c.instant(x, width), c.instant(x+1, width)) {
			marks[x], marked = rune(lane.Mark), true
		}
	}
	if !marked {
		return ""
	}
	name := []rune(lane.Name)
	if len(name) > labelColumns-2 {
		name = append(name[:labelColumns-3], '…')
	}
	style := stylePeak
	if lane.Mark == MarkShort {
		style = styleShort
	}
	row := c.paint(strings.TrimRight(string(marks), " "), style)
	return fmt.Sprintf("%*s  %s", labelColumns-2, string(name), row)
}

// paint adds a colour to a text, if the chart may have colours.
func (c Chart) paint(text, style string) string {
	if !c.Colour {
		return text
	}
	return style + text + styleReset
}
