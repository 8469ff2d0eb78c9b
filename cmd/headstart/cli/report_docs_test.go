package cli

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var updateReportDocs = flag.Bool("update-report-docs", false, "rewrite the outputs in docs/report.md")

// Every command of docs/report.md prints what the page shows below it.
func TestReportDocs(t *testing.T) { runDocs(t, "report.md", 3, *updateReportDocs) }

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
