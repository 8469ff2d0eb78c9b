// Package format writes the numbers of a report as text, for its sentences and its tables.
package format

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Share writes a share as a percentage with enough digits to tell it from 0 % and 100 %.
func Share(v float64) string {
	switch p := 100 * v; {
	case p == 0, p == 100:
		return fmt.Sprintf("%.0f %%", p)
	case p < 0.01:
		return "< 0.01 %"
	case p < 10:
		return fmt.Sprintf("%.2f %%", p)
	case p >= 99.95 && p < 100:
		return fmt.Sprintf("%.2f %%", p)
	default:
		return fmt.Sprintf("%.1f %%", p)
	}
}

// Shown returns a share as Share writes it. A share that it writes as below the smallest one is
// half of that.
func Shown(v float64) float64 {
	text := strings.TrimSuffix(Share(v), " %")
	if strings.HasPrefix(text, "<") {
		return 0.5e-4
	}
	shown, _ := strconv.ParseFloat(text, 64) // always parses
	return shown / 100
}

// Percent writes a share as a whole percentage.
func Percent(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) }

// Change says by how much now is above or below before, such as "12 % more".
func Change(now, before float64) string { return ByPercent(More(now, before)) }

// ByPercent writes a change that More returned.
func ByPercent(more int) string {
	switch {
	case more == Endless:
		return "more"
	case more > 0:
		return Count(more) + " % more"
	case more < 0:
		return Count(-more) + " % fewer"
	default:
		return "as many"
	}
}

// Endless is what More returns where no percentage says how much more it is.
const Endless = math.MaxInt32

// More returns by how many percent now is above before, as a whole number. Everything that shows or
// judges such a change rounds it here: at 12.5 % one page must not say both 12 and 13. It is
// Endless if before is 0 and now is not: that is no tie.
func More(now, before float64) int {
	switch {
	case now == before:
		return 0
	case before == 0:
		return Endless
	}
	return int(math.Min(Endless, math.Round(100*(now/before-1))))
}

// Count writes a whole number with thousands separators.
func Count(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Whole writes a number rounded to a whole one, with thousands separators.
func Whole(v float64) string { return Count(int(math.Round(v))) }

// Plain writes a number with all its digits, without an exponent.
func Plain(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// Rounded returns a number rounded to five significant digits.
func Rounded(v float64) float64 {
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 5, 64), 64) // always parses
	return rounded
}

// Significant writes a number with at most five significant digits.
func Significant(v float64) string { return Plain(Rounded(v)) }

// digits is how many digits of a computed number are written for programs. What follows them is
// rounding of floating-point sums, such as that of 112.98700000000001.
const digits = 10

// Number writes a number for programs, with all digits that mean something.
func Number(v float64) string { return strconv.FormatFloat(v, 'g', digits, 64) }

// NumbersOf returns a JSON text with each number written as Number writes it.
func NumbersOf(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		end := i + 1
		switch c := text[i]; {
		case c == '"':
			for end < len(text) && text[end] != '"' {
				if text[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end+1, len(text))
			out = append(out, text[i:end]...)
		case c == '-' || c >= '0' && c <= '9':
			for end < len(text) && strings.IndexByte("+-.eE0123456789", text[end]) >= 0 {
				end++
			}
			out = append(out, number(text[i:end])...)
		default:
			out = append(out, c)
		}
		i = end
	}
	return out
}

// number shortens a number of a JSON text. A whole number stays as it is.
func number(text []byte) string {
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil || len(text) <= digits || strings.IndexByte(string(text), '.') < 0 {
		return string(text)
	}
	return Number(v)
}

// Time writes a time in UTC, to the minute.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }

// Seconds writes a duration given in seconds. See Duration.
func Seconds(s float64) string { return Duration(time.Duration(s * float64(time.Second))) }

// Duration writes a duration in its two largest units: 10m, 1h30m, 14d.
func Duration(d time.Duration) string {
	d = d.Round(time.Second)
	if d <= 0 {
		return "0"
	}
	units := []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}
	var b strings.Builder
	parts := 0
	for _, u := range units {
		n := d / u.size
		d -= n * u.size
		if n == 0 && parts == 0 {
			continue
		}
		if n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
		}
		if parts++; parts == 2 {
			break
		}
	}
	return b.String()
}
