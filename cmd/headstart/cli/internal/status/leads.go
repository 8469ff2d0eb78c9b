package status

import (
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/api/meta"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/terminal"
)

// WriteLeads writes one line per Forecast, with the columns that fit the terminal.
func WriteLeads(w io.Writer, list []v1alpha1.Forecast) {
	Sort(list)
	rows := [][]string{{"NAMESPACE", "NAME", "LEAD", "SOURCE", "STARTS", "WARM-UP", "CONTROL LOOP", "FAILING"}}
	for i := range list {
		fc := &list[i]
		l := fc.Status.LeadTime
		if l == nil {
			l = &v1alpha1.LeadTimeStatus{}
		}
		failing := "-"
		if c := meta.FindStatusCondition(fc.Status.Conditions, v1alpha1.ConditionStartsFailing); c != nil {
			failing = string(c.Status)
		}
		rows = append(rows, []string{
			fc.Namespace, fc.Name, terminal.OrDash(string(l.Value)), terminal.OrDash(string(l.Source)), fmt.Sprint(l.Starts),
			terminal.OrDash(string(l.WarmUp)), terminal.OrDash(string(l.ControlLoopDelay)), failing,
		})
	}
	terminal.WriteFitting(w, rows, terminal.Columns(w, 0))
}
