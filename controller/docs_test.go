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

// Every reason for which a condition is False, and every metric, is in the documentation, so that whoever meets one can look it up.
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
	for _, dir := range []string{".", filepath.Join("..", "planner"), filepath.Join("..", "adapter", "values")} {
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
			if call, ok := n.(*ast.CallExpr); ok {
				if reason := failure(call); reason != "" {
					reasons++
					if !strings.Contains(docs.String(), "`"+reason+"`") {
						t.Errorf("%s: the reason %s of a condition is in neither docs/conditions.md nor docs/peaks.md", name, reason)
					}
				}
			}
			if lit, ok := n.(*ast.BasicLit); ok {
				if metric, err := strconv.Unquote(lit.Value); err == nil && strings.HasPrefix(metric, "headstart_") {
					metrics++
					if !strings.Contains(docs.String(), metric) {
						t.Errorf("%s: the metric %s is not in docs/conditions.md", name, metric)
					}
				}
			}
		}
	}
	if reasons < 20 || metrics < 8 {
		t.Errorf("only %d reasons and %d metrics were found in the code", reasons, metrics)
	}
}

// failure is the reason that a call of verdicts.fail or Scaling.find gives as a literal.
func failure(call *ast.CallExpr) string {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	at, ok := map[string]int{"fail": 1, "find": 0}[method.Sel.Name]
	if !ok || len(call.Args) <= at+1 {
		return ""
	}
	lit, ok := call.Args[at].(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	reason, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return reason
}
