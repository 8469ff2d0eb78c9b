package render

import (
	"fmt"
	"math"
	"time"

	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/termchart"
)

// shown are the two policies of the chart: Headstart, or the first that was run, and what it is compared with.
func shown(r *report.Report) (first, second *report.Result) {
	for _, name := range []string{report.PolicyHeadstart, report.PolicyHeadstartNoPeaks} {
		if p, ok := r.Result(name); ok && p.Figures != nil && first == nil {
			first = &p
		}
	}
	for i := range r.Policies {
		p := &r.Policies[i]
		if p.Figures == nil {
			continue
		}
		if first == nil {
			first = p
		} else if p.Policy != first.Policy && second == nil && (r.Today == "" || p.Policy == r.Today) {
			second = p
		}
	}
	return first, second
}

// localDay is the day that holds an instant.
func localDay(t time.Time, zone *time.Location) (from, to time.Time) {
	t = t.In(zone)
	from = time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, zone)
	return from, time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, zone)
}

// worstDay is the one on which a policy left the most unserved; that of the highest demand where it left nothing.
func worstDay(s report.Steps, p report.Result) time.Time {
	missing, top := map[time.Time]float64{}, math.Inf(-1)
	var worst, busiest time.Time
	var day, end time.Time
	demand := s.Replayed()
	for i, lacks := range s.Missing(p) {
		at, v := s.At(s.From+i), demand[i]
		if math.IsNaN(v) {
			continue
		}
		if !at.Before(end) {
			day, end = localDay(at, s.Location)
		}
		if missing[day] += lacks; missing[day] > missing[worst] {
			worst = day
		}
		if v > top {
			top, busiest = v, day
		}
	}
	if missing[worst] > 0 {
		return worst
	}
	return busiest
}

// maxChartStep is from where on a day has too few steps to be drawn.
const maxChartStep = 2 * time.Hour

// chart draws one day of the replay.
func (p *printer) chart(r *report.Report, day time.Time) {
	first, second := shown(r)
	if first == nil || r.Steps.Step > maxChartStep {
		return
	}
	compared := first
	if second != nil {
		compared = second
	}
	if day.IsZero() {
		day = worstDay(r.Steps, *compared)
	}
	c := dayChart(r.Steps, first, second, day)
	c.Width, c.Colour = columns, p.colour
	for _, line := range c.Lines() {
		p.line("%s", line)
	}
	p.line("")
}

// dayChart is the chart of one day: demand, and what the ready replicas of two policies can serve.
func dayChart(s report.Steps, first, second *report.Result, day time.Time) termchart.Chart {
	begin := s.At(s.From)
	from, to := localDay(day, s.Location)
	c := termchart.Chart{
		Title: fmt.Sprintf("%s, in %s", from.Format("Monday, 2 January 2006"), s.Location), Start: from, End: to, Location: s.Location,
		Area: termchart.SeriesOf("demand", s.Start, s.Step, s.Demand),
		Line: termchart.SeriesOf(first.Policy+"'s replicas can serve", begin, s.Step, s.CanServe(*first)),
	}
	if second != nil {
		c.Dots = termchart.SeriesOf(second.Policy+"'s", begin, s.Step, s.CanServe(*second))
		c.Lanes = append(c.Lanes, shortLane(s, *second))
	}
	c.Lanes = append(c.Lanes, shortLane(s, *first))
	if len(s.Peaks) > 0 {
		c.Lanes = append(c.Lanes, termchart.PeakLane(s.Peaks))
	}
	return c
}

// shortLane marks where a policy is short.
func shortLane(s report.Steps, p report.Result) termchart.Lane {
	missing := s.Missing(p)
	for i, v := range missing {
		if v == 0 {
			missing[i] = math.NaN()
		}
	}
	at := termchart.SeriesOf("", s.At(s.From), s.Step, missing).At
	return termchart.Lane{Name: p.Policy, Mark: termchart.MarkShort, On: func(from, to time.Time) bool { _, on := at(from, to); return on }}
}
