package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/scheduler"
	"headstart.dev/headstart/scheduler/manifest"
)

// peaksOptions are the flags of peaks, one to one.
type peaksOptions struct {
	files    []string
	from, to string
	forecast float64
	capacity float64
	limit    int
	output   string
}

func newPeaksCommand(streams Streams) *cobra.Command {
	var o peaksOptions
	cmd := &cobra.Command{
		Use:   "peaks --file FILE...",
		Short: "Show when declared peaks start and end, and what they demand, without a cluster",
		Long: `Peaks reads PeakSchedules, and the Calendars that they name, and prints every occurrence between two times on the schedule's own wall
clock and in UTC, and the demand that all windows together ask for as a chart. Nothing but the files and the clock is read: which Forecasts a
schedule lifts is not looked at.`,
		Example: `  headstart peaks --file peaks.yaml
  headstart peaks --file peaks.yaml --file calendars.yaml --from 2026-11-09 --to 2026-11-16 --forecast 800 --capacity 5
  kubectl get peakschedules,calendars -n ai -o yaml | headstart peaks --file -`,
		Args: cobra.NoArgs,
		RunE: func(_ *cobra.Command, _ []string) error { return o.run(streams, time.Now()) },
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&o.files, "file", "f", nil, "file of manifests with PeakSchedules and Calendars; - for standard input; may be given several times")
	flags.StringVar(&o.from, "from", "", "first instant: 2026-11-09, 2026-11-09T08:00 (the schedule's wall clock) or RFC 3339 (default now)")
	flags.StringVar(&o.to, "to", "", "last instant, without it (default seven days after --from)")
	flags.Float64Var(&o.forecast, "forecast", 100, "demand without peaks that the chart applies them to")
	flags.Float64Var(&o.capacity, "capacity", 1, "demand that one replica serves, for windows in replicas")
	flags.IntVar(&o.limit, "limit", 50, "most occurrences to list")
	flags.StringVarP(&o.output, "output", "o", "text", "text or json")
	return cmd
}

func (o *peaksOptions) run(streams Streams, now time.Time) error {
	if len(o.files) == 0 {
		return errors.New("name the file of the PeakSchedules: --file FILE")
	}
	if o.output != "text" && o.output != "json" {
		return fmt.Errorf("--output %q is unknown: text or json", o.output)
	}
	if o.limit < 1 || !(o.forecast >= 0 && o.forecast <= maxShown) || !(o.capacity >= 0 && o.capacity <= maxShown) {
		return fmt.Errorf("--limit must be above 0, --forecast and --capacity from 0 to %g", maxShown)
	}
	schedules, err := o.read(streams)
	if err != nil {
		return err
	}
	from, to, err := o.span(schedules[0].Location(), now)
	if err != nil {
		return err
	}
	if o.output == "json" {
		return o.printJSON(streams.Out, schedules, from, to)
	}
	for _, s := range schedules {
		if err := o.printTable(streams.Out, s, from, to); err != nil {
			return err
		}
	}
	return o.printChart(streams.Out, schedules, from, to)
}

// maxShown is the largest demand of a replica or a forecast that a chart is drawn for.
const maxShown = 1e15

// read compiles the PeakSchedules of all files together.
func (o *peaksOptions) read(streams Streams) ([]*scheduler.Schedule, error) {
	var all []manifest.Object
	for _, name := range o.files {
		objects, err := readManifests(streams, name)
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	names := strings.Join(o.files, ", ")
	peaks, err := manifest.CompilePeaks(all)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", names, err)
	}
	if len(peaks.Schedules) == 0 {
		return nil, fmt.Errorf("%s: there is no PeakSchedule in it", names)
	}
	return peaks.Schedules, nil
}

