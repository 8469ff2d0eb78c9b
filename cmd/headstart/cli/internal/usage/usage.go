// Package usage writes the help of commands.
package usage

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"headstart.dev/headstart/cmd/headstart/cli/internal/terminal"
	"headstart.dev/headstart/report/render"
)

// Width is the width in columns of a help text, where the terminal is not narrower.
const Width = 100

// ConnectionFlag marks the flags by which kubectl reaches a cluster.
const ConnectionFlag = "headstart.dev/connection"

// Help writes the help text of a command: its description, and what Print writes.
func Help(cmd *cobra.Command, _ []string) {
	w := cmd.OutOrStdout()
	text := cmd.Long
	if text == "" {
		text = cmd.Short
	}
	fmt.Fprintf(w, "%s\n\n", Fit(strings.TrimSpace(text), terminal.Page(w)))
	_ = Print(cmd) // it writes to the same place, and nobody can read an error
}

// Fit breaks the lines of a text again, where one of them is wider than so many columns. Paragraphs
// stay, and so do lines that are indented.
func Fit(text string, columns int) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		lines := strings.Split(p, "\n")
		wide := slices.ContainsFunc(lines, func(l string) bool { return utf8.RuneCountInString(l) > columns })
		own := slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, " ") })
		if wide && !own {
			paragraphs[i] = strings.Join(render.WrapTo(columns, "", p), "\n")
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

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
			label := fmt.Sprintf("  %-*s ", sub.NamePadding(), sub.Name())
			lines = append(lines, render.WrapTo(terminal.Page(w), label, sub.Short)...)
		}
	}
	if len(lines) > 0 {
		fmt.Fprintf(w, "\n%s\n%s\n", title, strings.Join(lines, "\n"))
	}
}

func printFlags(w io.Writer, title string, flags *pflag.FlagSet) {
	if flags.HasAvailableFlags() {
		fmt.Fprintf(w, "\n%s\n%s", title, flags.FlagUsagesWrapped(terminal.Page(w)))
	}
}
