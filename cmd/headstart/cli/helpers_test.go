package cli

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"headstart.dev/headstart/cmd/headstart/app"
	"headstart.dev/headstart/cmd/headstart/cli/internal/prometheus"
)

// execute runs a command line as main does. args[0] is the name of the binary.
func execute(ctx context.Context, args []string, streams Streams) int {
	return Execute(ctx, args, testVersion, streams, app.NewServeCommand())
}

// testVersion is that of the commands in tests.
var testVersion = Version{
	Version: "v1.2.3", Commit: "0123456789abcdef0123456789abcdef01234567-dirty", Date: "2026-11-30T20:16:21Z",
	GoVersion: "go1.26", Platform: "linux/amd64",
}

// progressLine matches the progress of a long task. It depends on the speed of the machine, so
// tests remove it.
var progressLine = regexp.MustCompile(`(?m)^.+: \d+ %\n`)

// headstart runs the words of line, and then args, as one command line.
func headstart(t *testing.T, line string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return headstartWithInput(t, "", line, args...)
}

// headstartWithInput is headstart with text on standard input.
func headstartWithInput(t *testing.T, stdin, line string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	words := append(append([]string{"headstart"}, strings.Fields(line)...), args...)
	code = execute(context.Background(), words, Streams{strings.NewReader(stdin), &out, &errs})
	return out.String(), progressLine.ReplaceAllString(errs.String(), ""), code
}

// readFrom returns the flags that read the Prometheus at a URL.
func readFrom(url string) inputFlags { return inputFlags{prometheus: prometheus.Flags{At: url}} }

// file writes a file in a folder of its own.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// twoWeeks returns CSV with the same day 14 times, hour by hour, with a gap and a missing row.
func twoWeeks() string {
	var b strings.Builder
	b.WriteString("timestamp,value\n")
	at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for i := range 14 * 24 {
		value := fmt.Sprintf("%.3f", 60+40*math.Sin(2*math.Pi*float64(i)/24))
		switch i {
		case 250:
			value = ""
		case 260:
			continue
		}
		fmt.Fprintf(&b, "%s,%s\n", at.Add(time.Duration(i)*time.Hour).Format("2006-01-02 15:04"), value)
	}
	return b.String()
}

// wantGolden compares text with a file of testdata. HEADSTART_UPDATE=1 rewrites the file.
func wantGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if os.Getenv("HEADSTART_UPDATE") != "" {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: run the test with HEADSTART_UPDATE=1", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want, +got (run the test with HEADSTART_UPDATE=1)\n%s", file, diff)
	}
}
