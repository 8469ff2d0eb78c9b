package terminal

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A pipe gets a line now and then, and none for a short task. A terminal has one line that is
// rewritten.
func TestProgress(t *testing.T) {
	for name, tc := range map[string]struct {
		terminal bool
		over     time.Duration
		want     string
	}{
		"ShortPipe": {false, 29 * time.Second, ""},
		"LongPipe":  {false, 95 * time.Second, "replaying: 30 %\nreplaying: 60 %\nreplaying: 90 %\n"},
		"Terminal":  {true, time.Second, "\r\x1b[Kreplaying: 0 %\r\x1b[Kreplaying: 1 %\r\x1b[K"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			now := time.Unix(0, 0)
			bar := newProgressAt(&out, "replaying", tc.terminal, func() time.Time { return now })
			for elapsed := time.Duration(0); elapsed <= tc.over; elapsed += time.Second {
				now = time.Unix(0, 0).Add(elapsed)
				bar.Show(int(elapsed/time.Second), 100)
			}
			bar.End()
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("-want, +got\n%s", diff)
			}
		})
	}
}
