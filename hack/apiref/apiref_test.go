package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPageIsCurrent: the committed page is what the CRDs give.
func TestPageIsCurrent(t *testing.T) {
	top := filepath.Join("..", "..")
	want, err := reference(filepath.Join(top, "manifests", "base", "crds"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(top, "docs", "api.md"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/api.md is not current: run make generate (-want +got)\n%s", diff)
	}
	for _, row := range []string{
		"| `demand.prometheus.query` * | string |", "| `provisionFor.serviceLevel` | string |",
		"| `windows[].demand.multiply` |", "Default: `1m`.", "One of `Active`, `DryRun`, `Paused`.",
		"| `conditions` | list of Conditions |",
	} {
		if !strings.Contains(string(got), row) {
			t.Errorf("docs/api.md does not have %q", row)
		}
	}
}

func TestWrap(t *testing.T) {
	text := "- " + strings.Repeat("word ", 30)
	for line := range strings.Lines(wrap(text)) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > columns {
			t.Errorf("%d columns: %s", n, line)
		}
		if !strings.HasPrefix(line, "- ") && !strings.HasPrefix(line, "  ") {
			t.Errorf("not indented: %q", line)
		}
	}
}
