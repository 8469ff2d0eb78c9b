package history

import (
	"errors"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// prepare returns the query as it is sent from a namespace.
//
// When a label is enforced, every selector of the result has it, and a query that this package
// cannot parse is an error, since it could not be restricted to its namespace. Otherwise such a
// query is left to the server, which may support more than PromQL (MetricsQL).
func (b *backend) prepare(query, namespace string) (string, error) {
	label := b.config.EnforceNamespaceLabel
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		if label == "" {
			return query, nil
		}
		return "", badQuery(parseMessage(err))
	}
	if t := expr.Type(); t != parser.ValueTypeVector {
		return "", wrongTypeNamed(parser.DocumentedType(t))
	}
	if err := checkModifiers(expr); err != nil {
		return "", err
	}
	if label == "" {
		return query, nil
	}
	if err := enforce(expr, label, namespace); err != nil {
		return "", err
	}
	return expr.String(), nil
}

// checkModifiers returns an error when the expression has "@ start()" or "@ end()". They mean the
// ends of a request, and one series is read in several.
func checkModifiers(expr parser.Expr) error {
	found := false
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			found = found || n.StartOrEnd != 0
		case *parser.SubqueryExpr:
			found = found || n.StartOrEnd != 0
		}
		return nil
	})
	if found {
		return errf(ErrBadQuery, "the query uses @ start() or @ end(), which depend on how the history is cut into "+
			"requests: leave them out")
	}
	return nil
}

// enforce adds the matcher label="namespace" to every selector of the expression. A selector with
// any other matcher on that label is an error.
func enforce(expr parser.Expr, label, namespace string) error {
	if namespace == "" {
		return errf(ErrNamespaceLabel, "the source enforces the label %q, but the query has no namespace", label)
	}
	var invalid error
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok || invalid != nil {
			return nil
		}
		found := false
		for _, m := range selector.LabelMatchers {
			if m.Name != label {
				continue
			}
			if m.Type != labels.MatchEqual || m.Value != namespace {
				invalid = errf(ErrNamespaceLabel, "the selector %s must carry %s=%q and nothing else for this label: "+
					"leave the label out, and it is added", abridgeTo(selector.String(), maxQuoted), label, namespace)
				return nil
			}
			found = true
		}
		if !found {
			matcher := &labels.Matcher{Type: labels.MatchEqual, Name: label, Value: namespace}
			selector.LabelMatchers = append(selector.LabelMatchers, matcher)
		}
		return nil
	})
	return invalid
}

// parseMessage returns the parser's first error, with its position in the query.
func parseMessage(err error) string {
	var all parser.ParseErrors
	if errors.As(err, &all) && len(all) > 0 {
		return all[0].Error()
	}
	return err.Error()
}

// maxServerMessage bounds, in bytes, what a message repeats of an error of Prometheus.
const maxServerMessage = 500

func badQuery(text string) *Error {
	return errf(ErrBadQuery, "the query fails: %s; try it in Prometheus's own expression browser",
		abridgeTo(text, maxServerMessage))
}
