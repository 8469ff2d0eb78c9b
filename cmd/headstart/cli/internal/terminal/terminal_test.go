package terminal

import (
	"os"
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
