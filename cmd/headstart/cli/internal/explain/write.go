package explain

import (
	"fmt"
	"io"
	"strings"

	"headstart.dev/headstart/cmd/headstart/cli/internal/terminal"
	"headstart.dev/headstart/docs"
	"headstart.dev/headstart/report/render"
)

// Load reads the conditions from the documentation.
func Load() (*Table, error) {
	t := &Table{}
	for _, p := range []struct{ file, kind, condition string }{
		{"conditions.md", "Forecast", ""},
		{"prometheus.md", "Forecast", "HistoryReady"},
		{"warmpool.md", "WarmPool", ""},
		{"peaks.md", "PeakSchedule", "Ready"},
	} {
		text, err := docs.Conditions.ReadFile(p.file)
		if err != nil {
			return nil, fmt.Errorf("read the documentation: %w", err)
		}
		t.Add(string(text), p.kind, p.condition)
	}
	return t, nil
}

// WriteConditions lists the conditions, in lines that fit the terminal.
func (t *Table) WriteConditions(w io.Writer) {
	const row = "%-8s  %-17s  %-5s  "
	write := func(kind, name, good, meaning string) {
		label := fmt.Sprintf(row, kind, name, good)
		fmt.Fprintln(w, strings.Join(render.WrapTo(terminal.Columns(w, 0), label, meaning), "\n"))
	}
	write("KIND", "CONDITION", "GOOD", "MEANING")
	for _, c := range t.Conditions {
		meaning, _, _ := strings.Cut(c.Says, "\n")
		meaning, _, _ = strings.Cut(meaning, ". ")
		write(c.Kind, c.Name, terminal.OrDash(c.Good), meaning)
	}
}

// Write writes all about one condition or reason.
func (t *Table) Write(w io.Writer, name string) error {
	conditions, reasons := t.Of(name)
	if len(conditions)+len(reasons) == 0 {
		return fmt.Errorf("no condition or reason has the name %q: run \"headstart explain\" to see the conditions", name)
	}
	for _, c := range conditions {
		fmt.Fprintf(w, "%s is a condition of a %s.\n", c.Name, c.Kind)
		for line := range strings.SplitSeq(c.Says, "\n") {
			writeWrapped(w, "  ", line)
		}
		if c.Good != "" {
			writeWrapped(w, "  Good: ", c.Good)
		}
		fmt.Fprintln(w)
	}
	for _, r := range reasons {
		fmt.Fprintln(w, reasonTitle(r, len(conditions) > 0))
		if r.Meaning != "" {
			writeWrapped(w, "  ", r.Meaning)
		}
		if r.Remedy != "" {
			writeWrapped(w, "  To do: ", r.Remedy)
		}
		fmt.Fprintln(w)
	}
	return nil
}

// reasonTitle returns the line above a reason: alone, or below its condition.
func reasonTitle(r Reason, below bool) string {
	names := strings.Join(r.Names, ", ")
	what := " is a reason of "
	switch {
	case below && len(r.Names) > 1:
		return "Reasons " + names
	case below:
		return "Reason " + names
	case len(r.Names) > 1:
		what = " are reasons of "
	}
	if r.Condition == "" {
		return names + what + "conditions of a " + r.Kind + "."
	}
	return names + what + r.Condition + ", a condition of a " + r.Kind + "."
}

// writeWrapped writes a text behind a label, in lines that fit a page and the terminal.
func writeWrapped(w io.Writer, label, text string) {
	fmt.Fprintln(w, strings.Join(render.WrapTo(terminal.Page(w), label, text), "\n"))
}
