package render

import (
	"fmt"
	"math"
	"time"

	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/termchart"
)

// maxChartStep is the longest step for which a chart of one day is drawn.
const maxChartStep = 2 * time.Hour

// chart writes the chart of one day of the replay.
func (p *printer) chart(r *report.Report, day time.Time) {
	first, second := chartedPolicies(r)
	if first == nil || r.Steps.Step > maxChartStep {
		return
	}
	if day.IsZero() {
		compared := first
		if second != nil {
			compared = second
		}
		day = worstDay(r.Steps, *compared)
	}
	chart := dayChart(r.Steps, first, second, day)
	chart.Width, chart.Colour = columns, p.colour
	for _, line := range chart.Lines() {
		p.line("%s", line)
	}
	p.line("")
}

// chartedPolicies returns Headstart, or else the first policy that was run, and the policy that it
// is compared with. Either is nil if there is none.
func chartedPolicies(r *report.Report) (first, second *report.Result) {
	for _, name := range []string{report.PolicyHeadstart, report.PolicyHeadstartNoPeaks} {
		if result, ok := r.Result(name); ok && result.Figures != nil && first == nil {
			first = &result
		}
	}
	for i := range r.Policies {
		result := &r.Policies[i]
		if result.Figures == nil {
			continue
		}
		if first == nil {
			first = result
		} else if result.Policy != first.Policy && second == nil && (r.Today == "" || result.Policy == r.Today) {
			second = tunedToday(r, result)
		}
	}
	return first, second
}

// tunedToday returns the policy of today with its headroom.
func tunedToday(r *report.Report, p *report.Result) *report.Result {
	b := r.Baseline
	if b == nil || !b.Tuned || b.Policy != p.Policy || p.TunedReady == nil {
		return p
	}
	tuned := *p
	tuned.Policy, tuned.Ready = b.Name(), p.TunedReady
	return &tuned
}

// worstDay returns the day on which a policy left the most demand unserved. If it served all
// demand, that is the day of the highest demand.
func worstDay(s report.Steps, r report.Result) time.Time {
	unserved, highest := map[time.Time]float64{}, math.Inf(-1)
	var worst, busiest time.Time
	var day, end time.Time
	demand := s.Replayed()
	for i, missing := range s.Missing(r) {
		if math.IsNaN(demand[i]) {
			continue
		}
		if at := s.At(s.From + i); !at.Before(end) {
			day, end = localDay(at, s.Location)
		}
		if unserved[day] += missing; unserved[day] > unserved[worst] {
			worst = day
		}
		if demand[i] > highest {
			highest, busiest = demand[i], day
		}
	}
	if unserved[worst] > 0 {
		return worst
	}
	return busiest
}

// localDay returns the day that contains an instant.
func localDay(t time.Time, zone *time.Location) (start, end time.Time) {
	t = t.In(zone)
	start = time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, zone)
	return start, time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, zone)
}

// dayChart returns the chart of one day: the demand, and the demand that the ready replicas of two
// policies can serve. The second policy may be nil.
func dayChart(s report.Steps, first, second *report.Result, day time.Time) termchart.Chart {
	start, end := localDay(day, s.Location)
	replayStart := s.At(s.From)
	c := termchart.Chart{
		Title: fmt.Sprintf("%s, in %s", start.Format("Monday, 2 January 2006"), s.Location),
		Start: start, End: end, Location: s.Location,
		Area: termchart.SeriesOf("demand", s.Start, s.Step, s.Demand),
		Line: termchart.SeriesOf("capacity of "+first.Policy, replayStart, s.Step, s.CanServe(*first)),
	}
	if second != nil {
		c.Dots = termchart.SeriesOf("capacity of "+second.Policy, replayStart, s.Step, s.CanServe(*second))
		c.Lanes = append(c.Lanes, shortLane(s, *second))
	}
	c.Lanes = append(c.Lanes, shortLane(s, *first))
	if len(s.Peaks) > 0 {
		c.Lanes = append(c.Lanes, termchart.PeakLane(s.Peaks))
	}
	return c
}

// shortLane marks the steps that a policy does not fully serve.
func shortLane(s report.Steps, r report.Result) termchart.Lane {
	missing := termchart.SeriesOf("", s.At(s.From), s.Step, s.Missing(r))
	return termchart.Lane{Name: r.Policy, Mark: termchart.MarkShort, Marked: func(from, to time.Time) bool {
		largest, _ := missing.Max(from, to)
		return largest > 0
	}}
}
