package controller

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The documentation contains every reason for which a condition is False, and every metric.
func TestReasonsAndMetricsAreDocumented(t *testing.T) {
	var docs strings.Builder
	for _, page := range []string{"conditions.md", "peaks.md"} {
		text, err := os.ReadFile(filepath.Join("..", "docs", page))
		if err != nil {
			t.Fatal(err)
		}
		docs.Write(text)
	}
	var files []string
	for _, dir := range []string{
		".", "autoscalers", "evidence", "overload", "schedules", "spending",
		filepath.Join("..", "planner"), filepath.Join("..", "adapter", "values"),
	} {
		found, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	reasons, metrics := 0, 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for n := range ast.Preorder(file) {
			if reason := reasonOf(n); reason != "" {
				reasons++
				if !strings.Contains(docs.String(), "`"+reason+"`") {
					t.Errorf("%s: the reason %s is in neither docs/conditions.md nor docs/peaks.md", name, reason)
				}
			}
			if metric := metricOf(n); metric != "" {
				metrics++
				if !strings.Contains(docs.String(), metric) {
					t.Errorf("%s: the metric %s is not in docs/conditions.md", name, metric)
				}
			}
		}
	}
	if reasons < 20 || metrics < 8 {
		t.Errorf("only %d reasons and %d metrics were found in the code", reasons, metrics)
	}
}

// The documentation contains every problem of an overflow.
func TestProblemsOfOverflowsAreDocumented(t *testing.T) {
	docs, err := os.ReadFile(filepath.Join("..", "docs", "conditions.md"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("..", "clusters", "errors.go")
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for n := range ast.Preorder(file) {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || stringOf(spec.Values[0]) == "" {
			continue
		}
		found++
		if reason := stringOf(spec.Values[0]); !strings.Contains(string(docs), "`"+reason+"`") {
			t.Errorf("the reason %s is not in docs/conditions.md", reason)
		}
	}
	if found < 15 {
		t.Errorf("only %d problems were found in the code", found)
	}
}

// reasonOf returns the reason in a call of conditions.Set.SetFalse or Scaling.find, if it is a
// literal.
func reasonOf(n ast.Node) string {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return ""
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	arg, ok := map[string]int{"SetFalse": 1, "find": 0}[method.Sel.Name]
	if !ok || len(call.Args) <= arg+1 {
		return ""
	}
	return stringOf(call.Args[arg])
}

// metricOf returns the name of a metric, if n is a literal with one.
func metricOf(n ast.Node) string {
	if text := stringOf(n); strings.HasPrefix(text, "headstart_") {
		return text
	}
	return ""
}

// stringOf returns the value of a string literal.
func stringOf(n ast.Node) string {
	lit, ok := n.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	text, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return text
}
