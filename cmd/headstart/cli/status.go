package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
)

func newStatusCommand(streams Streams) *cobra.Command {
	var (
		cluster *clusterFlags
		output  string
	)
	cmd := &cobra.Command{
		Use:   "status [NAME…]",
		Short: "Show what is served, why, and how good the forecasts have been",
		Long: `Status reads Forecasts with your own permissions. With names it tells all about those, condition by condition; without, a line about
each. It exits with 1 when a Forecast that it was asked about is not ready.`,
		Example: "  headstart status\n  headstart status -n shop face-fusion\n  kubectl headstart status -A",
		RunE: func(cmd *cobra.Command, names []string) error {
			c, err := cluster.client()
			if err != nil {
				return err
			}
			namespace, err := cluster.namespace()
			if err != nil {
				return err
			}
			list, err := forecasts(cmd.Context(), c, namespace, names)
			if err != nil {
				return err
			}
			return showStatus(streams.Out, list, output, len(names) > 0, time.Now())
		},
	}
	cluster = newClusterFlags(cmd.Flags())
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// forecasts reads the named Forecasts, or all of a namespace.
func forecasts(ctx context.Context, c client.Reader, namespace string, names []string) ([]v1alpha1.Forecast, error) {
	var out []v1alpha1.Forecast
	for _, name := range names {
		ns := namespace
		if before, after, ok := strings.Cut(name, "/"); ok {
			ns, name = before, after
		}
		var fc v1alpha1.Forecast
		if err := c.Get(ctx, client.ObjectKey{Namespace: ns, Name: name}, &fc); err != nil {
			return nil, fmt.Errorf("read forecast %s/%s: %w", ns, name, err)
		}
		out = append(out, fc)
	}
	if len(names) > 0 {
		return out, nil
	}
	var list v1alpha1.ForecastList
	if err := c.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list forecasts: %w", err)
	}
	return list.Items, nil
}

func showStatus(w io.Writer, list []v1alpha1.Forecast, output string, detail bool, now time.Time) error {
	slices.SortFunc(list, func(a, b v1alpha1.Forecast) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	switch {
	case output == "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		if err := enc.Encode(list); err != nil {
			return err
		}
	case output != "text":
		return fmt.Errorf("--output %q must be text or json", output)
	case len(list) == 0:
		fmt.Fprintln(w, "There are no Forecasts here.")
		return nil
	case detail:
		for i := range list {
			describe(w, &list[i], now)
		}
	default:
		table(w, list, now)
	}
	if !detail {
		return nil
	}
	for i := range list {
		if !meta.IsStatusConditionTrue(list[i].Status.Conditions, v1alpha1.ConditionReady) {
			return fmt.Errorf("forecast %s/%s is not ready", list[i].Namespace, list[i].Name)
		}
	}
	return nil
}

func table(w io.Writer, list []v1alpha1.Forecast, now time.Time) {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "NAMESPACE\tNAME\tREADY\tWHY\tOBSERVED\tSERVED\tLEAD\tSKILL\tPLAN LEFT\tNEXT PEAK")
	for i := range list {
		fc := &list[i]
		ready, reason := "Unknown", ""
		if c := meta.FindStatusCondition(fc.Status.Conditions, v1alpha1.ConditionReady); c != nil {
			ready, reason = string(c.Status), c.Reason
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", fc.Namespace, fc.Name, ready, orDash(reason),
			sample(fc.Status.Observed), sample(fc.Status.Served), leadOf(fc), skillOf(fc), planLeft(fc, now), peakOf(fc, now))
	}
	tw.Flush() //nolint:errcheck // a broken pipe has no reader to tell
}

func describe(w io.Writer, fc *v1alpha1.Forecast, now time.Time) {
	s := &fc.Status
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(tw, "%s:\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("Forecast", "%s/%s (mode %s)", fc.Namespace, fc.Name, fc.Spec.Mode)
	row("Target", "%s/%s", fc.Spec.TargetRef.Kind, fc.Spec.TargetRef.Name)
	row("Observed", "%s%s", sample(s.Observed), ago(s.Observed, now))
	row("Served", "%s%s", sample(s.Served), ago(s.Served, now))
	if l := s.LeadTime; l != nil {
		row("Lead", "%s (%s, %d starts; warm-up %s, control loop %s)", l.Value, l.Source, l.Starts, orDash(string(l.WarmUp)), orDash(string(l.ControlLoopDelay)))
	}
	if c := s.CapacityPerReplica; c != nil {
		row("One replica serves", "%s (%s)", c.Value.String(), strings.TrimSpace(c.Source+" "+c.Name))
	}
	if m := s.Model; m != nil {
		var periods, weights []string
		for _, p := range m.Periods {
			periods = append(periods, string(p))
		}
		for _, x := range m.Weights {
			weights = append(weights, fmt.Sprintf("%s %s", x.Name, x.Weight))
		}
		row("Model", "skill %s, coverage %s, periods %s, %d points", orDash(m.Skill), orDash(m.Coverage), orDash(strings.Join(periods, " ")), m.Points)
		row("Weights", "%s", orDash(strings.Join(weights, ", ")))
		for _, warning := range m.Warnings {
			row("Warning", "%s", warning)
		}
	}
	if a := s.Accuracy; a != nil {
		row("Asked for", "%s of lead windows covered (of steps, under a shortage cost)", a.Asked)
		row("Last day", "%s", accuracyOf(a.LastDay))
		row("Last week", "%s", accuracyOf(a.LastWeek))
	}
	row("Plan left", "%s", planLeft(fc, now))
	row("Next peak", "%s", peakOf(fc, now))
	tw.Flush() //nolint:errcheck // a broken pipe has no reader to tell
	fmt.Fprintln(w, "Conditions:")
	ct := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, c := range s.Conditions {
		fmt.Fprintf(ct, "  %s\t%s\t%s\t%s\n", c.Type, c.Status, c.Reason, c.Message)
	}
	ct.Flush() //nolint:errcheck // a broken pipe has no reader to tell
	fmt.Fprintln(w)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func sample(s *v1alpha1.Sample) string {
	if s == nil {
		return "-"
	}
	return s.Value.String()
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

// accuracyOf says how good the plan turned out to be.
func accuracyOf(f *v1alpha1.AccuracyFigures) string {
	if f == nil || f.Windows == 0 {
		return "nothing scored yet"
	}
	return fmt.Sprintf("%s covered, skill %s, bias %s, %d scored", orDash(f.Coverage), orDash(f.Skill), orDash(f.Bias), f.Windows)
}

func skillOf(fc *v1alpha1.Forecast) string {
	if fc.Status.Model == nil {
		return "-"
	}
	return orDash(fc.Status.Model.Skill)
}

func planLeft(fc *v1alpha1.Forecast, now time.Time) string {
	if fc.Status.Plan == nil {
		return "-"
	}
	left := fc.Status.Plan.End.Sub(now).Round(time.Minute)
	if left <= 0 {
		return "outlived"
	}
	return string(v1alpha1.FormatDuration(left))
}

func peakOf(fc *v1alpha1.Forecast, now time.Time) string {
	p := fc.Status.NextPeak
	if p == nil {
		return "-"
	}
	if !p.Start.After(now) {
		return fmt.Sprintf("%s/%s now, until %s", p.Schedule, p.Window, stamp(p.End))
	}
	return fmt.Sprintf("%s/%s at %s", p.Schedule, p.Window, stamp(p.Start))
}

func stamp(t metav1.Time) string { return t.UTC().Format("2006-01-02T15:04Z") }
