package reads

import (
	"fmt"

	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/history"
)

// Describe returns the reason of HistoryReady once the series is read, and a message with what
// its reader should know.
func Describe(n history.Notes) (reason, message string) {
	reason, message = "Read", "the demand series is read"
	switch {
	case n.Partial > 0:
		reason = "ReadInPart"
	case len(n.Warnings) > 0:
		reason = "ReadWithWarnings"
	case n.Coarse != nil:
		reason = "ReadCoarse"
	}
	if text := n.String(); text != "" {
		message += ", but: " + text
	}
	if n.Partial > 0 {
		message += fmt.Sprintf("; such steps are left out for %s, and read again until the answer is whole",
			history.PartialGrace)
	}
	return reason, message
}

// Explain returns the reason of a read error, and a message that says what to change.
func Explain(err error) (reason, message string) {
	if kind := history.KindOf(err); kind != "" {
		return string(kind), kube.OneLine(err)
	}
	return "ReadFailed", kube.OneLine(err)
}
