package main

import (
	"fmt"
	"math"
	"strings"
	"time"
)

const (
	enterScreen = "\x1b[?1049h\x1b[?25l\x1b[2J"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
	reset       = "\x1b[0m"
	bold        = "\x1b[1m"
	dim         = "\x1b[2m"

	colorServed  = 35  // green
	colorDropped = 196 // red
	colorIdle    = 240 // grey
	colorMetric  = 51  // cyan
	colorPlan    = 44  // darker cyan

	axisWidth = 5
)

func fg(color int) string { return fmt.Sprintf("\x1b[38;5;%dm", color) }
func bg(color int) string { return fmt.Sprintf("\x1b[48;5;%dm", color) }

// columns splits the width of a chart: two thirds for the past, one third for the plan.
func (v *view) columns() (past, ahead int) {
	n := v.width - axisWidth - 1
	return n - n/3, n / 3
}

// perColumn returns the time span of one column. The past shows half a day.
func (v *view) perColumn() time.Duration {
	past, _ := v.columns()
	return v.scenario.day / 2 / time.Duration(past)
}

// column is what a chart shows of one time span. NaN means no value.
type column struct{ demand, ready, metric, plan float64 }

var nothing = column{math.NaN(), math.NaN(), math.NaN(), math.NaN()}

// gather averages the samples of each past column, and reads the plan for the columns ahead.
func (v *view) gather(name string) []column {
	past, ahead := v.columns()
	per := v.perColumn()
	columns := make([]column, 0, past+ahead)
	now := v.last().at
	for i := range past {
		from := now.Add(-time.Duration(past-i) * per)
		columns = append(columns, v.average(name, from, from.Add(per)))
	}
	r := v.last().services[name]
	for i := range ahead {
		c := nothing
		if name == headstart { // the reactive service's Forecast is in mode DryRun: its plan is not served
			c.plan = v.planned(r, now.Add(time.Duration(i)*per))
		}
		columns = append(columns, c)
	}
	return columns
}

func (v *view) average(name string, from, to time.Time) column {
	var sum column
	n, metrics := 0.0, 0.0
	for i := len(v.samples) - 1; i >= 0 && v.samples[i].at.After(from); i-- {
		s := v.samples[i]
		r, ok := s.services[name]
		if s.at.After(to) || !ok {
			continue
		}
		n++
		sum.demand += r.Demand
		sum.ready += float64(r.Ready) * capacity
		if !math.IsNaN(r.served) {
			metrics++
			sum.metric += r.served
		}
	}
	return column{sum.demand / n, sum.ready / n, sum.metric / metrics, math.NaN()} // 0/0 is NaN: no value
}

// ceiling returns the demand at the top of both charts, so that they have the same scale.
func (v *view) ceiling() float64 {
	top := 1.1 * peak
	for _, name := range []string{reactive, headstart} {
		for _, c := range v.gather(name) {
			for _, x := range []float64{c.demand, c.ready, c.metric, c.plan} {
				if x > top {
					top = x
				}
			}
		}
	}
	return math.Ceil(top/50) * 50
}

// chart draws one service, the top row first.
func (v *view) chart(name string, rows int, ceiling float64) []string {
	columns := v.gather(name)
	lines := make([]string, rows)
	for row := range rows {
		low := ceiling * float64(rows-1-row) / float64(rows)
		high := ceiling * float64(rows-row) / float64(rows)
		label := ""
		if row == 0 || row == rows/2 {
			label = fmt.Sprintf("%.0f", high)
		}
		var line strings.Builder
		fmt.Fprintf(&line, "%s%*s%s ", dim, axisWidth-1, label, reset)
		for _, c := range columns {
			line.WriteString(c.cell(low, high))
		}
		lines[row] = line.String()
	}
	return lines
}

// cell returns the character of a column for one row: the row of the demand from low to high. From
// the bottom up, a column shows what was served, then what was dropped or idle. The metric or the
// plan is drawn over it as a line.
func (c column) cell(low, high float64) string {
	if c.plan >= low && c.plan < high {
		return fg(colorPlan) + "╍" + reset
	}
	over := colorIdle
	if c.demand > c.ready {
		over = colorDropped
	}
	served, top := min(c.demand, c.ready), max(c.demand, c.ready)
	if c.metric >= low && c.metric < high {
		under := ""
		switch middle := (low + high) / 2; {
		case served > middle:
			under = bg(colorServed)
		case top > middle:
			under = bg(over)
		}
		return under + fg(colorMetric) + "━" + reset
	}
	switch {
	case served >= high:
		return fg(colorServed) + "█" + reset
	case served > low && top >= high:
		return bg(over) + fg(colorServed) + eighths((served-low)/(high-low)) + reset
	case top >= high:
		return fg(over) + "█" + reset
	case served > low && (top-served)*8 < high-low: // dropped or idle is less than an eighth of a cell
		return fg(colorServed) + eighths((served-low)/(high-low)) + reset
	case top > low: // served and top both end within the cell, and a character can show one of them
		return fg(over) + eighths((top-low)/(high-low)) + reset
	}
	return " "
}

// eighths returns a block that fills a share of its cell from the bottom.
func eighths(share float64) string {
	return string([]rune(" ▁▂▃▄▅▆▇█")[int(math.Round(8*max(0, min(1, share))))])
}

// axis marks the present, and shows the time of the compressed day.
func (v *view) axis() string {
	past, ahead := v.columns()
	per := v.perColumn()
	line := []rune(strings.Repeat(" ", past+ahead))
	write := func(at int, text string) {
		for i, r := range []rune(text) {
			if j := at + i; j >= 0 && j < len(line) {
				line[j] = r
			}
		}
	}
	now := v.last().at
	hour := v.scenario.day / 24
	for h := -24; h < 24*(v.scenario.days+1); h += 3 {
		at := v.world.Start.Add(time.Duration(h) * hour)
		i := past + int(at.Sub(now)/per)
		besideNow := i+6 < past-1 || i > past+4 // keeps the label away from that of now
		if i >= 0 && i+5 <= past+ahead && besideNow {
			write(i, fmt.Sprintf("╵%02d:00", ((h%24)+24)%24))
		}
	}
	write(past, "▲now")
	return dim + strings.Repeat(" ", axisWidth) + string(line) + reset
}
