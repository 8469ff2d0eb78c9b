package cli

import (
	"bytes"
	"encoding/json"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"headstart.dev/headstart/cmd/headstart/app"
	"headstart.dev/headstart/cmd/headstart/cli/internal/usage"
)

// Users try the command and the flag, and the binary has two names.
func TestVersion(t *testing.T) {
	const line = "v1.2.3 (commit 0123456789ab-dirty, 2026-11-30T20:16:21Z, go1.26, linux/amd64)\n"
	for name, want := range map[string]string{
		"headstart":         "headstart version " + line,
		"kubectl-headstart": "kubectl headstart version " + line,
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

// Scripts read the version as JSON.
func TestVersionJSON(t *testing.T) {
	out, errs, code := headstart(t, "version -o json")
	var got Version
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 {
		t.Fatalf("exit %d, %v: %s%s", code, err, out, errs)
	}
	if diff := cmp.Diff(testVersion, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, errs, code := headstart(t, "version -o yaml"); code == 0 || !strings.Contains(errs, "text or json") {
		t.Errorf("exit %d, %q; want an error that names the formats", code, errs)
	}
}

// A binary that is not built by hack/build.sh says so, and never the commit of something else.
func TestVersionWithoutBuild(t *testing.T) {
	v := NewVersion("dev", "", "")
	if v.Version != "dev" || v.GoVersion != runtime.Version() || !strings.HasPrefix(v.Platform, runtime.GOOS) {
		t.Errorf("got %+v", v)
	}
	if got := (Version{Version: "dev"}).String(); !strings.Contains(got, "commit unknown") {
		t.Errorf("got %q", got)
	}
}

// Every help text begins with one sentence that says what the command does, has an example, and
// fits a terminal.
func TestHelp(t *testing.T) {
	root := newRootCommand("headstart", testVersion, Streams{}, app.NewServeCommand())
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
				if utf8.RuneCountInString(line) > usage.Width+10 {
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
