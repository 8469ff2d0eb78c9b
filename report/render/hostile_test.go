package render

import (
	"encoding/csv"
	"io"
	"strings"
	"testing"
	"unicode"

	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/verdict"
)

// hostile returns a bundle in which everything that comes from labels, queries and servers is the
// given text.
func hostile(t *testing.T, text string) Document {
	t.Helper()
	r := fixed(t)
	r.Input.Series, r.Input.Currency, r.Input.Peaks = text, text, []string{text}
	r.Verdict, r.Headline, r.Notes = text, []string{text}, []string{text}
	r.Decision = &verdict.Decision{Advice: verdict.TryDryRun, Reasons: []string{text, text}}
	r.Model.Warnings = []string{text}
	r.Proposal.Forecast, r.Proposal.HPA = text+"\n", text+"\n"
	for i := range r.Policies {
		if r.Policies[i].Policy == report.PolicyHPA {
			r.Policies[i].Label = text
		}
	}
	return Bundle(report.NewBundle(text, []report.Bundled{{Name: text, Report: r}, {Name: text, NotRun: text}}))
}

// No label ends up as an element of the page.
func TestHTMLEscapesEverything(t *testing.T) {
	for _, end := range []string{`</script>`, `">`, `'/>`, `-->`} {
		text := end + `<img src=x onerror=a()>`
		page := rendered(t, hostile(t, text).HTML)
		if strings.Contains(page, "<img") || strings.Count(page, "</script>") != 3 {
			t.Errorf("%s is in the page as it is", text)
		}
	}
}

// No label moves the cursor, changes colours or begins a line of its own on a terminal.
func TestTextObeysNoLabel(t *testing.T) {
	const text = "a\x1b[2J\x1b[8m\rb\x07\u009b31mc\x1b]0;d\x07"
	for _, colour := range []bool{false, true} {
		got := rendered(t, func(w io.Writer) error { return hostile(t, text).Text(w, TextOptions{Colour: colour}) })
		rest := got
		if colour {
			rest = ownStyles.ReplaceAllString(got, "")
			if rest == got {
				t.Error("our own colours are gone")
			}
		}
		if i := strings.IndexFunc(rest, func(c rune) bool { return c != '\n' && unicode.IsControl(c) }); i >= 0 {
			t.Errorf("colour %v: %q is left", colour, rest[max(0, i-10):min(len(rest), i+20)])
		}
	}
	lines := rendered(t, func(w io.Writer) error { return hostile(t, "a\nSwitch it on").Text(w, TextOptions{}) })
	for line := range strings.Lines(lines) {
		if strings.HasPrefix(line, "Switch it on") {
			t.Errorf("a label begins a line: %q", line)
		}
	}
}

// A spreadsheet that opens the CSV runs nothing.
func TestCSVHasNoFormula(t *testing.T) {
	for _, text := range []string{`=HYPERLINK("http://x";A1)`, "+1", "-1", "@SUM(A1)", " =1", "\t=1"} {
		rows, err := csv.NewReader(strings.NewReader(rendered(t, hostile(t, text).CSV))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] {
			for _, i := range []int{0, len(row) - 1} {
				if cell := strings.TrimSpace(row[i]); cell != "" && strings.ContainsAny(cell[:1], "=+-@") {
					t.Errorf("%q is a formula", row[i])
				}
			}
		}
	}
}
