// Command headstart forecasts the demand of slow-starting services and serves it as a metric that ordinary HPAs consume.
// Installed under the name kubectl-headstart, it is the kubectl plugin of the same name.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	_ "time/tzdata" // zones must not depend on the machine

	"github.com/spf13/cobra"
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
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(streams.Err, "%s: %v\n", root.Name(), err)
		return 1
	}
	return 0
}

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
}

// usage is an error about how a command was called.
func usage(w io.Writer, cmd *cobra.Command, format string, args ...any) error {
	fmt.Fprintf(w, "See %q for the flags.\n", cmd.CommandPath()+" --help")
	return fmt.Errorf(format, args...)
}
