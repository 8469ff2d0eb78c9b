// Limits holds the sizes that keep the code readable: files and lines of a package, lines of a
// function, and columns of a line. It reads the Go files that git tracks, except generated ones.
//
//	go run ./hack/limits
package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// The limits. Tests count for the columns only: a table of cases is one thing to read.
const (
	maxFiles     = 25   // of a package
	maxLines     = 3000 // of a package
	maxFuncLines = 60
	maxColumns   = 120 // a tab is one
)

func main() {
	problems, err := check()
	for _, p := range problems {
		fmt.Fprintln(os.Stderr, p)
	}
	if err == nil && len(problems) > 0 {
		err = errors.New("limits: split what is too large, and wrap what is too long")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("limits: kept")
}

// size is that of a package without its tests.
type size struct{ files, lines int }

func check() ([]string, error) {
	out, err := exec.Command("git", "ls-files", "*.go").Output()
	if err != nil {
		return nil, fmt.Errorf("list the files of the repository: %w", err)
	}
	var problems []string
	packages := map[string]size{}
	for name := range strings.FieldsSeq(string(out)) {
		text, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) || isGenerated(name) {
			continue // deleted and not committed, or generated
		}
		if err != nil {
			return nil, err
		}
		problems = append(problems, wideLines(name, text)...)
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		s := packages[path.Dir(name)]
		packages[path.Dir(name)] = size{s.files + 1, s.lines + bytes.Count(text, []byte("\n"))}
		long, err := longFuncs(name, text)
		if err != nil {
			return nil, err
		}
		problems = append(problems, long...)
	}
	for name, s := range packages {
		if s.files > maxFiles || s.lines > maxLines {
			problems = append(problems, fmt.Sprintf("%s: %d files and %d lines, at most %d and %d",
				name, s.files, s.lines, maxFiles, maxLines))
		}
	}
	slices.Sort(problems)
	return problems, nil
}

// wideLines are lines with too many columns. Markers of the API cannot be wrapped.
func wideLines(name string, text []byte) []string {
	var out []string
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		columns := utf8.RuneCountInString(strings.TrimSuffix(line, "\n"))
		if columns > maxColumns && !strings.Contains(line, "// +kubebuilder:") {
			out = append(out, fmt.Sprintf("%s:%d: %d columns, at most %d", name, n, columns, maxColumns))
		}
	}
	return out
}

// longFuncs are functions with too many lines, from the brace that opens to the one that closes.
func longFuncs(name string, text []byte) ([]string, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		begin, end := files.Position(f.Body.Lbrace), files.Position(f.Body.Rbrace)
		if lines := end.Line - begin.Line; lines > maxFuncLines {
			out = append(out, fmt.Sprintf("%s:%d: %s has %d lines, at most %d",
				name, begin.Line, f.Name.Name, lines, maxFuncLines))
		}
	}
	return out, nil
}

// isGenerated reports whether a file is written by a generator, by its name.
func isGenerated(name string) bool {
	return strings.HasPrefix(path.Base(name), "zz_") || strings.HasSuffix(name, ".pb.go")
}
