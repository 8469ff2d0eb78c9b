package learned

import (
	"fmt"
	"io"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/status"
	"headstart.dev/headstart/cmd/headstart/cli/internal/terminal"
	"headstart.dev/headstart/planner/terms"
	"headstart.dev/headstart/report/learned"
)

// Learns returns the Forecasts that ask for a learned capacity, sorted.
func Learns(list []v1alpha1.Forecast) []v1alpha1.Forecast {
	list = slices.DeleteFunc(slices.Clone(list), func(fc v1alpha1.Forecast) bool {
		c := fc.Spec.Capacity
		return c == nil || c.Mode == v1alpha1.CapacityFixed
	})
	status.Sort(list)
	return list
}

// WriteList writes one line for each Forecast.
func WriteList(w io.Writer, list []v1alpha1.Forecast) {
	if len(list) == 0 {
		fmt.Fprintln(w, "No Forecast here has a learned capacity: set spec.capacity.objective of one.")
		return
	}
	rows := [][]string{{
		"NAMESPACE", "NAME", "CAPACITY", "SOURCE", "REASON", "ESTIMATE", "LOWER", "CARRIED", "STEPS", "MISSED", "SINCE",
	}}
	for i := range list {
		fc := &list[i]
		reason := "-"
		if c := meta.FindStatusCondition(fc.Status.Conditions, v1alpha1.ConditionCapacityKnown); c != nil {
			reason = terminal.OrDash(c.Reason)
		}
		if s := fc.Status.Capacity; s == nil {
			rows = append(rows, []string{fc.Namespace, fc.Name, "-", "-", reason, "-", "-", "-", "-", "-", "-"})
		} else {
			since := "-"
			if s.Since != nil {
				since = status.Stamp(*s.Since)
			}
			estimate := short(s.Estimate)
			if s.AtLeast && s.Estimate != nil {
				estimate = "≥ " + estimate
			}
			rows = append(rows, []string{
				fc.Namespace, fc.Name, short(&s.Value), string(s.Source), reason, estimate, short(s.Lower), short(s.Carried),
				fmt.Sprint(s.Steps), fmt.Sprint(s.Missed), since,
			})
		}
	}
	terminal.WriteFitting(w, rows, terminal.Columns(w, 0))
}

// ShowList writes the Forecasts as text, JSON or YAML.
func ShowList(w io.Writer, output string, list []v1alpha1.Forecast) error {
	if output != "text" {
		return Encode(w, output, Outputs(list))
	}
	WriteList(w, list)
	return nil
}

// Outputs returns the list for programs.
func Outputs(list []v1alpha1.Forecast) []Output {
	out := make([]Output, len(list))
	for i := range list {
		out[i] = Output{
			Namespace: list[i].Namespace, Name: list[i].Name, Status: list[i].Status.Capacity,
			Weights: terms.Kept(&list[i]),
		}
	}
	return out
}

// short writes a figure with four digits.
func short(q *resource.Quantity) string {
	if q == nil {
		return "-"
	}
	return learned.Figure(q.AsApproximateFloat64())
}
