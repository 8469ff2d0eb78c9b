package ui

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The file that the browser is given leads to the page, and nobody else can read it. It is gone at
// the end.
func TestLauncher(t *testing.T) {
	const address = "http://127.0.0.1:8080/a-secret/"
	file, remove, err := launcher(address)
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	for path, want := range map[string]os.FileMode{file: 0o600, filepath.Dir(file): 0o700} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has the permissions %v, want %v", path, got, want)
		}
	}
	if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), "url="+address+`"`) {
		t.Errorf("%v: %s", err, text)
	}
	remove()
	if _, err := os.Stat(filepath.Dir(file)); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}

// Each system has a command that opens a file.
func TestOpener(t *testing.T) {
	for system, want := range map[string]string{"linux": "xdg-open", "darwin": "open", "windows": "rundll32"} {
		if got, _ := opener(system); got != want {
			t.Errorf("%s: %s, want %s", system, got, want)
		}
	}
}
