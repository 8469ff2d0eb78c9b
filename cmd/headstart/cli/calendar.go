package cli

import (
	"errors"
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
		Short: "Make Calendar manifests from iCalendar files",
	}
	rejectUnknownCommands(cmd)
	cmd.AddCommand(newCalendarImportCommand(streams))
	return cmd
}

func newCalendarImportCommand(streams Streams) *cobra.Command {
	var name, from string
	cmd := &cobra.Command{
		Use:   "import FILE.ics",
		Short: "Convert the all-day events of an iCalendar file to a Calendar manifest",
		Long: `Import converts the all-day events of an iCalendar file, such as public holidays, to a Calendar manifest.

The manifest goes to standard output. Events that a Calendar cannot hold, such as appointments, are
left out and listed on standard error.`,
		Example: `  headstart calendar import holidays.ics
  headstart calendar import holidays.ics --name cn --from 2026-01-01 | kubectl apply -f -`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return runCalendarImport(streams, args[0], name, from, time.Now())
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "`NAME` of the Calendar (default the name of the file)")
	cmd.Flags().StringVar(&from, "from", "", "leave out dates before this `DATE`, such as 2026-01-01")
	return cmd
}

func runCalendarImport(streams Streams, file, name, from string, now time.Time) error {
	options := icalendar.Options{Now: now}
	if from != "" {
		day, err := time.Parse(time.DateOnly, from)
		if err != nil {
			return fmt.Errorf("--from %q is not a date such as 2026-01-01", from)
		}
		options.From = day
	}
	if name == "" {
		name = objectName(file)
	}
	if name == "" {
		return errors.New("the Calendar has no name: give --name")
	}
	in, closeInput, err := openInput(streams, file)
	if err != nil {
		return err
	}
	defer closeInput()
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
		return fmt.Errorf("write the Calendar: %w", err)
	}
	_, err = streams.Out.Write(text)
	return err
}

var notInNames = regexp.MustCompile(`[^a-z0-9.]+`)

// objectName returns the name of a file as the name of a Kubernetes object; "" if nothing is left.
func objectName(file string) string {
	base := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	return strings.Trim(notInNames.ReplaceAllString(strings.ToLower(base), "-"), "-.")
}