// readManifests reads the objects of a file, or of standard input for "-".
func readManifests(streams Streams, name string) ([]manifest.Object, error) {
	in, done, err := openInput(streams, name)
	if err != nil {
		return nil, err
	}
	defer done()
	objects, err := manifest.Read(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return objects, nil
}

// openInput opens a file, or standard input for "-".
func openInput(streams Streams, name string) (io.Reader, func(), error) {
	if name == "-" {
		return streams.In, func() {}, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read the file: %w", err)
	}
	return file, func() { _ = file.Close() }, nil
}

func (o *peaksOptions) span(location *time.Location, now time.Time) (from, to time.Time, err error) {
	from = now.In(location).Truncate(time.Minute)
	if o.from != "" {
		if from, err = parseWallOrInstant(o.from, location); err != nil {
			return from, to, fmt.Errorf("--from: %w", err)
		}
	}
	to = from.AddDate(0, 0, 7)
	if o.to != "" {
		if to, err = parseWallOrInstant(o.to, location); err != nil {
			return from, to, fmt.Errorf("--to: %w", err)
		}
	}
	if !from.Before(to) {
		return from, to, fmt.Errorf("--to %s is not after --from %s", to.Format(time.RFC3339), from.Format(time.RFC3339))
	}
	if from.Year() < 1971 || to.Year() > 2198 {
		return from, to, errors.New("--from and --to must lie between 1971 and 2198")
	}
	return from, to, nil
}

func parseWallOrInstant(text string, location *time.Location) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339} {
		if t, err := time.ParseInLocation(layout, text, location); err == nil {
			return t.In(location), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time: write 2026-11-09, 2026-11-09T08:00 or 2026-11-09T08:00:00Z", text)
}

func (o *peaksOptions) printTable(out io.Writer, s *scheduler.Schedule, from, to time.Time) error {
	state := ""
	if s.Suspended() {
		state = ", suspended: no window counts"
	}
	fmt.Fprintf(out, "%s (%s%s), from %s to %s\n", s.Name(), s.Location(), state, from.In(s.Location()).Format(wallLayout), to.In(s.Location()).Format(wallLayout))
	occurrences, complete := s.Between(from, to, o.limit)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(occurrences) > 0 {
		fmt.Fprintln(w, "WINDOW\tSTART\tEND\tLASTS\tSTART (UTC)\tDEMAND")
	}
	for _, x := range occurrences {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", x.Window, x.Start.Format(wallLayout), x.End.Format(wallLayout),
			v1alpha1.FormatDuration(x.End.Sub(x.Start)), x.Start.UTC().Format("2006-01-02T15:04Z"), sayDemand(x.Demand)+sayRamps(x))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	switch {
	case len(occurrences) == 0:
		fmt.Fprintln(out, "no window is active in this time")
	case !complete:
		fmt.Fprintf(out, "and more: list them with --limit, now %d\n", o.limit)
	}
	for _, warning := range s.Warnings() {
		fmt.Fprintln(out, "warning:", warning)
	}
	for _, name := range s.Expired(from) {
		fmt.Fprintf(out, "window %q is over and will not come again\n", name)
	}
	fmt.Fprintln(out)
	return nil
}

// wallLayout is a wall clock with its offset, so that both hours of an autumn night can be told apart.
const wallLayout = "Mon 2006-01-02 15:04 -07:00"

func sayDemand(d scheduler.Demand) string {
	neutral := scheduler.Neutral()
	switch {
	case d.Multiply != neutral.Multiply:
		return fmt.Sprintf("× %g", d.Multiply)
	case d.Add != 0:
		return fmt.Sprintf("+ %g", d.Add)
	case d.Replicas != 0:
		return fmt.Sprintf("at least %g replicas", d.Replicas)
	case d.AtMost != neutral.AtMost:
		return fmt.Sprintf("at most %g", d.AtMost)
	default:
		return fmt.Sprintf("at least %g", d.AtLeast)
	}
}

func sayRamps(o scheduler.Occurrence) string {
	text := ""
	if o.RampUp > 0 {
		text += ", rising for " + string(v1alpha1.FormatDuration(o.RampUp)) + " before"
	}
	if o.RampDown > 0 {
		text += ", falling for " + string(v1alpha1.FormatDuration(o.RampDown)) + " after"
	}
	return text
}

const (
	chartWidth  = 84
	chartHeight = 10
)

// printChart draws the demand of all schedules together; each column is the largest of its time.
func (o *peaksOptions) printChart(out io.Writer, schedules []*scheduler.Schedule, from, to time.Time) error {
	step := max(to.Sub(from)/chartWidth, time.Second)
	timeline := scheduler.Timeline(schedules, from, step, chartWidth)
	values := make([]float64, chartWidth)
	top := 0.0
	for i, d := range timeline {
		values[i] = d.Apply(o.forecast, o.capacity)
		top = max(top, values[i])
	}
	fmt.Fprintf(out, "Demand with a forecast of %g", o.forecast)
	if o.capacity != 1 {
		fmt.Fprintf(out, " and %g a replica", o.capacity)
	}
	fmt.Fprintf(out, ", the largest of every %s\n", v1alpha1.FormatDuration(step.Truncate(time.Second)))
	blocks := []rune(" ▁▂▃▄▅▆▇█")
	for row := chartHeight - 1; row >= 0; row-- {
		label := ""
		if row == chartHeight-1 || row == 0 {
			label = fmt.Sprintf("%.4g", top*float64(row+1)/chartHeight)
		}
		var line strings.Builder
		for _, v := range values {
			eighths := 0
			if top > 0 {
				eighths = int(v/top*chartHeight*8+0.5) - row*8
			}
			line.WriteRune(blocks[min(max(eighths, 0), 8)])
		}
		fmt.Fprintf(out, "%8s ┤%s\n", label, strings.TrimRight(line.String(), " "))
	}
	axis, labels := chartAxis(schedules[0].Location(), from, to, step)
	_, err := fmt.Fprintf(out, "%8s └%s\n%10s%s\n", "", axis, "", labels)
	return err
}

// chartAxis marks the midnights of a zone, and writes their dates below, as many as find room; without any midnight the ends.
func chartAxis(location *time.Location, from, to time.Time, step time.Duration) (axis, labels string) {
	var marks, below strings.Builder
	free := 0 // first column that no label has taken
	label := func(column int, text string) bool {
		if column < free || column+len(text) > chartWidth {
			return false
		}
		below.WriteString(strings.Repeat(" ", column-below.Len()) + text)
		free = column + len(text) + 2
		return true
	}
	layout, dates := "Mon 01-02", 0
	if to.Sub(from) > 14*24*time.Hour {
		layout = time.DateOnly
	}
	last := ""
	for i := range chartWidth {
		day := from.Add(time.Duration(i) * step).In(location)
		begins := last != "" && day.Format(time.DateOnly) != last || i == 0 && day.Hour() == 0 && day.Minute() == 0
		last = day.Format(time.DateOnly)
		if begins && label(i, day.Format(layout)) {
			marks.WriteString("┬")
			dates++
		} else {
			marks.WriteString("─")
		}
	}
	if dates == 0 {
		label(0, from.In(location).Format("Mon 01-02 15:04"))
		label(chartWidth-5, to.In(location).Format("15:04"))
	}
	return marks.String(), below.String()
}

// printJSON writes the occurrences for programs.
func (o *peaksOptions) printJSON(out io.Writer, schedules []*scheduler.Schedule, from, to time.Time) error {
	type occurrence struct {
		Schedule   string    `json:"schedule"`
		Window     string    `json:"window"`
		LocalStart string    `json:"localStart"`
		Start      time.Time `json:"start"`
		End        time.Time `json:"end"`
		Demand     string    `json:"demand"`
	}
	list := []occurrence{}
	for _, s := range schedules {
		occurrences, complete := s.Between(from, to, o.limit)
		if !complete {
			return fmt.Errorf("%s has more than %d occurrences in this time: raise --limit", s.Name(), o.limit)
		}
		for _, x := range occurrences {
			list = append(list, occurrence{x.Schedule, x.Window, x.Start.Format(time.RFC3339), x.Start.UTC(), x.End.UTC(), sayDemand(x.Demand)})
		}
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(list)
}
