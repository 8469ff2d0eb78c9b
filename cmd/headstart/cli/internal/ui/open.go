package ui

import (
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Open opens the page in the user's browser. Arguments of a command can be seen by all users of a
// machine, so the browser is given a file that only the user can read. The file leads to the
// address. The returned function removes it.
func Open(address string) (remove func(), err error) {
	file, remove, err := launcher(address)
	if err != nil {
		return remove, err
	}
	name, args := opener(runtime.GOOS)
	cmd := exec.Command(name, append(args, file)...)
	if err := cmd.Start(); err != nil {
		return remove, err
	}
	go func() { _ = cmd.Wait() }() // it ends when it has told the browser
	return remove, nil
}

// launcher writes a file that leads to an address, which only the user can read.
func launcher(address string) (file string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "headstart-ui-") // only the user may enter it
	if err != nil {
		return "", func() {}, err
	}
	file, remove = filepath.Join(dir, "open.html"), func() { _ = os.RemoveAll(dir) } // a leftover leads nowhere
	text := fmt.Sprintf("<!doctype html><meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\">"+
		"<meta http-equiv=\"refresh\" content=\"0;url=%s\"><title>Headstart</title>", html.EscapeString(address))
	return file, remove, os.WriteFile(file, []byte(text), 0o600)
}

// opener returns the command that opens a file in the browser.
func opener(system string) (name string, args []string) {
	switch system {
	case "darwin":
		return "open", nil
	case "windows":
		return "rundll32", []string{"url.dll,FileProtocolHandler"}
	default:
		return "xdg-open", nil
	}
}
