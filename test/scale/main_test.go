package main

import (
	"math"
	"testing"
)

func TestLine(t *testing.T) {
	slope, intercept := line([]row{{n: 100, rss: 200}, {n: 300, rss: 300}, {n: 500, rss: 400}})
	if math.Abs(slope-0.5) > 1e-9 || math.Abs(intercept-150) > 1e-9 {
		t.Errorf("slope %g and intercept %g, want 0.5 and 150", slope, intercept)
	}
}

func TestMetrics(t *testing.T) {
	m := parseMetrics("# HELP a b\na{type=\"x\",n=\"1\"} 1\na{type=\"x\",n=\"2\"} 0\na{type=\"y\",n=\"1\"} 1\nab 5\nb 2.5e3\n")
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
