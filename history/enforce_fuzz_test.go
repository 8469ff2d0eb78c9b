package history

import (
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

// FuzzPrepare sends a query from a namespace whose label is enforced. Whatever it is, each selector of
// what is sent has the label with that namespace, and nothing else for it.
func FuzzPrepare(f *testing.F) {
	for _, seed := range []string{
		"up", `up{namespace="b"}`, `up} or up{namespace="b"`, `sum(rate(up{a="}"}[5m])) # }`, "{__name__=~'.+'}",
		`max_over_time(sum(up)[1h:5m] offset 1w)`, `"namespace"`, `{"up", "namespace"="b"}`, "absent(up) or vector(1)",
		`label_replace(up, "namespace", "b", "", "")`, "up @ 5", `up{namespace="shop",namespace="b"}`, "sum(\nup # )\n)",
		`up{x="\\", y="` + "\xff" + `"}`, "count_values without (b) ('namespace', up)",
	} {
		f.Add(seed)
	}
	const label, namespace = "namespace", "shop"
	b := &backend{config: SourceConfig{EnforceNamespaceLabel: label}}
	f.Fuzz(func(t *testing.T, query string) {
		sent, err := b.prepare(query, namespace)
		if err != nil {
			return
		}
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(sent)
		if err != nil {
			t.Fatalf("%q is sent as %q, which is no PromQL: %v", query, sent, err)
		}
		parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
			s, ok := node.(*parser.VectorSelector)
			if !ok {
				return nil
			}
			found := false
			for _, m := range s.LabelMatchers {
				if m.Name != label {
					continue
				}
				found = true
				if m.Value != namespace || !m.Matches(namespace) || m.Matches("") || m.Matches("b") {
					t.Errorf("%q is sent as %q, with %s", query, sent, m)
				}
			}
			if !found {
				t.Errorf("%q is sent as %q: %s reads every namespace", query, sent, s)
			}
			return nil
		})
	})
}
