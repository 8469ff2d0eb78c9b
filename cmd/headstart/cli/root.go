// Package cli holds the commands of headstart that people run by hand: every command except serve.
package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Execute runs one command line and returns its exit code: 0, or 1 after an error. The error is
// written to streams.Err. args begins with the name that the binary was started under; serve and
// other commands from outside this package are passed as more.
func Execute(ctx context.Context, args []string, version string, streams Streams, more ...*cobra.Command) int {
	root := newRootCommand(filepath.Base(args[0]), version, streams)
	root.AddCommand(more...)
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

func newRootCommand(name, version string, streams Streams) *cobra.Command {
	root := &cobra.Command{
		Use:           "headstart",
		Short:         "Give slow-starting services a head start: forecast their demand, and let an HPA act on it in time",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	if strings.HasPrefix(name, "kubectl-") {
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl headstart"}
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	root.SetFlagErrorFunc(plainFlagError)
	root.AddCommand(
		newReportCommand(streams),
		newForecastCommand(streams),
		newStatusCommand(streams),
		newPlotCommand(streams),
		newStartupCommand(streams),
		newPeaksCommand(streams),
		newCalendarCommand(streams),
		newConvertCommand(streams),
		newPreflightCommand(streams),
		newVersionCommand(),
	)
	return root
}

// newVersionCommand prints the same as --version. Many users try the command first.
func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which version this is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			root := cmd.Root()
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s version %s\n", root.DisplayName(), root.Version)
			return err
		},
	}
}

// plainFlagError replaces Go's own error about a number, such as "strconv.ParseFloat: parsing", by
// one that says which kind of number the flag needs.
func plainFlagError(_ *cobra.Command, err error) error {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) || !errors.As(err, new(*strconv.NumError)) {
		return err
	}
	kind := "a number, such as 2.5"
	if strings.HasPrefix(bad.GetFlag().Value.Type(), "int") {
		kind = "a whole number, such as 2"
	}
	return fmt.Errorf("--%s %q is not %s", bad.GetFlag().Name, bad.GetValue(), kind)
}
