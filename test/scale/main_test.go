package main

import (
	"math"
	"testing"
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
