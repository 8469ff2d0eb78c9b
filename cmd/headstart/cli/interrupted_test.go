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

// watcher is a terminal in front of which somebody gives up as soon as a job tells of its progress.
type watcher struct {
	bytes.Buffer
	job    string
	giveUp func()
}

func (*watcher) IsTerminal() bool { return true }

func (w *watcher) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(w.job)) {
		w.giveUp()
	}
	return w.Buffer.Write(b)
}

// A signal in the middle of a job ends it there: nothing is written, and the message says so and not what the code is made of.
func TestInterrupted(t *testing.T) {
	one := twoWeeks()
	header, rows, _ := strings.Cut(one, "\n")
	many := "series," + header + "\n"
	for _, name := range []string{"a", "b", "c"} {
		many += name + "," + strings.ReplaceAll(strings.TrimSpace(rows), "\n", "\n"+name+",") + "\n"
	}
	cases := map[string]struct {
		reason string
		job    string
		args   []string
	}{
		"Replay":   {"a replay is hundreds of steps", "replaying", []string{"report", "--input", file(t, "demand.csv", one), "--lead", "1h", "--capacity", "5", "--service-level", "0.99", "--decisions", "decisions.csv"}},
		"Sweep":    {"several replays at once all end", "replaying", []string{"report", "--input", file(t, "demand.csv", one), "--lead", "1h", "--capacity", "5", "--shortage-cost", "20", "--sweep", "--policies", "all"}},
		"Forecast": {"a file may have many series", "forecasting", []string{"forecast", "--input", file(t, "many.csv", many), "--horizon", "4h", "--quantiles", "0.5"}},
	}
	told := regexp.MustCompile(`: (\d+) %`)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var out bytes.Buffer
			errs := &watcher{job: tc.job, giveUp: cancel}
			code := Execute(ctx, append([]string{"headstart"}, tc.args...), "dev", Streams{strings.NewReader(""), &out, errs})
			said := errs.String()
			for _, percent := range told.FindAllStringSubmatch(said, -1) {
				if n, err := strconv.Atoi(percent[1]); err != nil || n >= 50 {
					t.Errorf("\nReason: %s\nit went on to %s %%", tc.reason, percent[1])
				}
			}
			if !told.MatchString(said) {
				t.Errorf("\nReason: %s\nit was not under way: %q", tc.reason, said)
			}
			if want := "\x1b[Kheadstart: interrupted before it was done\n"; code == 0 || out.Len() > 0 || !strings.HasSuffix(said, want) {
				t.Errorf("\nReason: %s\nexit %d, %q on stderr and %q on stdout; want it to end with %q", tc.reason, code, said, out.String(), want)
			}
			if left, err := filepath.Glob("*"); err != nil || len(left) > 0 {
				t.Errorf("\nReason: %s\nwhat was half done left %q, %v", tc.reason, left, err)
			}
		})
	}
}
