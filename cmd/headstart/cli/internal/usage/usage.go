// Package usage writes the help of commands.
package usage

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Width is the width in columns that the descriptions of flags are wrapped to.
const Width = 100

// ConnectionFlag marks the flags by which kubectl reaches a cluster.
const ConnectionFlag = "headstart.dev/connection"

// Print writes what follows the description in a help text. It differs from cobra's own in two
// ways: the descriptions of flags are wrapped, and kubectl's flags, which are many, come last.
func Print(cmd *cobra.Command) error {
	w := cmd.OutOrStderr()
	fmt.Fprintln(w, "Usage:")
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "  %s [command]\n", cmd.CommandPath())
	} else {
		fmt.Fprintf(w, "  %s\n", cmd.UseLine())
	}
	if cmd.HasExample() {
		fmt.Fprintf(w, "\nExamples:\n%s\n", cmd.Example)
	}
	for _, group := range cmd.Groups() {
		printCommands(w, cmd, group.Title, group.ID)
	}
	printCommands(w, cmd, "Commands:", "")
	own, connection := pflag.NewFlagSet("", pflag.ContinueOnError), pflag.NewFlagSet("", pflag.ContinueOnError)
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if _, ok := f.Annotations[ConnectionFlag]; ok {
			connection.AddFlag(f)
		} else {
			own.AddFlag(f)
		}
	})
	printFlags(w, "Flags:", own)
	printFlags(w, "Flags to reach the cluster, as in kubectl:", connection)
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\nRun %q for the help of a command.\n", cmd.CommandPath()+" [command] --help")
	}
	return nil
}

// printCommands lists the subcommands of one group; id "" stands for those without a group.
func printCommands(w io.Writer, cmd *cobra.Command, title, id string) {
	var lines []string
	for _, sub := range cmd.Commands() {
		if sub.GroupID == id && sub.IsAvailableCommand() {
			lines = append(lines, fmt.Sprintf("  %-*s %s\n", sub.NamePadding(), sub.Name(), sub.Short))
		}
	}
	if len(lines) > 0 {
		fmt.Fprintf(w, "\n%s\n%s", title, strings.Join(lines, ""))
	}
}

func printFlags(w io.Writer, title string, flags *pflag.FlagSet) {
	if flags.HasAvailableFlags() {
		fmt.Fprintf(w, "\n%s\n%s", title, flags.FlagUsagesWrapped(Width))
	}
}
