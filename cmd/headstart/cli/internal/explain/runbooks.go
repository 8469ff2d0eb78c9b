package explain

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"headstart.dev/headstart/docs"
)

// Runbooks are the sections of docs/alerts.md, by the name of the alert.
type Runbooks map[string]string

// LoadRunbooks reads them from the documentation.
func LoadRunbooks() (Runbooks, error) {
	text, err := docs.Alerts.ReadFile("alerts.md")
	if err != nil {
		return nil, fmt.Errorf("read the documentation: %w", err)
	}
	return runbooksOf(string(text)), nil
}

func runbooksOf(page string) Runbooks {
	r := Runbooks{}
	for i, section := range strings.Split(page, "\n## ") {
		if name, text, ok := strings.Cut(section, "\n"); ok && i > 0 {
			r[name] = strings.TrimSpace(text)
		}
	}
	return r
}

// Names are the names of the alerts.
func (r Runbooks) Names() []string { return slices.Sorted(maps.Keys(r)) }

// Write writes the runbook of an alert, and reports whether there is one. Commands are indented, and
// links name their page.
func (r Runbooks) Write(w io.Writer, name string) bool {
	for alert, text := range r {
		if !strings.EqualFold(alert, name) {
			continue
		}
		fmt.Fprintf(w, "%s is an alert.\n\n", alert)
		inCode := false
		for line := range strings.SplitSeq(text, "\n") {
			switch {
			case strings.HasPrefix(line, "```"):
				inCode = !inCode
				fmt.Fprintln(w)
			case inCode:
				fmt.Fprintln(w, "    "+line)
			default:
				fmt.Fprintln(w, plain(line))
			}
		}
		return true
	}
	return false
}
