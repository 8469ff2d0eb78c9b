package learned

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/status"
	"headstart.dev/headstart/cmd/headstart/cli/internal/terminal"
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
		fmt.Fprintln(w, "No Forecast has a learned capacity: set spec.capacity.objective of one.")
		return
	}
	tw := terminal.NewTable(w)
	fmt.Fprintln(tw, "NAMESPACE\tNAME\tCAPACITY\tSOURCE\tESTIMATE\tLOWER\tCARRIED\tSTEPS\tMISSED\tSINCE\tREASON")
	for i := range list {
		fc := &list[i]
		cells := []string{fc.Namespace, fc.Name}
		if s := fc.Status.Capacity; s == nil {
			cells = append(cells, "-", "-", "-", "-", "-", "-", "-", "-")
		} else {
			since := "-"
			if s.Since != nil {
				since = status.Stamp(*s.Since)
			}
			estimate := short(s.Estimate)
			if s.AtLeast && s.Estimate != nil {
				estimate = "≥ " + estimate
			}
			cells = append(cells, short(&s.Value), string(s.Source), estimate, short(s.Lower), short(s.Carried),
				fmt.Sprint(s.Steps), fmt.Sprint(s.Missed), since)
		}
		reason := "-"
		if c := meta.FindStatusCondition(fc.Status.Conditions, v1alpha1.ConditionCapacityKnown); c != nil {
			reason = c.Reason
		}
		fmt.Fprintln(tw, strings.Join(append(cells, terminal.OrDash(reason)), "\t"))
	}
	tw.Flush() //nolint:errcheck // standard output is gone, so nobody can read an error
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
		out[i] = Output{Namespace: list[i].Namespace, Name: list[i].Name, Status: list[i].Status.Capacity}
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
