package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// People try both words, and both names.
func TestVersion(t *testing.T) {
	for name, want := range map[string]string{"headstart": "headstart version dev\n", "kubectl-headstart": "kubectl headstart version dev\n"} {
		for _, word := range []string{"version", "--version"} {
			var out, errs bytes.Buffer
			if code := Execute(t.Context(), []string{name, word}, "dev", Streams{strings.NewReader(""), &out, &errs}); code != 0 || out.String() != want {
				t.Errorf("%s %s: exit %d, %q, %q; want %q", name, word, code, out.String(), errs.String(), want)
			}
		}
	}
}

// A pipe hears of a long job now and then, and nothing of a short one; a terminal has one line that is rewritten.
func TestProgress(t *testing.T) {
	for name, tc := range map[string]struct {
		tty  bool
		over time.Duration
		want string
	}{
		"ShortPipe": {false, 29 * time.Second, ""},
		"LongPipe":  {false, 95 * time.Second, "replaying: 30 %\nreplaying: 60 %\nreplaying: 90 %\n"},
		"Terminal":  {true, time.Second, "\r\x1b[Kreplaying: 0 %\r\x1b[Kreplaying: 1 %\r\x1b[K"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			now := time.Unix(0, 0)
			bar := progressAt(&out, "replaying", tc.tty, func() time.Time { return now })
			for elapsed := time.Duration(0); elapsed <= tc.over; elapsed += time.Second {
				now = time.Unix(0, 0).Add(elapsed)
				bar.show(int(elapsed/time.Second), 100)
			}
			bar.end()
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("-want, +got\n%s", diff)
			}
		})
	}
}
