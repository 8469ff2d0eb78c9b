package history

import (
	"errors"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// prepare returns the query as it is sent from namespace. Where a label is enforced, every selector of the result carries it, and
// what this package cannot parse is refused: it could not be held to its namespace. Elsewhere it is left to the server, which may
// speak a larger language than ours (MetricsQL).
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
	if err := refuseEdges(expr); err != nil {
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

// refuseEdges refuses "@ start()" and "@ end()": they mean the edges of a request, and one series is read in several.
func refuseEdges(expr parser.Expr) error {
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
		return errf(ErrBadQuery, "the query uses @ start() or @ end(), which depend on how the history is cut into requests: leave them out")
	}
	return nil
}

// enforce puts the matcher label="namespace" into every selector under expr, and refuses one that asks for anything else.
func enforce(expr parser.Expr, label, namespace string) error {
	if namespace == "" {
		return errf(ErrNamespaceLabel, "the source enforces the label %q, but no namespace was given to hold the query to", label)
	}
	var refused error
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok || refused != nil {
			return nil
		}
		carried := false
		for _, m := range selector.LabelMatchers {
			if m.Name != label {
				continue
			}
			if m.Type != labels.MatchEqual || m.Value != namespace {
				refused = errf(ErrNamespaceLabel, "the selector %s must carry %s=%q and nothing else for this label: leave the label out, "+
					"and it is added", abridgeTo(selector.String(), 200), label, namespace)
				return nil
			}
			carried = true
		}
		if !carried {
			selector.LabelMatchers = append(selector.LabelMatchers, &labels.Matcher{Type: labels.MatchEqual, Name: label, Value: namespace})
		}
		return nil
	})
	return refused
}

// parseMessage returns the first of the parser's complaints, with its place in the query.
func parseMessage(err error) string {
	var all parser.ParseErrors
	if errors.As(err, &all) && len(all) > 0 {
		return all[0].Error()
	}
	return err.Error()
}

func badQuery(text string) *Error {
	return errf(ErrBadQuery, "the query is refused: %s; try it in Prometheus's own expression browser", abridgeTo(text, 500))
}
