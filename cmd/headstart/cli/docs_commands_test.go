package cli

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"headstart.dev/headstart/cmd/headstart/app"
)

// shellBlock is code for a shell in a page.
var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```")

// programs are those that pages may run, beside headstart, and what is known of their arguments.
var programs = map[string][]string{
	"kubectl": {
		"annotate", "api-resources", "apply", "auth", "create", "delete", "describe", "explain", "get", "headstart", "label",
		"logs", "port-forward", "rollout", "wait",
	},
	"helm": {"install", "uninstall", "upgrade"},
	"kind": {"create", "delete", "load"},
	"git":  {"clone", "show", "tag"},
	"go":   {"test", "run"},
	"make": nil, "cd": nil, "cosign": nil, "export": nil, "grep": nil, "mkdir": nil, "sha256sum": nil, "hack/fuzz.sh": nil,
	".ci/run": nil,
}

// TestCommandsOfPages checks every command of every page: the program is known, flags and arguments
// of headstart exist, targets of make do, and so do the files that are applied. Most of these
// commands also run in other tests, against files or a real control plane.
func TestCommandsOfPages(t *testing.T) {
	t.Chdir(filepath.Join("..", "..", ".."))
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, page := range append(pages, "README.md", "CONTRIBUTING.md", "docs/design/010-serving-measured.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range shellBlock.FindAllStringSubmatch(string(text), -1) {
			for line := range strings.Lines(strings.ReplaceAll(block[1], "\\\n", " ")) {
				for _, command := range commandsOf(line) {
					seen[command[0]]++
					if err := checkCommand(command, string(makefile)); err != nil {
						t.Errorf("%s: %s: %v", page, strings.TrimSpace(line), err)
					}
				}
			}
		}
	}
	if seen["kubectl"] < 60 || seen["headstart"] < 8 || seen["make"] < 15 {
		t.Errorf("too few commands were found: %v", seen)
	}
}

var (
	comment   = regexp.MustCompile(`(^|\s)#.*$`)
	operators = regexp.MustCompile(`\s(?:&&|\|\||\||;)\s|\s&\s*$`)
	shellWord = regexp.MustCompile(`(?:'[^']*'|"[^"]*"|[^\s'"])+`)
	variables = regexp.MustCompile(`^[A-Z_]+=`)
)

// commandsOf splits a line of shell into its commands, and those into words. Variables before a
// command and redirections are left out, and so is a command with a part for the reader to fill in.
func commandsOf(line string) (commands [][]string) {
	line = comment.ReplaceAllString(strings.TrimSuffix(line, "\n"), "")
	quoted := regexp.MustCompile(`'[^']*'`)
	var kept []string
	line = quoted.ReplaceAllStringFunc(line, func(s string) string { // an operator in quotes is none
		kept = append(kept, s)
		return "\x00"
	})
	for _, part := range operators.Split(line, -1) {
		var words []string
		for _, word := range shellWord.FindAllString(part, -1) {
			for strings.Contains(word, "\x00") {
				word, kept = strings.Replace(word, "\x00", strings.Trim(kept[0], "'"), 1), kept[1:]
			}
			words = append(words, strings.Trim(word, `"`))
		}
		for len(words) > 0 && variables.MatchString(words[0]) {
			words = words[1:]
		}
		if i := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, ">") }); i >= 0 {
			words = words[:i]
		}
		if len(words) > 0 && !strings.Contains(part, "…") {
			commands = append(commands, words)
		}
	}
	return commands
}

func TestCommandsOf(t *testing.T) {
	for name, tc := range map[string]struct {
		reason, line, want string
	}{
		"comment": {"a shell ignores it", "make demo   # watch", "make,demo"},
		"pipe": {
			"each part is a command", "kubectl get x -o yaml | kubectl headstart convert - > a.yaml",
			"kubectl,get,x,-o,yaml kubectl,headstart,convert,-",
		},
		"both": {"one after the other", "a b && c", "a,b c"},
		"quotes": {
			"an operator within is none", "headstart report --query 'sum(x) | y'", "headstart,report,--query,sum(x) | y",
		},
		"ends":      {"in the background", "kubectl port-forward x 9090 &", "kubectl,port-forward,x,9090"},
		"variables": {"they are for the command", "A=b make x", "make,x"},
		"fill in":   {"nothing is known of it", "kubectl apply …", ""},
		"equals": {
			"a flag with quotes", "kubectl get -o custom-columns='A:.b' -n x",
			"kubectl,get,-o,custom-columns=A:.b,-n,x",
		},
	} {
		var got []string
		for _, c := range commandsOf(tc.line) {
			got = append(got, strings.Join(c, ","))
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: %s: %q, want %q", name, tc.reason, got, tc.want)
		}
	}
}

func checkCommand(words []string, makefile string) error {
	program, args := words[0], words[1:]
	if program == "kubectl" && len(args) > 0 && args[0] == "headstart" {
		program, args = "headstart", args[1:]
	}
	if program == "headstart" {
		root := newRootCommand("headstart", testVersion, Streams{}, app.NewServeCommand())
		cmd, rest, err := root.Find(args)
		if err != nil {
			return err
		}
		return errors.Join(cmd.ParseFlags(rest), cmd.ValidateArgs(cmd.Flags().Args()))
	}
	verbs, ok := programs[program]
	if !ok {
		return errors.New("no page may run " + program + ": " + strings.Join(slices.Sorted(maps.Keys(programs)), ", "))
	}
	if verbs != nil && !slices.ContainsFunc(args, func(a string) bool { return slices.Contains(verbs, a) }) {
		return errors.New(program + " does none of " + strings.Join(verbs, ", "))
	}
	if program == "make" {
		return checkTargets(args, makefile)
	}
	return checkFiles(args)
}

func checkTargets(args []string, makefile string) error {
	for _, arg := range args {
		if strings.Contains(arg, "=") {
			arg, _, _ = strings.Cut(arg, "=")
			if !strings.Contains(makefile, arg) {
				return errors.New("the Makefile has no variable " + arg)
			}
		} else if !strings.Contains(makefile, "\n"+arg+":") {
			return errors.New("the Makefile has no target " + arg)
		}
	}
	return nil
}

// checkFiles looks for the files and folders of this repository among the arguments.
func checkFiles(args []string) error {
	for _, arg := range args {
		if strings.HasPrefix(arg, "manifests/") || strings.HasPrefix(arg, "testdata/") {
			if _, err := os.Stat(arg); err != nil {
				return err
			}
		}
	}
	return nil
}
