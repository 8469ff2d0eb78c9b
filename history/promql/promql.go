// Package promql checks queries that become part of a larger expression.
package promql

import (
	"errors"
	"fmt"

	"github.com/prometheus/prometheus/promql/parser"
)

// Operand returns an error unless a query is a whole expression by itself, so that it stays one
// operand when it is put in parentheses. "vector(1)) * 2 + sum(vector(1)" is none: it would close
// them itself.
//
// A server may know more than Prometheus, such as MetricsQL. So only what no server can take for a
// whole expression is an error: brackets without their other half, a string without an end, and
// nothing at all.
func Operand(query string) error {
	if _, err := parser.NewParser(parser.Options{}).ParseExpr(query); err == nil {
		return nil
	}
	return balanced(query)
}

// closes has the opening bracket of each closing one.
func closes(c byte) byte {
	switch c {
	case ')':
		return '('
	case ']':
		return '['
	case '}':
		return '{'
	}
	return 0
}

// balanced returns an error unless each bracket of a query has its other half in the query.
func balanced(query string) error {
	var open []int // positions of the brackets that are open
	empty := true
	for i := 0; i < len(query); i++ {
		switch c := query[i]; c {
		case ' ', '\t', '\n', '\r':
			continue
		case '#':
			i = lineEnd(query, i)
			continue
		case '"', '\'', '`':
			end := stringEnd(query, i)
			if end < 0 {
				return fmt.Errorf("the string that begins with %c at byte %d has no end", c, i+1)
			}
			i = end
		case '\\': // MetricsQL allows any character in a name after this one.
			i++
		case '(', '[', '{':
			open = append(open, i)
		case ')', ']', '}':
			if len(open) == 0 || query[open[len(open)-1]] != closes(c) {
				return fmt.Errorf("the %c at byte %d closes what the query does not open", c, i+1)
			}
			open = open[:len(open)-1]
		}
		empty = false
	}
	if len(open) > 0 {
		at := open[len(open)-1]
		return fmt.Errorf("the %c at byte %d is not closed", query[at], at+1)
	}
	if empty {
		return errors.New("there is no expression in it")
	}
	return nil
}

// lineEnd returns the position of the last byte of the line of a comment at i.
func lineEnd(query string, i int) int {
	for i+1 < len(query) && query[i+1] != '\n' && query[i+1] != '\r' {
		i++
	}
	return i
}

// stringEnd returns the position at which the string ends that begins at i; -1 where it does not
// end.
func stringEnd(query string, i int) int {
	quote := query[i]
	for i++; i < len(query); i++ {
		switch {
		case query[i] == quote:
			return i
		case query[i] == '\\' && quote != '`':
			i++
		}
	}
	return -1
}
