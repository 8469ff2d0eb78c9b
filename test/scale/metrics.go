package main

import (
	"strconv"
	"strings"
)

// metrics are the lines of a page of metrics: series and values.
type metrics map[string]float64

func parseMetrics(text string) metrics {
	m := metrics{}
	for line := range strings.Lines(text) {
		i := strings.LastIndexByte(strings.TrimSpace(line), ' ')
		if i < 0 || line[0] == '#' {
			continue
		}
		if v, err := strconv.ParseFloat(strings.TrimSpace(line[i:]), 64); err == nil {
			m[line[:i]] = v
		}
	}
	return m
}

// has reports whether a series is of this metric and has these labels.
func has(series, name string, labels []string) bool {
	metric, rest, _ := strings.Cut(series, "{")
	if metric != name {
		return false
	}
	for _, label := range labels {
		if !strings.Contains(rest, label) {
			return false
		}
	}
	return true
}

// label returns the value of a label of a series, which has no quotes in it.
func label(series, name string) string {
	for _, before := range []string{"{", ","} {
		if _, rest, ok := strings.Cut(series, before+name+`="`); ok {
			value, _, _ := strings.Cut(rest, `"`)
			return value
		}
	}
	return ""
}

func (m metrics) sum(name string, labels ...string) (sum float64) {
	for series, v := range m {
		if has(series, name, labels) {
			sum += v
		}
	}
	return sum
}

// count returns how many series have this value.
func (m metrics) count(name, label string, value float64) (n int) {
	for series, v := range m {
		if has(series, name, []string{label}) && v == value {
			n++
		}
	}
	return n
}
