package warm

import "time"

// The warmer's interval in the tests of faults, and the requests that it may make in a minute.
// Watches and Events are not counted. Each reconciliation reads the quotas of two namespaces and
// the workload, and writes the status if it changed. A fault may not cause more requests than that.
const (
	faultInterval       = 2 * time.Second
	reconcilesPerMinute = 30
	readsPerMinute      = 5 * reconcilesPerMinute
	writesPerMinute     = 20
)

// checkRequests counts the requests for a while, logs them, and checks the bounds for every minute.
func (w *warmWorld) checkRequests(what string, over time.Duration) {
	w.t.Helper()
	begin := time.Now()
	time.Sleep(over)
	w.checkRequestsSince(what, begin)
}

// checkRequestsSince does the same for a time that has passed. Its last minute is a whole one, if
// the time is as long as that, and overlaps with the one before.
func (w *warmWorld) checkRequestsSince(what string, begin time.Time) {
	w.t.Helper()
	all, end := w.proxy.since(begin), time.Now()
	for from := begin; from.Before(end); from = from.Add(time.Minute) {
		switch left := end.Sub(from); {
		case from.After(begin) && left < 6*time.Second:
			return
		case from.After(begin) && left < time.Minute:
			from = end.Add(-time.Minute)
		}
		span := min(end.Sub(from), time.Minute)
		minutes, reads, writes := span.Minutes(), 0, 0
		for _, a := range all {
			switch {
			case !a.counted() || a.at.Before(from) || a.at.After(from.Add(span)):
			case a.writes():
				writes++
			default:
				reads++
			}
		}
		w.t.Logf("%s: %.0f reads and %.0f writes a minute", what, float64(reads)/minutes, float64(writes)/minutes)
		if float64(reads) > readsPerMinute*minutes || float64(writes) > writesPerMinute*minutes {
			w.t.Errorf("%s: %d reads and %d writes in %s, want at most %d and %d a minute",
				what, reads, writes, span, readsPerMinute, writesPerMinute)
		}
	}
}
