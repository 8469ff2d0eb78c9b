package status

import (
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/terminal"
)

// WriteLeads writes one line per Forecast.
func WriteLeads(w io.Writer, list []v1alpha1.Forecast) {
	Sort(list)
	tw := terminal.NewTable(w)
	fmt.Fprintln(tw, "NAMESPACE\tNAME\tLEAD\tSOURCE\tSTARTS\tWARM-UP\tCONTROL LOOP\tSTARTS FAILING")
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
		fmt.Fprintln(tw, strings.Join([]string{
			fc.Namespace, fc.Name, terminal.OrDash(string(l.Value)), terminal.OrDash(string(l.Source)), fmt.Sprint(l.Starts),
			terminal.OrDash(string(l.WarmUp)), terminal.OrDash(string(l.ControlLoopDelay)), failing,
		}, "\t"))
	}
	tw.Flush() //nolint:errcheck // standard output is gone, so nobody can read an error
}
