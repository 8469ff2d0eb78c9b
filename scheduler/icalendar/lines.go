package icalendar

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// property is one content line: a name, parameters and a value.
type property struct {
	name   string
	params map[string]string // upper-case names; without quotes
	value  string
}

// component is what BEGIN and END enclose.
type component struct {
	name       string
	properties []property
	children   []*component
}

// all returns the properties with a name, in their order.
func (c *component) all(name string) []property {
	var out []property
	for _, p := range c.properties {
		if p.name == name {
			out = append(out, p)
		}
	}
	return out
}

// first returns the first property with a name.
func (c *component) first(name string) (property, bool) {
	for _, p := range c.properties {
		if p.name == name {
			return p, true
		}
	}
	return property{}, false
}

// value returns the value of the first property with a name; empty without one.
func (c *component) value(name string) string {
	p, _ := c.first(name)
	return strings.TrimSpace(p.value)
}

const (
	calendarName = "VCALENDAR"
	eventName    = "VEVENT"
	zoneName     = "VTIMEZONE"
	// maxNesting bounds components within components. A calendar has an alarm in an event.
	maxNesting = 16
)

// parseStream returns the calendars of a stream. A stream may have several (RFC 5545, 3.4).
func parseStream(text string) ([]*component, error) {
	var calendars []*component
	var open []*component
	for _, line := range unfold(text) {
		p, ok := parseLine(line)
		switch {
		case len(open) == 0 && ok && p.name == "BEGIN" && isName(p.value, calendarName):
			calendars = append(calendars, &component{name: calendarName})
			open = append(open, calendars[len(calendars)-1])
		case len(open) == 0 && len(calendars) == 0:
			return nil, errors.New("it does not begin with BEGIN:VCALENDAR")
		case len(open) == 0: // between two calendars
		case ok && p.name == "BEGIN":
			if len(open) == maxNesting {
				return nil, fmt.Errorf("more than %d components are nested in each other", maxNesting)
			}
			child := &component{name: strings.ToUpper(strings.TrimSpace(p.value))}
			open[len(open)-1].children = append(open[len(open)-1].children, child)
			open = append(open, child)
		case ok && p.name == "END":
			open = closed(open, p.value)
		default:
			open[len(open)-1].add(p, line, ok)
		}
	}
	if len(open) > 0 {
		return nil, fmt.Errorf("it ends before END:%s, so a part of it is missing: get the whole file again",
			open[len(open)-1].name)
	}
	return calendars, nil
}

// add adds a property. A line that is none continues the value before: some programs break long
// texts without folding them.
func (c *component) add(p property, line string, ok bool) {
	switch n := len(c.properties); {
	case ok:
		c.properties = append(c.properties, p)
	case n > 0:
		c.properties[n-1].value += " " + line
	}
}

// closed returns the components that are open after END with a name. Components within it that were
// not ended are ended too.
func closed(open []*component, name string) []*component {
	for i, c := range slices.Backward(open) {
		if isName(name, c.name) {
			return open[:i]
		}
	}
	return open
}

func isName(text, name string) bool { return strings.EqualFold(strings.TrimSpace(text), name) }

// unfold returns the lines of a stream without their folds and without empty lines. Lines may end
// in CRLF, LF or CR.
func unfold(text string) []string {
	text = strings.TrimPrefix(text, "\ufeff")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	var lines []string
	var line strings.Builder
	flush := func() {
		if strings.TrimSpace(line.String()) != "" {
			lines = append(lines, line.String())
		}
		line.Reset()
	}
	for part := range strings.SplitSeq(text, "\n") {
		if part != "" && (part[0] == ' ' || part[0] == '\t') {
			line.WriteString(part[1:])
			continue
		}
		flush()
		line.WriteString(part)
	}
	flush()
	return lines
}

// parseLine parses a content line. It reports false for what is none.
func parseLine(line string) (property, bool) {
	end := strings.IndexAny(line, ";:")
	if end < 1 || !isToken(line[:end]) {
		return property{}, false
	}
	p := property{name: strings.ToUpper(line[:end]), params: map[string]string{}}
	for rest := line[end:]; ; {
		if rest == "" {
			return property{}, false
		}
		if rest[0] == ':' {
			p.value = rest[1:]
			return p, true
		}
		next := paramEnd(rest[1:]) + 1
		name, value, _ := strings.Cut(rest[1:next], "=")
		p.params[strings.ToUpper(strings.TrimSpace(name))] = strings.ReplaceAll(strings.TrimSpace(value), `"`, "")
		rest = rest[next:]
	}
}

// paramEnd returns where a parameter ends: at a separator outside of quotes.
func paramEnd(text string) int {
	quoted := false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ';' || c == ':'):
			return i
		}
	}
	return len(text)
}

func isToken(text string) bool {
	for _, c := range text {
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// unescape returns a text value without its escapes, in one line.
func unescape(text string) string {
	replaced := strings.NewReplacer(`\\`, `\`, `\n`, " ", `\N`, " ", `\,`, ",", `\;`, ";").Replace(text)
	return strings.Join(strings.Fields(strings.ToValidUTF8(replaced, "")), " ")
}
