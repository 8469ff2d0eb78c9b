// Package status writes what the status of Forecasts says.
package status

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/terminal"
)

// IsText reports whether an output is a table or text, and not JSON or YAML.
func IsText(output string) bool { return output == "text" || output == "wide" }

// Show writes the status of the Forecasts as text, JSON or YAML. With detail, it returns an error
// after the output if one of the Forecasts is not ready.
func Show(w io.Writer, list []v1alpha1.Forecast, output string, detail bool, now time.Time) error {
	Sort(list)
	for i := range list {
		// As kubectl writes an object: with its type, and without what only the API server needs.
		list[i].SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Forecast"))
		list[i].ManagedFields = nil
	}
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
	case !IsText(output):
		return fmt.Errorf("--output %q is unknown: use text, wide, json or yaml", output)
	case detail:
		for i := range list {
			writeDetails(w, &list[i], now, terminal.Columns(w, 0))
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
	rows := [][]string{{
		"NAMESPACE", "NAME", "READY", "REASON", "OBSERVED", "SERVED", "LEAD", "SKILL", "PLAN", "NEXT PEAK",
	}}
	width := terminal.Columns(w, 0)
	if wide {
		rows[0] = append(rows[0], "MODE", "TARGET", "CAPACITY", "MESSAGE")
		width = math.MaxInt
	}
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
				capacity = capacityOf(c)
			}
			cells = append(cells, string(fc.Spec.Mode), fc.Spec.TargetRef.Kind+"/"+fc.Spec.TargetRef.Name, capacity,
				terminal.OrDash(strings.Join(strings.Fields(message), " ")))
		}
		rows = append(rows, cells)
	}
	terminal.WriteFitting(w, rows, width)
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
