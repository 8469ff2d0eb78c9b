// Package cli holds the commands of headstart that people run by hand: every command except serve.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"headstart.dev/headstart/cmd/headstart/cli/internal/usage"
)

// Streams are the standard streams of a command. Tests replace them by buffers.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// Execute runs one command line and returns its exit code: 0, or 1 after an error. The error is
// written to streams.Err. args begins with the name that the binary was started under. serve is the
// command that runs the server; it comes from another package.
func Execute(ctx context.Context, args []string, version Version, streams Streams, serve *cobra.Command) int {
	root := newRootCommand(filepath.Base(args[0]), version, streams, serve)
	root.SetArgs(args[1:])
	err := root.ExecuteContext(ctx)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = errInterrupted
	}
	if err != nil {
		fmt.Fprintf(streams.Err, "%s: %v\n", root.Name(), err)
		return 1
	}
	return 0
}

// errInterrupted replaces whatever error a signal caused in a running command.
var errInterrupted = errors.New("interrupted before it was done")

// The groups of commands in the help text.
const (
	groupOffline = "offline"
	groupCluster = "cluster"
	groupServer  = "server"
)

func newRootCommand(name string, version Version, streams Streams, serve *cobra.Command) *cobra.Command {
	root := &cobra.Command{
		Use:   "headstart",
		Short: "Forecast the demand of services that start slowly, and scale them ahead of it",
		Long: `Headstart forecasts the demand of services that start slowly, such as GPU model servers, and serves
the forecast as a metric, so that an HPA or KEDA adds replicas before the load arrives.

A command exits with 0, or with 1 after an error. Errors, notes and warnings go to standard error.`,
		Example: `  # What would Headstart have done? Replay a history of demand; no cluster is needed.
  headstart report --input demand.csv --lead 10m --capacity 5 --service-level 0.99

  # How good are the Forecasts of the cluster?
  headstart status -A`,
		Version:       version.String(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	if strings.HasPrefix(name, "kubectl-") {
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl headstart"}
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	root.SetFlagErrorFunc(explainFlagError)
	root.SetUsageFunc(usage.Print)
	root.SetHelpFunc(usage.Help)
	rejectUnknownCommands(root)
	root.AddGroup(
		&cobra.Group{ID: groupOffline, Title: "From files and Prometheus:"},
		&cobra.Group{ID: groupCluster, Title: "In a cluster:"},
		&cobra.Group{ID: groupServer, Title: "The server:"},
	)
	addGroup(root, groupOffline, newReportCommand(streams), newForecastCommand(streams), newPeaksCommand(streams),
		newCalendarCommand(streams), newConvertCommand(streams))
	addGroup(root, groupCluster, newStatusCommand(streams), newUICommand(streams), newPlotCommand(streams),
		newCapacityCommand(streams),
		newStartupCommand(streams), newExplainCommand(streams), newPreflightCommand(streams))
	addGroup(root, groupServer, serve)
	root.AddCommand(newVersionCommand(version))
	return root
}

// addGroup adds commands that the help text lists together.
func addGroup(root *cobra.Command, id string, commands ...*cobra.Command) {
	for _, cmd := range commands {
		cmd.GroupID = id
		root.AddCommand(cmd)
	}
}

// explainFlagError says where to look after a mistake in the flags. It replaces Go's own error
// about a number, such as "strconv.ParseFloat: parsing", by one that says which kind of number is
// needed.
func explainFlagError(cmd *cobra.Command, err error) error {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return fmt.Errorf("%w: run %q to see the flags", err, cmd.CommandPath()+" --help")
	}
	if !errors.As(err, new(*strconv.NumError)) {
		return err
	}
	kind := "a number, such as 2.5"
	if strings.HasPrefix(bad.GetFlag().Value.Type(), "int") {
		kind = "a whole number, such as 2"
	}
	return fmt.Errorf("--%s %q is not %s", bad.GetFlag().Name, bad.GetValue(), kind)
}

// rejectUnknownCommands makes a command that only has subcommands fail if none of them is named.
// Without arguments it shows its help.
func rejectUnknownCommands(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			return fmt.Errorf("unknown command %q: did you mean %q?", args[0], near[0])
		}
		return fmt.Errorf("unknown command %q: run %q to see the commands", args[0], cmd.CommandPath()+" --help")
	}
}
