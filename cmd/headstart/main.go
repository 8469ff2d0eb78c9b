// Command headstart forecasts the demand of slow-starting services and serves it as a metric that ordinary HPAs consume.
// Installed under the name kubectl-headstart, it is the kubectl plugin of the same name.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	_ "time/tzdata" // zones must not depend on the machine

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// version is stamped by the build.
var version = "dev"

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends what does not heed the first
	return execute(ctx, os.Args, ioStreams{os.Stdin, os.Stdout, os.Stderr})
}

// execute runs one command line and returns its exit code.
func execute(ctx context.Context, args []string, streams ioStreams) int {
	root := newRootCommand(filepath.Base(args[0]), streams)
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

// errInterrupted takes the place of what a signal made of a job that was under way.
var errInterrupted = errors.New("interrupted before it was done")

func newRootCommand(name string, streams ioStreams) *cobra.Command {
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
	for _, add := range commands {
		root.AddCommand(add(streams))
	}
	return root
}

// commands are the constructors of every subcommand, in the order of the help text.
var commands = []func(ioStreams) *cobra.Command{
	newServeCommand,
	newReportCommand,
	newForecastCommand,
	newStatusCommand,
	newPlotCommand,
	newStartupCommand,
	newPeaksCommand,
	newCalendarCommand,
	newConvertCommand,
	newPreflightCommand,
	newVersionCommand,
}

// newVersionCommand says what --version says: a word that people try first.
func newVersionCommand(ioStreams) *cobra.Command {
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

// plainFlagError says what a flag takes, where the flag's own words are those of the language that it is written in.
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

// usage is an error about how a command was called.
func usage(w io.Writer, cmd *cobra.Command, format string, args ...any) error {
	fmt.Fprintf(w, "See %q for the flags.\n", cmd.CommandPath()+" --help")
	return fmt.Errorf(format, args...)
}
