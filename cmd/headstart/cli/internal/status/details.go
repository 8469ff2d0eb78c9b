package status

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/spec"
	"headstart.dev/headstart/cmd/headstart/cli/internal/terminal"
	"headstart.dev/headstart/report/learned"
	"headstart.dev/headstart/report/render"
)

// row adds one named line to the details of a Forecast.
type row func(name, format string, args ...any)

// writeDetails writes all that is known about one Forecast, in lines that fit the width.
func writeDetails(w io.Writer, fc *v1alpha1.Forecast, now time.Time, width int) {
	var rows [][2]string
	line := func(name, format string, args ...any) {
		rows = append(rows, [2]string{name + ":", fmt.Sprintf(format, args...)})
	}
	s := &fc.Status
	line("Forecast", "%s/%s (mode %s)", fc.Namespace, fc.Name, fc.Spec.Mode)
	line("Target", "%s/%s", fc.Spec.TargetRef.Kind, fc.Spec.TargetRef.Name)
	line("Observed", "%s%s", Sample(s.Observed), ago(s.Observed, now))
	line("Served", "%s%s%s", Sample(s.Served), spec.InReplicas(fc), ago(s.Served, now))
	if l := s.LeadTime; l != nil {
		source := string(l.Source)
		if l.Starts > 0 {
			source += fmt.Sprintf(" from %d start%s", l.Starts, plural(l.Starts))
		}
		line("Lead", "%s (%s; warm-up %s, control loop %s)",
			l.Value, source, terminal.OrDash(string(l.WarmUp)), terminal.OrDash(string(l.ControlLoopDelay)))
	}
	if c := s.CapacityPerReplica; c != nil {
		line("Capacity per replica", "%s (%s)", capacityOf(c), strings.TrimSpace(c.Source+" "+c.Name))
	}
	writeLearned(line, s.Capacity)
	writeModel(line, s.Model)
	if a := s.Accuracy; a != nil {
		unit := "lead windows"
		if fc.Spec.ProvisionFor.ShortageCost != nil {
			unit = "steps"
		}
		line("Coverage target", "%s of %s", a.Asked, unit)
		line("Accuracy, last day", "%s", accuracyOf(a.LastDay, unit))
		line("Accuracy, last week", "%s", accuracyOf(a.LastWeek, unit))
	}
	writeSpend(line, fc)
	line("Plan", "%s", planLeft(fc, now))
	line("Next peak", "%s", peakOf(fc, now))
	writeOverflow(line, s)
	longest := 0
	for _, r := range rows {
		longest = max(longest, len(r[0]))
	}
	for _, r := range rows {
		write(w, render.WrapTo(width, fmt.Sprintf("%-*s  ", longest, r[0]), r[1]))
	}
	fmt.Fprintln(w, "Conditions:")
	writeConditions(w, s.Conditions, width)
	fmt.Fprintln(w)
}

// writeConditions writes one line for each condition. Where that is wider than the terminal, each
// message is below its condition.
func writeConditions(w io.Writer, all []metav1.Condition, width int) {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b metav1.Condition) int { return cmp.Compare(order(a), order(b)) })
	var name, status, reason int
	for _, c := range all {
		name, status, reason = max(name, len(c.Type)), max(status, len(c.Status)), max(reason, len(c.Reason))
	}
	below := false
	for _, c := range all {
		below = below || 2+name+2+status+2+reason+2+utf8.RuneCountInString(c.Message) > width
	}
	for _, c := range all {
		head := fmt.Sprintf("  %-*s  %-*s  %-*s  ", name, c.Type, status, c.Status, reason, c.Reason)
		if !below {
			write(w, render.WrapTo(width, head, c.Message))
			continue
		}
		fmt.Fprintln(w, strings.TrimRight(head, " "))
		write(w, render.WrapTo(width, "      ", c.Message))
	}
}

// order has Ready first, which sums up the others.
func order(c metav1.Condition) int {
	if c.Type == v1alpha1.ConditionReady {
		return 0
	}
	return 1
}

func write(w io.Writer, lines []string) { fmt.Fprintln(w, strings.Join(lines, "\n")) }

// capacityOf returns the capacity of a replica. One that is learned has four digits: more would
// promise too much.
func capacityOf(c *v1alpha1.CapacityStatus) string {
	if c.Source == string(v1alpha1.CapacitySourceLearned) {
		return figure(c.Value)
	}
	return decimal(c.Value)
}

func figure(q resource.Quantity) string { return learned.Figure(q.AsApproximateFloat64()) }

// writeSpend writes what the plans ask for, where that is bounded.
func writeSpend(line row, fc *v1alpha1.Forecast) {
	s, bound := fc.Status.Spend, fc.Spec.ProvisionFor.AtMost
	if s == nil || bound == nil {
		return
	}
	line("Spend, last week", "%s times a reactive policy's (at most %s, unbounded %s); reachable level %s",
		terminal.OrDash(s.Ratio), *bound, terminal.OrDash(s.Unbounded), terminal.OrDash(s.Reachable))
}

// writeOverflow writes what does not fit into this cluster, and what is planned for another one.
func writeOverflow(line row, s *v1alpha1.ForecastStatus) {
	if o := s.Overflow; o != nil {
		line("Overflow", "from %s on, up to %s (%d replicas) at %s",
			Stamp(o.From), decimal(o.Peak), o.PeakReplicas, Stamp(o.PeakAt))
	}
	if o := s.OverflowOf; o != nil && o.Timeline != nil {
		line("Overflow of", "%s of cluster %s, known until %s", o.Forecast, o.Cluster, Stamp(o.Timeline.End))
	}
}

// writeLearned writes what was learned about the capacity, where that is asked for.
func writeLearned(line row, c *v1alpha1.LearnedCapacity) {
	if c == nil {
		return
	}
	text := "nothing yet"
	if c.Estimate != nil {
		text = "estimate " + figure(*c.Estimate)
		if c.AtLeast {
			text = "at least " + figure(*c.Estimate)
		}
		if c.Lower != nil {
			text += ", lower bound " + figure(*c.Lower)
		}
	}
	line("Capacity learned", "%s, from %d steps (%d missed the objective); source %s", text, c.Steps, c.Missed, c.Source)
}

func writeModel(line row, m *v1alpha1.ModelStatus) {
	if m == nil {
		return
	}
	var periods, weights []string
	for _, p := range m.Periods {
		periods = append(periods, string(p))
	}
	for _, x := range m.Weights {
		weights = append(weights, fmt.Sprintf("%s %s", x.Name, x.Weight))
	}
	line("Model", "skill %s, coverage %s, periods %s, fitted to %d points",
		terminal.OrDash(m.Skill), terminal.OrDash(m.Coverage), terminal.OrDash(strings.Join(periods, " ")), m.Points)
	line("Weights", "%s", terminal.OrDash(strings.Join(weights, ", ")))
	for _, warning := range m.Warnings {
		line("Warning", "%s", warning)
	}
}
