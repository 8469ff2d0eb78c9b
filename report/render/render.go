// Package render writes reports as text for a terminal, as JSON, as CSV, and as an HTML page.
package render

import (
	"bytes"
	"encoding/json"
	"io"

	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/internal/format"
)

// Document is a report, or a bundle of reports, that can be written in several formats.
type Document interface {
	// Text writes lines for a terminal, at most 100 columns wide.
	Text(w io.Writer, o TextOptions) error
	// JSON writes an indented object. Its fields are described in docs/report.md.
	JSON(w io.Writer) error
	// CSV writes one row for each replayed step of a report, and one row for each report and policy
	// of a bundle.
	CSV(w io.Writer) error
	// HTML writes one page that needs no network.
	HTML(w io.Writer) error
}

// Report returns the Document of one report.
func Report(r *report.Report) Document { return single{r} }

// Bundle returns the Document of several reports.
func Bundle(b *report.Bundle) Document { return several{b} }

type single struct{ report *report.Report }

type several struct{ bundle *report.Bundle }

// JSON implements Document.
func (d single) JSON(w io.Writer) error { return writeJSON(w, d.report) }

// JSON implements Document.
func (d several) JSON(w io.Writer) error { return writeJSON(w, d.bundle) }

func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(format.NumbersOf(b.Bytes()))
	return err
}
