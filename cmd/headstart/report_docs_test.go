package main

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

// Every command of docs/report.md prints what stands below it.
func TestReportDocs(t *testing.T) {
	path, err := filepath.Abs(filepath.Join("..", "..", "docs", "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join("..", "..")) // commands are given from the top of the repository
	blocks := regexp.MustCompile("(?s)```console\n\\$ headstart ([^\n]*)\n(.*?)```")
	ran := 0
	fresh := blocks.ReplaceAllFunc(text, func(block []byte) []byte {
		ran++
		args := strings.Fields(string(blocks.FindSubmatch(block)[1]))
		stdout, stderr, code := headstart(t, args...)
		if code != 0 || stderr != "" {
			t.Errorf("%v: exit %d: %s", args, code, stderr)
		}
		return []byte("```console\n$ headstart " + strings.Join(args, " ") + "\n" + stdout + "```")
	})
	if ran < 3 {
		t.Errorf("%d commands were found", ran)
	}
	if *updateReportDocs {
		if err := os.WriteFile(path, fresh, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(fresh, text) {
		t.Errorf("run this test with -update-report-docs; -docs, +now:\n%s", cmp.Diff(string(text), string(fresh)))
	}
}
