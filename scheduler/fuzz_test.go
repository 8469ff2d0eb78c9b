package scheduler

import (
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

// slow is how long one evaluation of fuzzed input may take before it counts as a hang. None comes
// near it, even on a machine that is stopped for a while.
const slow = 30 * time.Second

func FuzzCron(f *testing.F) {
	for _, seed := range []string{
		"0 12 * * 1-5", "*/15 8-18 * * *", "0 0 1,15 * 1", "0 0 31 2 *", "0 0 29 2 *", "* * * * 7", "0 0 * * 1-7/2", "TZ=UTC",
		"CRON_TZ= 0 0 * * *", "@every 1s", "0/0 * * * *", ", , , , ,", "*-5 * * * *", "? ? ? ? ?",
		"99 99 99 99 99", "0 */2 1 jan sun",
	} {
		f.Add(seed, int64(1_700_000_000))
	}
	location, err := time.LoadLocation("America/New_York")
	if err != nil {
		f.Fatal(err)
	}
	z := newZone(location)
	f.Fuzz(func(t *testing.T, expression string, instant int64) {
		begin := time.Now()
		m, err := parseCron(expression)
		if err != nil {
			return
		}
		instant %= (dayCount - 10000) * secondsPerDay
		w := window{cron: &m, duration: time.Hour}
		next, ok := w.nextStart(z, z.moment(instant))
		if instant >= 0 && !ok {
			t.Fatalf("%q never starts after %d, but was accepted", expression, instant)
		}
		if next <= instant {
			t.Fatalf("%q: the start after %d is %d", expression, instant, next)
		}
		if last, ok := w.lastStart(z, z.moment(next)); !ok || last != next {
			t.Fatalf("%q starts at %d, but the latest start at that time is %d", expression, next, last)
		}
		if last, ok := w.lastStart(z, z.moment(next-1)); ok && last > instant {
			t.Fatalf("%q: %d lies between %d and the next start %d", expression, last, instant, next)
		}
		if took := time.Since(begin); took > slow {
			t.Fatalf("%q took %s", expression, took)
		}
	})
}

func FuzzDuration(f *testing.F) {
	for _, seed := range []string{
		"1h30m", "28d", "", "h", "9223372036854775807ms", "1y1w1d1h1m1s1ms", "-1h", "1.5h", "00s", "1m1m",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := v1alpha1.Duration(text).Parse()
		if err != nil {
			return
		}
		if d < 0 {
			t.Fatalf("%q is %s", text, d)
		}
		again, err := v1alpha1.FormatDuration(d).Parse()
		if err != nil || again != d {
			t.Fatalf("%q is %s, written %s, read again %s, %v", text, d, v1alpha1.FormatDuration(d), again, err)
		}
	})
}

func FuzzDate(f *testing.F) {
	for _, seed := range []string{
		"2026-02-17", "2026-10-01/2026-10-07", "2026-02-30", "0000-00-00", "9999-12-31", "/",
		"1970-01-01/2199-12-31", "2026-11-11T00:00", "2026-11-11T00:00:30",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := parseSpan(text); err == nil {
			written := formatDay(s.first)
			if strings.Contains(text, "/") {
				written += "/" + formatDay(s.last)
			}
			if written != text || s.first < 0 || s.last >= dayCount || s.first > s.last {
				t.Fatalf("%q was read as %s", text, written)
			}
		}
		if wall, err := parseStart(text); err == nil && (wall < 0 || wall >= dayCount*secondsPerDay) {
			t.Fatalf("%q was read as %d", text, wall)
		}
	})
}
