package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"headstart.dev/headstart/cmd/headstart/cli/internal/explain"
)

func newExplainCommand(streams Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "explain [CONDITION | REASON | ALERT]",
		Short: "Say what a condition, a reason or an alert means, and what to do",
		Long: `Explain says what a condition, a reason or an alert means, and what to do.

The conditions are those of Forecasts and WarmPools. Without a name it lists them. It needs no cluster.`,
		Example: `  headstart explain
  headstart explain Skilled
  headstart explain NoSkill
  headstart explain HeadstartSourceFails`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			t, err := explain.Load()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				t.WriteConditions(streams.Out)
				return nil
			}
			if alerts, err := explain.LoadRunbooks(); err != nil || alerts.Write(streams.Out, args[0]) {
				return err
			}
			return t.Write(streams.Out, args[0])
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			t, err := explain.Load()
			alerts, alertsErr := explain.LoadRunbooks()
			if errors.Join(err, alertsErr) != nil || len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return append(t.Names(), alerts.Names()...), cobra.ShellCompDirectiveNoFileComp
		},
	}
}
