package terminal

import (
	"os"
	"strings"
	"testing"
)

// With --color=auto, only a terminal gets colours.
func TestUseColour(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for flag, want := range map[string]bool{"auto": false, "never": false, "always": true} {
		if got, err := UseColour(flag, null); err != nil || got != want {
			t.Errorf("%s: %v, %v", flag, got, err)
		}
	}
}

// The last columns go where the width is short, and are named. The first two stay.
func TestWriteFitting(t *testing.T) {
	rows := [][]string{{"NAME", "READY", "REASON"}, {"chat", "True", "Döner"}}
	for width, want := range map[int]string{
		100: "NAME  READY  REASON\nchat  True   Döner\n",
		19:  "NAME  READY  REASON\nchat  True   Döner\n",
		18:  "NAME  READY\nchat  True\n(too narrow for REASON)\n",
		1:   "NAME  READY\nchat  True\n(too narrow for REASON)\n",
	} {
		var out strings.Builder
		WriteFitting(&out, rows, width)
		if out.String() != want {
			t.Errorf("at %d columns: %q, want %q", width, out.String(), want)
		}
	}
}
