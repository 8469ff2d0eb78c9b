package cli

import (
	"bytes"
	"strings"
	"testing"
)

// Users try the command and the flag, and the binary has two names.
func TestVersion(t *testing.T) {
	for name, want := range map[string]string{
		"headstart":         "headstart version dev\n",
		"kubectl-headstart": "kubectl headstart version dev\n",
	} {
		for _, word := range []string{"version", "--version"} {
			var out, errs bytes.Buffer
			code := execute(t.Context(), []string{name, word}, Streams{strings.NewReader(""), &out, &errs})
			if code != 0 || out.String() != want {
				t.Errorf("%s %s: exit %d, %q, %q; want %q", name, word, code, out.String(), errs.String(), want)
			}
		}
	}
}
