package main

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestLine(t *testing.T) {
	slope, intercept := line([]row{{held: 100, rss: 200}, {held: 300, rss: 300}, {held: 500, rss: 400}})
	if math.Abs(slope-0.5) > 1e-9 || math.Abs(intercept-150) > 1e-9 {
		t.Errorf("slope %g and intercept %g, want 0.5 and 150", slope, intercept)
	}
}

func TestMetrics(t *testing.T) {
	m := parseMetrics(`# HELP a b
a{type="x",n="1"} 1
a{type="x",n="2"} 0
a{type="y",n="1"} 1
ab 5
b 2.5e3
`)
	if got := m.sum("a"); got != 2 {
		t.Errorf("the sum is %g, want 2", got)
	}
	if got := m.count("a", `type="x"`, 1); got != 1 {
		t.Errorf("%d series, want 1", got)
	}
	if got := m.sum("b"); got != 2500 {
		t.Errorf("the sum is %g, want 2500", got)
	}
}

func TestLabel(t *testing.T) {
	const series = `a{forecast="fc-1",namespace="scale-1",type="HistoryReady"}`
	for name, want := range map[string]string{
		"forecast": "fc-1", "namespace": "scale-1", "type": "HistoryReady", "space": "", "other": "",
	} {
		if got := label(series, name); got != want {
			t.Errorf("label %s is %q, want %q", name, got, want)
		}
	}
}

// A row says what was measured, and leaves out what was not.
func TestRow(t *testing.T) {
	alone := row{n: 300, planned: 300, plannedOf: 300, cpu: 0.05}.String()
	for _, part := range []string{"death", "shares", "outage", "checked"} {
		if strings.Contains(alone, part) {
			t.Errorf("%q mentions %q", alone, part)
		}
	}
	full := row{
		n: 9, shares: []int{3, 4, 2}, death: 90 * time.Second, takeover: 21 * time.Second, oldest: 5 * time.Minute,
		outage: time.Second, served: served{checked: 9, planned: 4, right: 4, overloaded: 5},
	}.String()
	for _, part := range []string{
		"shares [3 4 2], the largest 2.00 times", "within 21 s", "within 90 s", "of 300 s before", "4 of 4 planned ones",
		"5 others are Overloaded",
	} {
		if !strings.Contains(full, part) {
			t.Errorf("%q does not mention %q", full, part)
		}
	}
}
