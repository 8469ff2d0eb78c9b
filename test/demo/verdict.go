package main

import (
	"fmt"
	"strings"

	"headstart.dev/headstart/test/simulator"
)

// verdict compares the unserved share of the two services, and their cost.
func verdict(accounts map[string]simulator.Account, s scenario) string {
	a, b := accounts[reactive], accounts[headstart]
	var out strings.Builder
	fmt.Fprintf(&out, "\nAfter %s of %s, with replicas that take %s to start:\n\n", plural(s.days, "day"), short(s.day),
		short(s.warmUp))
	fmt.Fprintf(&out, "  %-28s %12s %12s\n", "", reactive, headstart)
	row := func(name, format string, x, y float64) {
		fmt.Fprintf(&out, "  %-28s %12s %12s\n", name, fmt.Sprintf(format, x), fmt.Sprintf(format, y))
	}
	row("requests offered", "%.0f", a.Offered, b.Offered)
	row("requests dropped", "%.0f", a.Dropped, b.Dropped)
	row("unserved share", "%.2f %%", 100*a.Unserved(), 100*b.Unserved())
	row("time short of replicas", "%.1f %%", 100*a.DroppingTime.Seconds()/a.Elapsed.Seconds(),
		100*b.DroppingTime.Seconds()/b.Elapsed.Seconds())
	// A day of the demo stands for 24 hours, so replica-hours are those of the compressed day.
	scale := 24 / s.day.Hours()
	row("replica-hours", "%.0f", a.ReplicaHours()*scale, b.ReplicaHours()*scale)
	row("utilisation", "%.0f %%", 100*a.Utilisation(), 100*b.Utilisation())
	out.WriteString("\n" + sentence(a, b) + "\n")
	return out.String()
}

func sentence(a, b simulator.Account) string {
	hours := b.ReplicaHours() / a.ReplicaHours()
	switch {
	case a.Dropped < 0.5 && b.Dropped < 0.5:
		return fmt.Sprintf("Both served everything; Headstart's service took %.2f times the replica-hours.", hours)
	case b.Dropped < 0.5:
		return fmt.Sprintf("Headstart's service dropped nothing, at %.2f times the replica-hours.", hours)
	case b.Unserved() > a.Unserved():
		return fmt.Sprintf("Headstart's service dropped %.1f times as much as the reactive one, "+
			"at %.2f times the replica-hours: this demand was not forecast well.", b.Unserved()/a.Unserved(), hours)
	}
	return fmt.Sprintf("Headstart's service dropped 1/%.0f of what the reactive one did, at %.2f times the replica-hours.",
		a.Unserved()/b.Unserved(), hours)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
