package termchart

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// start is a Monday.
var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func TestChart(t *testing.T) {
	nan := math.NaN()
	hours := func(name string, values ...float64) Series { return SeriesOf(name, start, time.Hour, values) }
	c := Chart{
		Title: "a day", Start: start, End: start.Add(8 * time.Hour), Now: start.Add(4 * time.Hour), Width: 43, Height: 4,
		Area: hours("demand", 1, 2, 4, nan),
		Line: hours("plan", nan, 3, 3, 8, 8, 2, 2, 2),
		Dots: hours("expected", nan, nan, nan, nan, 6, 1),
		Lanes: []Lane{
			{Name: "peak", Mark: '▀', Marked: func(from, _ time.Time) bool { return from.Equal(start.Add(6 * time.Hour)) }},
			{Name: "a very long name", Mark: '!', Marked: func(from, _ time.Time) bool { return from.Equal(start) }},
			{Name: "none", Mark: '!', Marked: func(time.Time, time.Time) bool { return false }},
		},
	}
	want := []string{
		"a day",
		"        8 ┤            ╭───────╮",
		"        6 ┤            │   ┊   │",
		"        4 ┤    ────────╯   ┊   ╰───────────",
		"        2 ┤▄▄▄▄████████    ┊   ····",
		"          └┬───────┬───────┬───────┬───────",
	}
	got := c.Lines()
	if len(got) != 10 {
		t.Fatalf("%d lines: %q", len(got), got)
	}
	if diff := cmp.Diff(want, got[:6]); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	rest := strings.Join(got[6:], "\n")
	for _, part := range []string{"02:00", "peak", "a very l…", "█ demand   · expected   ─ plan   ! shortage   ┊ now"} {
		if !strings.Contains(rest, part) {
			t.Errorf("%q is missing in\n%s", part, rest)
		}
	}
}

// A chart keeps to its width, except that its legend may need up to 80 columns. It has no blanks at
// the ends of lines, and has colours only if they are allowed.
func TestChartFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.Just(math.NaN()), rapid.Just(math.Inf(1)), rapid.Float64Range(0, 1e12), rapid.Just(0.0))
		span := time.Duration(rapid.Int64Range(0, int64(400*24*time.Hour)).Draw(t, "span"))
		step := rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Hour, 24 * time.Hour}).Draw(t, "step")
		c := Chart{
			Title: "x", Start: start, End: start.Add(span), Now: start.Add(span / 2),
			Width:  rapid.IntRange(0, 120).Draw(t, "width"),
			Height: rapid.IntRange(0, 30).Draw(t, "height"),
			Area:   SeriesOf("demand", start.Add(-time.Hour), step, rapid.SliceOfN(value, 0, 50).Draw(t, "area")),
			Line:   SeriesOf("plan", start, step, rapid.SliceOfN(value, 0, 50).Draw(t, "line")),
			Lanes:  []Lane{{Name: "lane", Mark: '!', Marked: func(from, _ time.Time) bool { return from.Unix()%2 == 0 }}},
			Colour: rapid.Bool().Draw(t, "colour"),
		}
		width := max(40, c.Width)
		if c.Width == 0 {
			width = defaultWidth
		}
		for _, line := range c.Lines()[1:] {
			if c.Colour {
				for _, code := range []string{styleReset, styleArea, styleLine, styleDots, stylePeak, styleShort} {
					line = strings.ReplaceAll(line, code, "")
				}
			} else if strings.HasSuffix(line, " ") {
				t.Fatalf("there is a blank at the end: %q", line)
			}
			if n := utf8.RuneCountInString(line); n > max(width, 80) || strings.Contains(line, "\x1b") {
				t.Fatalf("%d columns of %d: %q", n, width, line)
			}
		}
	})
}

func TestSeriesOfBounds(t *testing.T) {
	largest := SeriesOf("x", start, time.Minute, []float64{1, math.NaN(), 3}).Max
	cases := map[string]struct {
		from, to time.Duration
		want     float64
		found    bool
	}{
		"first":        {0, time.Minute, 1, true},
		"gap":          {time.Minute, 2 * time.Minute, 0, false},
		"all":          {0, time.Hour, 3, true},
		"before":       {-time.Hour, 0, 0, false},
		"across":       {-time.Hour, time.Second, 1, true},
		"after":        {3 * time.Minute, time.Hour, 0, false},
		"part of step": {30 * time.Second, 40 * time.Second, 1, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, found := largest(start.Add(tc.from), start.Add(tc.to))
			if got != tc.want || found != tc.found {
				t.Errorf("got %v, %v, want %v, %v", got, found, tc.want, tc.found)
			}
		})
	}
}

func TestShortNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.25: "0.25", 999: "999", 12_000: "12k", 3.2e6: "3.2M", 8e9: "8G", 8e11: "800G",
		1e12: "1e+12", 1.6e300: "1.6e+300", math.Inf(1): "+Inf",
	} {
		if got := shortNumber(v); got != want {
			t.Errorf("shortNumber(%v) = %q, want %q", v, got, want)
		}
	}
}
