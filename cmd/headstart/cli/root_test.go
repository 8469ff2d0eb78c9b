package cli

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"headstart.dev/headstart/cmd/headstart/app"
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

// Every help text begins with one sentence that says what the command does, has an example, and
// fits a terminal.
func TestHelp(t *testing.T) {
	root := newRootCommand("headstart", "dev", Streams{}, app.NewServeCommand())
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			check(sub)
		}
		if cmd.Name() == "version" || cmd.Name() == "calendar" {
			return // the one line of the list of commands says it all
		}
		t.Run(cmd.CommandPath(), func(t *testing.T) {
			first, _, _ := strings.Cut(cmd.Long, "\n\n")
			if strings.Count(first, ".") != 1 || !strings.HasSuffix(first, ".") {
				t.Errorf("the help begins with %q, want one sentence", first)
			}
			if cmd.Example == "" {
				t.Error("there is no example")
			}
			var help bytes.Buffer
			cmd.SetOut(&help)
			if err := cmd.Help(); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(help.String()) {
				if utf8.RuneCountInString(line) > usageWidth+10 {
					t.Errorf("the line is too long: %s", line)
				}
			}
		})
	}
	check(root)
}

// A mistake in the command line is an error that says where to look.
func TestUsageErrors(t *testing.T) {
	cases := map[string]struct{ line, want string }{
		"Command":    {"reprot", `did you mean "report"?`},
		"Subcommand": {"calendar delete", `run "headstart calendar --help"`},
		"Flag":       {"status --lead 3m", `run "headstart status --help"`},
		"Number":     {"peaks --limit 1.5", `--limit "1.5" is not a whole number`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := headstart(t, tc.line)
			if code == 0 || stdout != "" || !strings.Contains(stderr, tc.want) {
				t.Errorf("exit %d, %q, %q; want an error with %q", code, stdout, stderr, tc.want)
			}
		})
	}
}
