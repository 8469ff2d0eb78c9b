package spend

import (
	"math"
	"testing"
	"time"
)

// A Ledger goes on where it was after a restart.
func TestRestore(t *testing.T) {
	s := service{
		step: time.Hour, lead: 1, demand: daily(100, 0.5, time.Hour), expected: always(1.1), full: always(4),
	}
	var l Ledger
	b := Bound{AtMost: 1.5, Level: 0.99}
	s.run(&l, b, 400, func(int, Step, Keep) {})
	now := epoch.Add(401 * time.Hour)
	record := l.Record()
	if n := len(record.Text); n > 2048 {
		t.Errorf("a record has %d bytes", n)
	}
	restored, err := Restore(record, now)
	if err != nil {
		t.Fatal(err)
	}
	was, is := l.Keep(now, b), restored.Keep(now, b)
	if math.Abs(float64(was-is)) > 1e-3 || is >= All {
		t.Errorf("after a restart %v is kept instead of %v", is, was)
	}
	before, after := l.Figures(), restored.Figures()
	if math.Abs(before.Ratio-after.Ratio) > 1e-3 || math.Abs(before.Reachable-after.Reachable) > 1e-3 {
		t.Errorf("after a restart the figures are %+v instead of %+v", after, before)
	}
	if _, err := Restore(record, epoch); err == nil {
		t.Error("a record of the future is restored")
	}
	if got := (&Ledger{}).Record(); got.Text != "" {
		t.Errorf("nothing was counted, and the record is %+v", got)
	}
}

// Any text is restored or refused, and what is restored works.
func FuzzRestore(f *testing.F) {
	f.Add("0.99 0/1/0/0/0/0/0/0/0/0/0/0/0/0 6/10/5/12/6", int64(0), int64(3600))
	f.Add("0.99 0/1/0/0/0/0/0/0/0/0/0/0/0/0 6/1e15/0/12/6 6/0/0/0/0", int64(0), int64(7*3600))
	f.Add("2 x", int64(-1), int64(1<<60))
	f.Fuzz(func(t *testing.T, text string, since, until int64) {
		now := epoch
		l, err := Restore(Record{Since: time.Unix(since, 0), Until: time.Unix(until, 0), Text: text}, now)
		if err != nil {
			return
		}
		if k := l.Keep(now, Bound{AtMost: 2, Level: l.level}); !(k >= Nothing && k <= All) {
			t.Errorf("%q keeps %v", text, k)
		}
		again, err := Restore(l.Record(), now)
		if err != nil {
			t.Fatalf("%q: its own record is refused: %v", text, err)
		}
		if a, b := l.Record(), again.Record(); a.Text != b.Text {
			t.Errorf("%q becomes %q", a.Text, b.Text)
		}
	})
}
