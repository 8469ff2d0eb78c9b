// Package status writes what the status of Forecasts says.
package status

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/spec"
	"headstart.dev/headstart/cmd/headstart/cli/internal/terminal"
)

// Show writes the status of the Forecasts as text or JSON. With detail, it returns an error
// after the output if one of the Forecasts is not ready.
func Show(w io.Writer, list []v1alpha1.Forecast, output string, detail bool, now time.Time) error {
	Sort(list)
	switch {
	case output == "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		if err := enc.Encode(list); err != nil {
			return err
		}
	case output == "yaml":
		if err := writeYAML(w, list); err != nil {
			return err
		}
	case output != "text" && output != "wide":
		return fmt.Errorf("--output %q is unknown: use text, wide, json or yaml", output)
	case len(list) == 0:
		fmt.Fprintln(w, "No Forecasts found.")
		return nil
	case detail:
		for i := range list {
			writeDetails(w, &list[i], now)
		}
	default:
		writeTable(w, list, output == "wide", now)
	}
	if !detail {
		return nil
	}
	for i := range list {
		if !meta.IsStatusConditionTrue(list[i].Status.Conditions, v1alpha1.ConditionReady) {
			return fmt.Errorf("forecast %s/%s is not ready: see its conditions", list[i].Namespace, list[i].Name)
		}
	}
	return nil
}

// Sort sorts by namespace and name.
func Sort(list []v1alpha1.Forecast) {
	slices.SortFunc(list, func(a, b v1alpha1.Forecast) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
}

// writeYAML writes one document per Forecast.
func writeYAML(w io.Writer, list []v1alpha1.Forecast) error {
	for i := range list {
		text, err := yaml.Marshal(&list[i])
		if err != nil {
			return fmt.Errorf("forecast %s/%s: %w", list[i].Namespace, list[i].Name, err)
		}
		fmt.Fprintf(w, "---\n%s", text)
	}
	return nil
}

// writeTable writes one line per Forecast. A wide one says also what is not as it should be.
func writeTable(w io.Writer, list []v1alpha1.Forecast, wide bool, now time.Time) {
	tw := terminal.NewTable(w)
	header := "NAMESPACE\tNAME\tREADY\tREASON\tOBSERVED\tSERVED\tLEAD\tSKILL\tPLAN\tNEXT PEAK"
	if wide {
		header += "\tMODE\tTARGET\tCAPACITY\tMESSAGE"
	}
	fmt.Fprintln(tw, header)
	for i := range list {
		fc := &list[i]
		ready, reason, message := "Unknown", "", ""
		if c := meta.FindStatusCondition(fc.Status.Conditions, v1alpha1.ConditionReady); c != nil {
			ready, reason, message = string(c.Status), c.Reason, c.Message
		}
		cells := []string{
			fc.Namespace, fc.Name, ready, terminal.OrDash(reason), Sample(fc.Status.Observed), Sample(fc.Status.Served),
			leadOf(fc), SkillOf(fc), planLeft(fc, now), peakOf(fc, now),
		}
		if wide {
			capacity := "-"
			if c := fc.Status.CapacityPerReplica; c != nil {
				capacity = decimal(c.Value)
			}
			cells = append(cells, string(fc.Spec.Mode), fc.Spec.TargetRef.Kind+"/"+fc.Spec.TargetRef.Name, capacity,
				terminal.OrDash(strings.Join(strings.Fields(message), " ")))
		}
		fmt.Fprintln(tw, strings.Join(cells, "\t"))
	}
	tw.Flush() //nolint:errcheck // standard output is gone, so nobody can read an error
}

// row writes one named line of the details of a Forecast.
type row func(name, format string, args ...any)

// writeDetails writes all that is known about one Forecast.
func writeDetails(w io.Writer, fc *v1alpha1.Forecast, now time.Time) {
	tw := terminal.NewTable(w)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(tw, "%s:\t%s\n", name, fmt.Sprintf(format, args...))
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
		line("Capacity per replica", "%s (%s)", decimal(c.Value), strings.TrimSpace(c.Source+" "+c.Name))
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
	tw.Flush() //nolint:errcheck // standard output is gone, so nobody can read an error
	fmt.Fprintln(w, "Conditions:")
	conditions := terminal.NewTable(w)
	for _, c := range s.Conditions {
		fmt.Fprintf(conditions, "  %s\t%s\t%s\t%s\n", c.Type, c.Status, c.Reason, c.Message)
	}
	conditions.Flush() //nolint:errcheck // standard output is gone, so nobody can read an error
	fmt.Fprintln(w)
}

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
		text = "estimate " + decimal(*c.Estimate)
		if c.AtLeast {
			text = "at least " + decimal(*c.Estimate)
		}
		if c.Lower != nil {
			text += ", lower bound " + decimal(*c.Lower)
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

// Sample formats a sample as people write it; "-" without one.
func Sample(s *v1alpha1.Sample) string {
	if s == nil {
		return "-"
	}
	return decimal(s.Value)
}

// decimal formats a quantity as people write it: 131.5 instead of 131500m. It goes by the quantity's
// exact decimal, because its approximate float shows 112.987 as 112.98700000000001.
func decimal(q resource.Quantity) string {
	whole, fraction, _ := strings.Cut(q.AsDec().String(), ".")
	if fraction = strings.TrimRight(fraction, "0"); fraction == "" {
		return whole
	}
	return whole + "." + fraction
}

func ago(s *v1alpha1.Sample, now time.Time) string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf(" (%s ago)", now.Sub(s.Time.Time).Round(time.Second))
}

func leadOf(fc *v1alpha1.Forecast) string {
	if fc.Status.LeadTime == nil {
		return "-"
	}
	return fmt.Sprintf("%s (%s)", fc.Status.LeadTime.Value, fc.Status.LeadTime.Source)
}

// accuracyOf returns how well the plan covered the demand; unit is what was scored, such as
// "steps".
func accuracyOf(f *v1alpha1.AccuracyFigures, unit string) string {
	if f == nil || f.Windows == 0 {
		return "not measured yet"
	}
	return fmt.Sprintf("coverage %s, skill %s, bias %s, from %d %s",
		terminal.OrDash(f.Coverage), terminal.OrDash(f.Skill), terminal.OrDash(f.Bias), f.Windows, unit)
}

// SkillOf returns the skill of a Forecast; "-" where it has none.
func SkillOf(fc *v1alpha1.Forecast) string {
	if fc.Status.Model == nil {
		return "-"
	}
	return terminal.OrDash(fc.Status.Model.Skill)
}

// planLeft returns for how long the plan is still valid.
func planLeft(fc *v1alpha1.Forecast, now time.Time) string {
	if fc.Status.Plan == nil {
		return "-"
	}
	left := fc.Status.Plan.End.Sub(now).Round(time.Minute)
	if left <= 0 {
		return "expired"
	}
	return string(v1alpha1.FormatDuration(left)) + " left"
}

func peakOf(fc *v1alpha1.Forecast, now time.Time) string {
	p := fc.Status.NextPeak
	if p == nil {
		return "-"
	}
	if !p.Start.After(now) {
		return fmt.Sprintf("%s/%s now, until %s", p.Schedule, p.Window, Stamp(p.End))
	}
	return fmt.Sprintf("%s/%s at %s", p.Schedule, p.Window, Stamp(p.Start))
}

// Stamp formats an instant in UTC, to the minute.
func Stamp(t metav1.Time) string { return t.UTC().Format("2006-01-02T15:04Z") }

// plural is the ending of a noun that n counts.
func plural(n int32) string {
	if n == 1 {
		return ""
	}
	return "s"
}
