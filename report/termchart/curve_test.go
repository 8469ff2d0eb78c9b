package termchart

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestCurve(t *testing.T) {
	c := Curve{
		Title: "latency", XName: "load", LowName: "half", HighName: "most",
		Points: []CurvePoint{{1, 0.1, 0.2}, {4, 0.2, 0.5}, {8, 0.4, 9}, {math.NaN(), 1, 1}, {9, math.NaN(), 1}},
		Limit:  0.5, LimitName: "objective",
		Marks: []CurveMark{{5, '┊', "estimate"}, {math.NaN(), '╎', "unknown"}},
		Width: 41, Height: 5,
	}
	want := []string{
		"latency",
		"      1.6 ┤               ┊        ▲",
		"          ┤               ┊        │",
		"          ┤               ┊        │",
		"          ┤╌╌╌╌╌╌╌╌╌╌╌╌▪╌╌╌╌╌╌╌╌╌╌╌·╌╌╌╌╌",
		"          ┤   ▪        ·  ┊",
		"          └┬──────────────┬──────────────",
		"           0              5            10",
		"           load",
		"           · half   ▪ most",
		"           ▲ above the chart",
		"           ╌ objective   ┊ estimate",
	}
	if diff := cmp.Diff(want, c.Lines()); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
}

// An objective far above all latencies is still on the chart.
func TestCurveShowsTheLimit(t *testing.T) {
	c := Curve{Points: []CurvePoint{{1, 0.1, 0.2}}, Limit: 5, LimitName: "objective"}
	if text := strings.Join(c.Lines(), "\n"); strings.Count(text, "╌") < 80 {
		t.Errorf("no line:\n%s", text)
	}
}

func TestCurveWithoutPoints(t *testing.T) {
	got := Curve{Title: "latency", Limit: 1}.Lines()
	if diff := cmp.Diff([]string{"latency", "  there is no data to draw"}, got); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
}

// A curve keeps to its width, legend included, whatever the numbers are.
func TestCurveFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.Float64(), rapid.Float64Range(0, 10), rapid.SampledFrom([]float64{
			math.NaN(), math.Inf(1), math.Inf(-1), 0, 5e-324, math.MaxFloat64,
		}))
		c := Curve{
			Title: "x", XName: rapid.String().Draw(t, "name"), LowName: "half of the steps are at most",
			HighName: "99 % of the steps are at most", Limit: value.Draw(t, "limit"), LimitName: "objective: at most 0.5",
			Marks:  []CurveMark{{value.Draw(t, "mark"), '┊', "estimate 12.5"}, {value.Draw(t, "bound"), '╎', "lower bound 11"}},
			Width:  rapid.IntRange(0, 160).Draw(t, "width"),
			Height: rapid.IntRange(0, 30).Draw(t, "height"),
			Colour: rapid.Bool().Draw(t, "colour"),
		}
		for range rapid.IntRange(0, 64).Draw(t, "points") {
			c.Points = append(c.Points, CurvePoint{value.Draw(t, "x"), value.Draw(t, "low"), value.Draw(t, "high")})
		}
		width := max(40, c.Width)
		if c.Width == 0 {
			width = defaultWidth
		}
		for _, line := range c.Lines()[1:] {
			for _, code := range []string{styleReset, styleArea, styleLine, styleDots, stylePeak, styleShort} {
				line = strings.ReplaceAll(line, code, "")
			}
			if n := utf8.RuneCountInString(line); n > width {
				t.Fatalf("%d columns of %d: %q", n, width, line)
			}
		}
	})
}
