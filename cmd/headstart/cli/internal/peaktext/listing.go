package peaktext

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/terminal"
	"headstart.dev/headstart/report/render"
	"headstart.dev/headstart/report/termchart"
	"headstart.dev/headstart/scheduler"
)

// Unknown is the Forecast of a Listing that is not given.
const Unknown = -1

// Listing writes the occurrences of PeakSchedules.
type Listing struct {
	// Limit is how many occurrences of each schedule are written.
	Limit int
	// Forecast is the demand without peaks, to which the chart applies the peaks, or Unknown.
	// Capacity is what one replica serves.
	Forecast, Capacity float64
	// Width is the number of columns; 0 is that of the terminal.
	Width int
}

// wallLayout is a wall clock with its offset. Without the offset, the two equal hours of the night
// in which summer time ends would look the same.
const wallLayout = "Mon 2006-01-02 15:04 -07:00"

// Table lists the occurrences of one schedule, and what to know about it.
func (l Listing) Table(out io.Writer, s *scheduler.Schedule, from, to time.Time) error {
	state := ""
	if s.Suspended() {
		state = ", suspended: no window applies"
	}
	title := fmt.Sprintf("%s (%s%s), from %s to %s", s.Name(), s.Location(), state,
		from.In(s.Location()).Format(wallLayout), to.In(s.Location()).Format(wallLayout))
	fmt.Fprintln(out, strings.Join(render.WrapTo(terminal.Columns(out, l.Width), "", title), "\n"))
	occurrences, complete := s.Between(from, to, l.Limit)
	if err := l.occurrences(out, occurrences); err != nil {
		return err
	}
	switch {
	case len(occurrences) == 0:
		fmt.Fprintln(out, "no window is active in this time")
	case !complete:
		fmt.Fprintf(out, "more occurrences follow: raise --limit, now %d, to list them\n", l.Limit)
	}
	for _, warning := range s.Warnings() {
		fmt.Fprintln(out, "warning:", warning)
	}
	for _, name := range s.Expired(from) {
		fmt.Fprintf(out, "window %q has ended and does not recur\n", name)
	}
	fmt.Fprintln(out)
	return nil
}

// occurrences writes a table. Where that is too wide, the demand of each occurrence has a line of its
// own.
func (l Listing) occurrences(out io.Writer, all []scheduler.Occurrence) error {
	if len(all) == 0 {
		return nil
	}
	var table, list strings.Builder
	w := terminal.NewTable(&table)
	fmt.Fprintln(w, "WINDOW\tSTART\tEND\tDURATION\tSTART (UTC)\tDEMAND")
	for _, x := range all {
		long, demand := v1alpha1.FormatDuration(x.End.Sub(x.Start)), Demand(x.Demand)+Ramps(x)
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", x.Window, x.Start.Format(wallLayout), x.End.Format(wallLayout), long,
			x.Start.UTC().Format("2006-01-02T15:04Z"), demand)
		fmt.Fprintf(&list, "%s for %s: %s\n", x.Start.Format(wallLayout), long, x.Window)
		fmt.Fprintln(&list, strings.Join(render.WrapTo(terminal.Columns(out, l.Width), "    ", demand), "\n"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	text := table.String()
	for line := range strings.Lines(text) {
		if utf8.RuneCountInString(line)-1 > terminal.Columns(out, l.Width) {
			text = list.String()
			break
		}
	}
	_, err := io.WriteString(out, text)
	return err
}

// Chart draws the demand of all schedules together. Each column shows the
// largest demand of its time.
func (l Listing) Chart(out io.Writer, schedules []*scheduler.Schedule, from, to time.Time) error {
	forecast := l.Forecast
	if forecast == Unknown {
		forecast = l.quiet(schedules, from, to)
	}
	title := "Demand, if the forecast is " + number(forecast)
	if l.Capacity != 1 {
		title += " and one replica serves " + number(l.Capacity)
	}
	demand := termchart.Series{Name: "demand", Max: func(from, to time.Time) (float64, bool) {
		largest := scheduler.Timeline(schedules, from, to.Sub(from), 1)[0]
		return largest.Apply(forecast, l.Capacity), true
	}}
	chart := termchart.Chart{
		Title: title, Start: from, End: to, Location: schedules[0].Location(), Area: demand,
		Lanes: []termchart.Lane{termchart.PeakLane(schedules), termchart.ExcludedLane(schedules)},
		Width: min(95, terminal.Columns(out, l.Width)), // 95 are 84 without the axis: in a week, each is 2 hours
	}
	_, err := fmt.Fprintln(out, strings.Join(chart.Lines(), "\n"))
	return err
}

// quiet returns a forecast above which the peaks are seen: a quarter of the smallest demand that a
// window asks for by itself, or 100 where every window adds to a forecast or multiplies it.
func (l Listing) quiet(schedules []*scheduler.Schedule, from, to time.Time) float64 {
	least := math.Inf(1)
	for _, s := range schedules {
		occurrences, _ := s.Between(from, to, l.Limit)
		for _, x := range occurrences {
			if asks := max(x.Demand.AtLeast, x.Demand.Replicas*l.Capacity); asks > 0 {
				least = min(least, asks)
			}
		}
	}
	if math.IsInf(least, 1) {
		return 100
	}
	return least / 4
}

// JSON lists the occurrences of all schedules for programs.
func (l Listing) JSON(out io.Writer, schedules []*scheduler.Schedule, from, to time.Time) error {
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
		occurrences, complete := s.Between(from, to, l.Limit)
		if !complete {
			return fmt.Errorf("%s has more than %d occurrences in this time: raise --limit", s.Name(), l.Limit)
		}
		for _, x := range occurrences {
			list = append(list, occurrence{
				Schedule: x.Schedule, Window: x.Window, LocalStart: x.Start.Format(time.RFC3339),
				Start: x.Start.UTC(), End: x.End.UTC(), Demand: Demand(x.Demand),
			})
		}
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(list)
}
