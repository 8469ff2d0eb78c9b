package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/scheduler"
)

// wallLayout is a wall clock with its offset. Without the offset, the two equal hours of the night
// in which summer time ends would look the same.
const wallLayout = "Mon 2006-01-02 15:04 -07:00"

// writeTable lists the occurrences of one schedule, and what to know about it.
func (o *peaksOptions) writeTable(out io.Writer, s *scheduler.Schedule, from, to time.Time) error {
	state := ""
	if s.Suspended() {
		state = ", suspended: no window applies"
	}
	fmt.Fprintf(out, "%s (%s%s), from %s to %s\n", s.Name(), s.Location(), state,
		from.In(s.Location()).Format(wallLayout), to.In(s.Location()).Format(wallLayout))
	occurrences, complete := s.Between(from, to, o.limit)
	w := newTable(out)
	if len(occurrences) > 0 {
		fmt.Fprintln(w, "WINDOW\tSTART\tEND\tDURATION\tSTART (UTC)\tDEMAND")
	}
	for _, x := range occurrences {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", x.Window, x.Start.Format(wallLayout), x.End.Format(wallLayout),
			v1alpha1.FormatDuration(x.End.Sub(x.Start)), x.Start.UTC().Format("2006-01-02T15:04Z"),
			demandText(x.Demand)+rampText(x))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	switch {
	case len(occurrences) == 0:
		fmt.Fprintln(out, "no window is active in this time")
	case !complete:
		fmt.Fprintf(out, "more occurrences follow: raise --limit, now %d, to list them\n", o.limit)
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

func demandText(d scheduler.Demand) string {
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

func rampText(o scheduler.Occurrence) string {
	text := ""
	if o.RampUp > 0 {
		text += ", ramp-up " + string(v1alpha1.FormatDuration(o.RampUp)) + " before"
	}
	if o.RampDown > 0 {
		text += ", ramp-down " + string(v1alpha1.FormatDuration(o.RampDown)) + " after"
	}
	return text
}

const (
	chartWidth  = 84
	chartHeight = 10
)

// writeChart draws the demand of all schedules together; each column is the largest of its time.
func (o *peaksOptions) writeChart(out io.Writer, schedules []*scheduler.Schedule, from, to time.Time) error {
	step := max(to.Sub(from)/chartWidth, time.Second)
	timeline := scheduler.Timeline(schedules, from, step, chartWidth)
	values := make([]float64, chartWidth)
	top := 0.0
	for i, d := range timeline {
		values[i] = d.Apply(o.forecast, o.capacity)
		top = max(top, values[i])
	}
	fmt.Fprintf(out, "Demand, if the forecast is %g", o.forecast)
	if o.capacity != 1 {
		fmt.Fprintf(out, " and one replica serves %g", o.capacity)
	}
	fmt.Fprintln(out)
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

// writeJSON lists the occurrences of all schedules for programs.
func (o *peaksOptions) writeJSON(out io.Writer, schedules []*scheduler.Schedule, from, to time.Time) error {
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
			list = append(list, occurrence{
				Schedule: x.Schedule, Window: x.Window, LocalStart: x.Start.Format(time.RFC3339),
				Start: x.Start.UTC(), End: x.End.UTC(), Demand: demandText(x.Demand),
			})
		}
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(list)
}
