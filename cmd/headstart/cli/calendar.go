package cli

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/scheduler/icalendar"
)

func newCalendarCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "calendar",
		Short: "Work with Calendars",
	}
	cmd.AddCommand(newCalendarImportCommand(streams))
	return cmd
}

func newCalendarImportCommand(streams Streams) *cobra.Command {
	var name, from string
	cmd := &cobra.Command{
		Use:   "import FILE.ics",
		Short: "Write a Calendar manifest from the all-day events of an iCalendar file",
		Long: `Import reads the all-day events of an iCalendar file and writes a Calendar manifest to standard output. What a Calendar cannot say is
left out and named on standard error.`,
		Example: `  headstart calendar import cn-holidays.ics --from 2026-01-01 | kubectl apply -f -`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return runCalendarImport(streams, args[0], name, from)
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "name of the Calendar (default that of the file)")
	cmd.Flags().StringVar(&from, "from", "", "leave out dates before this one, such as 2026-01-01")
	return cmd
}

var notInNames = regexp.MustCompile(`[^a-z0-9.]+`)

func runCalendarImport(streams Streams, file, name, from string) error {
	var options icalendar.Options
	if from != "" {
		day, err := time.Parse(time.DateOnly, from)
		if err != nil {
			return fmt.Errorf("--from %q is not a date: write one such as 2026-01-01", from)
		}
		options.From = day
	}
	if name == "" {
		base := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		name = strings.Trim(notInNames.ReplaceAllString(strings.ToLower(base), "-"), "-.")
	}
	if name == "" {
		return fmt.Errorf("name the Calendar with --name")
	}
	in, done, err := openInput(streams, file)
	if err != nil {
		return err
	}
	defer done()
	result, err := icalendar.Read(in, options)
	for _, note := range result.Notes {
		fmt.Fprintln(streams.Err, "note:", note)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Calendar",
		"metadata": map[string]any{"name": name}, "spec": result.Spec,
	})
	if err != nil {
		return fmt.Errorf("cannot write the Calendar: %w", err)
	}
	_, err = streams.Out.Write(text)
	return err
}
