// Package explain looks up conditions and their reasons in the documentation.
package explain

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// Condition is a condition of a kind.
type Condition struct {
	Name, Kind string
	// Says is what the condition says, and Good the status that it should have.
	Says, Good string
}

// Reason is a reason of a condition.
type Reason struct {
	// Names are one reason, or several that mean the same.
	Names []string
	Kind  string
	// Condition is empty for a reason that several conditions have.
	Condition string
	// Meaning is what happened, and Remedy what to do about it. Either may be empty.
	Meaning, Remedy string
}

// Table has the conditions and reasons of some pages, in their order.
type Table struct {
	Conditions []Condition
	Reasons    []Reason
}

// Add adds the tables of a page. Other tables are skipped. Kind is the kind that has the conditions;
// condition is the one of a table that names none.
func (t *Table) Add(page, kind, condition string) {
	var header []string
	last := ""
	for line := range strings.Lines(page) {
		cells := split(line)
		switch {
		case cells == nil:
			header = nil
			continue
		case header == nil:
			header, last = cells, condition
			continue
		case strings.HasPrefix(cells[0], "---"):
			continue
		}
		cells = append(cells, "", "", "") // a row may lack its last cells
		switch strings.Join(header[:min(2, len(header))], " ") {
		case "condition good":
			t.condition(cells[0], Condition{Kind: kind, Good: cells[1], Says: plain(cells[2])})
		case "condition True":
			t.condition(cells[0], Condition{
				Kind: kind, Says: "True: " + plain(cells[1]) + "\nFalse: " + plain(cells[2]),
			})
		case "condition reason":
			if found := names(cells[0]); len(found) > 0 {
				last = found[0]
			}
			t.reason(cells[1], kind, last, cells[2], cells[3])
		case "reason meaning", "reason what happened":
			t.reason(cells[0], kind, last, cells[1], cells[2])
		}
	}
}

// condition adds a row that names a condition.
func (t *Table) condition(cell string, c Condition) {
	if found := names(cell); len(found) > 0 {
		c.Name = found[0]
		t.Conditions = append(t.Conditions, c)
	}
}

// reason adds a row that names a reason.
func (t *Table) reason(cell, kind, condition, meaning, remedy string) {
	if found := names(cell); len(found) > 0 {
		t.Reasons = append(t.Reasons, Reason{
			Names: found, Kind: kind, Condition: condition, Meaning: plain(meaning), Remedy: plain(remedy),
		})
	}
}

// Of returns the conditions and the reasons of a name. Case does not matter. The reasons of a
// condition are all that it can have.
func (t *Table) Of(name string) (conditions []Condition, reasons []Reason) {
	for _, c := range t.Conditions {
		if strings.EqualFold(c.Name, name) {
			conditions = append(conditions, c)
		}
	}
	for _, r := range t.Reasons {
		named := slices.ContainsFunc(r.Names, func(n string) bool { return strings.EqualFold(n, name) })
		if named || strings.EqualFold(r.Condition, name) {
			reasons = append(reasons, r)
		}
	}
	return conditions, reasons
}

// Names returns all conditions and reasons, sorted.
func (t *Table) Names() []string {
	var out []string
	for _, c := range t.Conditions {
		out = append(out, c.Name)
	}
	for _, r := range t.Reasons {
		out = append(out, r.Names...)
	}
	slices.SortFunc(out, func(a, b string) int {
		return cmp.Or(strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
	})
	return slices.Compact(out)
}

// split returns the cells of a row of a table, or nil for any other line.
func split(line string) []string {
	line, ok := strings.CutPrefix(strings.TrimSpace(line), "|")
	if !ok {
		return nil
	}
	var out []string
	for cell := range strings.SplitSeq(strings.TrimSuffix(line, "|"), "|") {
		out = append(out, strings.TrimSpace(cell))
	}
	return out
}

var (
	code = regexp.MustCompile("`([A-Z][A-Za-z]+)`")
	link = regexp.MustCompile(`\[([^\]]*)\]\(([^)]*)\)`)
)

// names returns the words of a cell that are set as code and look like a reason.
func names(cell string) []string {
	var out []string
	for _, m := range code.FindAllStringSubmatch(cell, -1) {
		out = append(out, m[1])
	}
	return out
}

// plain returns Markdown as text. A link to another page keeps its address.
func plain(cell string) string {
	cell = link.ReplaceAllStringFunc(cell, func(text string) string {
		m := link.FindStringSubmatch(text)
		page, _, _ := strings.Cut(m[2], "#")
		if page == "" {
			return m[1]
		}
		return m[1] + " (docs/" + page + ")"
	})
	return strings.ReplaceAll(cell, "`", "")
}
