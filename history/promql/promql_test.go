package promql

import (
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

func TestOperand(t *testing.T) {
	for name, tc := range map[string]struct{ query, want string }{
		"a selector":                   {`requests{job="a"}`, ""},
		"a comment at the end":         {"rate(requests[2m]) # of all )", ""},
		"a bracket in a string":        {`requests{path=")"} + requests{path='(\''}`, ""},
		"a bracket in a raw string":    {"requests{path=~`\\)`}", ""},
		"a comment in between":         {"requests # (\n + requests", ""},
		"MetricsQL":                    {`rate(requests) keep_metric_names`, ""},
		"a template of MetricsQL":      {`WITH (x = requests) x default 0`, ""},
		"an escaped name of MetricsQL": {`rate(with\-dash\)) default 0`, ""},
		"leaves its parentheses": {
			"vector(1)) * 1000 + sum(vector(1)", "the ) at byte 10 closes what the query does not open",
		},
		"closes and comments":       {"x) # ", "the ) at byte 2 closes"},
		"hides the end":             {"sum(x # )", "the ( at byte 4 is not closed"},
		"hides the end in a string": {`x{a="} )`, `begins with " at byte 5 has no end`},
		"groups the sum":            {"x) by (pod", "the ) at byte 2 closes"},
		"crosses":                   {"sum(x[5m)]", "the ) at byte 9 closes"},
		"nothing":                   {"", "no expression"},
		"only a comment":            {" # x", "no expression"},
		"a comment that ends by CR": {"x # \r)", "the ) at byte 6 closes"},
	} {
		err := Operand(tc.query)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
}

// FuzzOperand puts a query into a weighted sum, as demand of several terms does. What is an operand
// is the operand there, whatever it contains; and no whole expression is refused.
func FuzzOperand(f *testing.F) {
	for _, seed := range []string{
		"vector(1)) * 1000 + sum(vector(1)", "up # )", "x) # ", `up{a=")"}`, "up{a=`(`}", `"\""`, "sum by (a) (up)",
		"up[5m:1m] offset 1m", "'\\x28' # '\n", "a,b", "up\r#\r)", "(up", "{__name__=~\"a\", b!='c'}", "x) by (y", "\xff",
		"-up ^ 2", "up or vector(0) unless (on() x) #", "[(", "up @ start()", "1 > bool 0", "\\", "`",
	} {
		f.Add(seed)
	}
	p := parser.NewParser(parser.Options{})
	f.Fuzz(func(t *testing.T, query string) {
		alone, aloneErr := p.ParseExpr(query)
		if err := balanced(query); aloneErr == nil && err != nil {
			t.Errorf("%q is PromQL, and is refused: %v", query, err)
		}
		whole, err := p.ParseExpr("2 * sum(\n" + query + "\n) + 3 * sum(\nvector(1)\n)")
		if err != nil {
			return // The server refuses it, too.
		}
		is := aloneErr == nil && isOperand(whole, alone.String())
		if err := Operand(query); is != (err == nil) {
			t.Errorf("%q in a sum is %q: an operand: %t, but got %v", query, whole, is, err)
		}
	})
}

// isOperand reports whether an expression is twice the sum over an operand, and three times another
// sum.
func isOperand(whole parser.Expr, operand string) bool {
	sum, ok := whole.(*parser.BinaryExpr)
	if !ok || sum.Op != parser.ADD || sum.RHS.String() != "3 * sum(vector(1))" {
		return false
	}
	product, ok := sum.LHS.(*parser.BinaryExpr)
	if !ok || product.Op != parser.MUL || product.LHS.String() != "2" {
		return false
	}
	of, ok := product.RHS.(*parser.AggregateExpr)
	return ok && of.Op == parser.SUM && len(of.Grouping) == 0 && !of.Without && of.Expr.String() == operand
}
