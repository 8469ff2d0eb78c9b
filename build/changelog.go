package main

import (
	"fmt"
	"slices"
	"strings"
)

// changelog groups the subjects of commits, such as "planner: read a thing", by what is before the
// colon or a slash.
func changelog(version, date, since string, subjects []string) string {
	const other = "other"
	areas := map[string][]string{}
	for _, s := range subjects {
		area, what, ok := strings.Cut(s, ": ")
		if !ok || strings.ContainsAny(area, " ") {
			area, what = other, s
		}
		area, _, _ = strings.Cut(area, "/")
		areas[area] = append(areas[area], what)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Headstart %s (%s)\n", version, date)
	if since != "" {
		fmt.Fprintf(&b, "\nChanges since %s.\n", since)
	}
	names := make([]string, 0, len(areas))
	for name := range areas {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if (a == other) != (b == other) { // the rest comes last
			return map[bool]int{true: 1, false: -1}[a == other]
		}
		return strings.Compare(a, b)
	})
	for _, name := range names {
		fmt.Fprintf(&b, "\n## %s\n\n", name)
		for _, what := range areas[name] {
			fmt.Fprintf(&b, "- %s\n", what)
		}
	}
	return b.String()
}
