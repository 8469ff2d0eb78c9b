package cli

import (
	"bytes"
	"context"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// impatientTerminal is a terminal whose user interrupts a command at its first progress line.
type impatientTerminal struct {
	bytes.Buffer
	task      string
	interrupt func()
}

func (*impatientTerminal) IsTerminal() bool { return true }

func (w *impatientTerminal) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(w.task)) {
		w.interrupt()
	}
	return w.Buffer.Write(b)
}

// A signal ends a long command at once: it writes no result, and its message says that it was
// interrupted, instead of Go's "context canceled".
func TestInterrupted(t *testing.T) {
	one := twoWeeks()
	header, rows, _ := strings.Cut(one, "\n")
	many := "series," + header + "\n"
	for _, name := range []string{"a", "b", "c"} {
		many += name + "," + strings.ReplaceAll(strings.TrimSpace(rows), "\n", "\n"+name+",") + "\n"
	}
	report := "report --lead 1h --capacity 5 --input " + file(t, "demand.csv", one)
	cases := map[string]struct{ reason, task, line string }{
		"Replay": {
			"a replay is hundreds of steps", "replaying", report + " --service-level 0.99 --decisions decisions.csv",
		},
		"Sweep": {
			"several replays at once all end", "replaying", report + " --shortage-cost 20 --sweep --policies all",
		},
		"Forecast": {
			"a file may have many series", "forecasting",
			"forecast --horizon 4h --quantiles 0.5 --input " + file(t, "many.csv", many),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var out bytes.Buffer
			errs := &impatientTerminal{task: tc.task, interrupt: cancel}
			args := append([]string{"headstart"}, strings.Fields(tc.line)...)
			code := execute(ctx, args, Streams{strings.NewReader(""), &out, errs})
			checkInterrupted(t, tc.reason, code, out.String(), errs.String())
		})
	}
}

var percentage = regexp.MustCompile(`: (\d+) %`)

// checkInterrupted checks what a command that was interrupted left behind.
func checkInterrupted(t *testing.T, reason string, code int, stdout, stderr string) {
	t.Helper()
	shown := percentage.FindAllStringSubmatch(stderr, -1)
	for _, percent := range shown {
		if n, err := strconv.Atoi(percent[1]); err != nil || n >= 50 {
			t.Errorf("\nReason: %s\nit went on to %s %%", reason, percent[1])
		}
	}
	if len(shown) == 0 {
		t.Errorf("\nReason: %s\nit showed no progress: %q", reason, stderr)
	}
	want := "\x1b[Kheadstart: interrupted before it was done\n"
	if code == 0 || stdout != "" || !strings.HasSuffix(stderr, want) {
		t.Errorf("\nReason: %s\nexit %d, %q on stderr and %q on stdout; want it to end with %q",
			reason, code, stderr, stdout, want)
	}
	if left, err := filepath.Glob("*"); err != nil || len(left) > 0 {
		t.Errorf("\nReason: %s\nit left %q behind, %v", reason, left, err)
	}
}
