package cli

import (
	"bytes"
	"errors"
	"flag"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"headstart.dev/headstart/cmd/headstart/app"
)

var updateReportDocs = flag.Bool("update-report-docs", false, "rewrite the outputs in docs/report.md")

// Every command of docs/report.md prints what the page shows below it.
func TestReportDocs(t *testing.T) {
	if testing.Short() {
		t.Skip("its reports take longer than all other tests of this package")
	}
	runDocs(t, "report.md", 3, *updateReportDocs)
}

// runDocs runs the commands of a page of docs from the top of the repository. There must be at
// least that many. A command that ends in 2>&1 shows its standard error too; any other command must
// not write to it.
func runDocs(t *testing.T, page string, least int, update bool) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join("..", "..", ".."))
	blocks := regexp.MustCompile("(?s)```console\n\\$ headstart ([^\n]*)\n(.*?)```")
	ran := 0
	fresh := blocks.ReplaceAllFunc(text, func(block []byte) []byte {
		ran++
		line := string(blocks.FindSubmatch(block)[1])
		args, withErrors := strings.CutSuffix(line, " 2>&1")
		var out, errs bytes.Buffer
		streams := Streams{strings.NewReader(""), &out, &errs}
		if withErrors {
			streams.Err = &out
		}
		code := execute(t.Context(), append([]string{"headstart"}, strings.Fields(args)...), streams)
		if stderr := progressLine.ReplaceAllString(errs.String(), ""); code != 0 || stderr != "" {
			t.Errorf("%s: exit %d: %s", line, code, stderr)
		}
		stdout := progressLine.ReplaceAllString(out.String(), "")
		return []byte("```console\n$ headstart " + line + "\n" + stdout + "```")
	})
	if ran < least {
		t.Errorf("%d commands were found, want at least %d", ran, least)
	}
	if update {
		if err := os.WriteFile(path, fresh, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(fresh, text) {
		t.Errorf("run this test with its flag to update %s; -docs, +now:\n%s",
			page, cmp.Diff(string(text), string(fresh)))
	}
}

// Every other command of docs/report.md has flags and arguments that exist. Those that need no
// cluster run, on a history of the test.
func TestReportDocsExamples(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(wavePrometheus(0))
	defer server.Close()
	t.Chdir(t.TempDir())
	if err := os.Mkdir("exports", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"latency.csv": twoWeeks(), "replicas.csv": twoWeeks(),
		"demand.csv": twoWeeks(), "exports/web.csv": twoWeeks(), "all.csv": twoServices(),
		"capacities.csv": "service,capacity\nweb,4\n", "queries.txt": "checkout: sum(rate(x[2m]))\n",
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, ran := 0, 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			line = strings.TrimSpace(line)
			args, ok := strings.CutPrefix(strings.TrimPrefix(line, "kubectl "), "headstart ")
			if !ok {
				continue
			}
			args, _, _ = strings.Cut(args, " >")
			words := shellWords(args)
			root := newRootCommand("headstart", testVersion, Streams{}, app.NewServeCommand())
			cmd, rest, err := root.Find(words)
			if err == nil {
				err = errors.Join(cmd.ParseFlags(rest), cmd.ValidateArgs(cmd.Flags().Args()))
			}
			if err != nil {
				t.Errorf("%s: %v", line, err)
			}
			parsed++
			if strings.HasPrefix(line, "kubectl ") {
				continue
			}
			for i, word := range words {
				if word == "http://localhost:9090" {
					words[i] = server.URL
					words = append(words, "--history", "14d", "--step", "1h") // to be fast
				}
			}
			var out, errs bytes.Buffer
			streams := Streams{strings.NewReader(""), &out, &errs}
			if code := execute(t.Context(), append([]string{"headstart"}, words...), streams); code != 0 || out.Len() == 0 {
				t.Errorf("%s: exit %d: %s", line, code, errs.String())
			}
			ran++
		}
	}
	if parsed < 9 || ran < 5 {
		t.Errorf("%d commands were found, and %d ran", parsed, ran)
	}
}

// shellWords splits a command line. Single quotes keep a word together.
func shellWords(line string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`'([^']*)'|(\S+)`).FindAllStringSubmatch(line, -1) {
		out = append(out, m[1]+m[2])
	}
	return out
}
