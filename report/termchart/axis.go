package termchart

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// largestOf returns the largest value, and false if all are NaN. It is never below 0.
func largestOf(all ...[]float64) (largest float64, known bool) {
	for _, values := range all {
		for _, v := range values {
			if !math.IsNaN(v) {
				largest, known = math.Max(largest, v), true
			}
		}
	}
	return largest, known
}

// axisMaximum returns the end of the vertical axis: the next round number at or above v.
func axisMaximum(v float64) float64 {
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

// rowsPerLabel returns the distance of the labels of the vertical axis. Labels divide the axis
// into four, three or two equal parts, as far as the height allows.
func rowsPerLabel(height int) int {
	for _, parts := range []int{4, 3, 2} {
		if height%parts == 0 {
			return height / parts
		}
	}
	return height
}

// shortNumber writes a number in at most nine columns. Large numbers have a suffix (k, M or G),
// and very large and very small ones an exponent.
func shortNumber(v float64) string {
	switch {
	case v >= 1e12:
		return fmt.Sprintf("%.3g", v)
	case v > 0 && v < 1e-9:
		return fmt.Sprintf("%.1g", v) // more digits would be too wide
	}
	for _, unit := range []struct {
		from, size float64
		suffix     string
	}{{1e9, 1e9, "G"}, {1e6, 1e6, "M"}, {1e4, 1e3, "k"}} {
		if v >= unit.from {
			return shortNumber(v/unit.size) + unit.suffix
		}
	}
	return fmt.Sprintf("%.4g", v)
}

// timeAxis returns the rule with its ticks, and the labels below.
func (c Chart) timeAxis(width int) []string {
	rule, labels := []rune(strings.Repeat("─", width)), []rune(strings.Repeat(" ", width))
	zone := c.Location
	if zone == nil {
		zone = time.UTC
	}
	every := tickInterval(c.End.Sub(c.Start), width)
	begin := c.Start.In(zone)
	free := 0 // the first column where a label may begin
	for i := range 1000 {
		// Ticks are counted on the wall clock from midnight, so that labels stay round when the
		// clocks change.
		minute := i * int(every.Minutes())
		at := time.Date(begin.Year(), begin.Month(), begin.Day(), 0, minute, 0, 0, zone)
		if !at.Before(c.End) {
			break
		}
		x := c.column(at, width)
		if x < 0 {
			continue
		}
		rule[x] = '┬'
		layout := "15:04"
		if every >= 24*time.Hour || at.Hour() == 0 && at.Minute() == 0 {
			layout = "Jan 2"
		}
		if text := []rune(at.Format(layout)); x >= free && x+len(text) <= width {
			copy(labels[x:], text)
			free = x + len(text) + 1
		}
	}
	indent := strings.Repeat(" ", labelColumns-1)
	return []string{indent + "└" + string(rule), strings.TrimRight(indent+" "+string(labels), " ")}
}

// tickInterval returns the time between two ticks: the shortest that leaves seven columns for each.
func tickInterval(span time.Duration, width int) time.Duration {
	const hour, day = time.Hour, 24 * time.Hour
	for _, d := range []time.Duration{
		5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		hour, 2 * hour, 3 * hour, 4 * hour, 6 * hour, 12 * hour,
		day, 2 * day, 7 * day, 28 * day,
	} {
		if span/d <= time.Duration(max(1, width/7)) {
			return d
		}
	}
	return 365 * day
}
