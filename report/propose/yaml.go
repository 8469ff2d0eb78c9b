package propose

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// plain are texts that YAML reads as themselves wherever they stand.
var plain = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./+-]*$|^[0-9]+[smhdw]([0-9]+[smh])*$`)

// scalar writes a text for YAML. It is quoted where YAML would read a number or a truth value in
// it: a service may be named 404, or on.
func scalar(s string) string {
	words := []string{"true", "false", "yes", "no", "on", "off", "y", "n", "null"}
	if plain.MatchString(s) && !slices.Contains(words, strings.ToLower(s)) {
		return s
	}
	return quoteYAML(s)
}

// quoteYAML quotes a text for YAML. A query of several lines keeps them, since a comment in it ends
// with its line.
func quoteYAML(s string) string {
	if strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return strconv.Quote(s)
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
