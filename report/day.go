package report

import (
	"fmt"
	"math"
	"time"
)

// zone is the one whose days are meant.
func (r *Report) zone() *time.Location {
	if r.options.Location != nil {
		return r.options.Location
	}
	return time.UTC
}

// shown are the two policies of the chart: Headstart, or the first that was run, and what it is compared with.
func (r *Report) shown() (first, second *Result) {
	for _, name := range []string{PolicyHeadstart, PolicyHeadstartNoPeaks} {
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

// day is the local day that holds an instant.
func (r *Report) day(t time.Time) (from, to time.Time) {
	t = t.In(r.zone())
	from = time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, r.zone())
	return from, time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, r.zone())
}

// worstDay is the one on which a policy left the most unserved; that of the highest demand where it left nothing.
func (r *Report) worstDay(p *Result) time.Time {
	t := r.trace
	missing, top := map[time.Time]float64{}, math.Inf(-1)
	var worst, busiest time.Time
	var day, end time.Time
	for i := range p.ready {
		at, v := r.options.at(t.from+i), t.raw[t.from+i]
		if math.IsNaN(v) {
			continue
		}
		if !at.Before(end) {
			day, end = r.day(at)
		}
		if missing[day] += math.Max(0, v-p.ready[i]*t.capacity); missing[day] > missing[worst] {
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

// writeChart draws one day of the replay.
func (r *Report) writeChart(p *printer, day time.Time) {
	first, second := r.shown()
	if first == nil || r.trace.step > maxChartStep {
		return
	}
	compared := first
	if second != nil {
		compared = second
	}
	if day.IsZero() {
		day = r.worstDay(compared)
	}
	t := r.trace
	begin := r.options.at(t.from)
	from, to := r.day(day)
	chart := Chart{
		Title: fmt.Sprintf("%s, in %s", from.Format("Monday, 2 January 2006"), r.zone()), Start: from, End: to, Location: r.zone(), Colour: p.colour,
		Area: SeriesOf("demand", t.start, t.step, t.raw),
		Line: SeriesOf(first.Policy+"'s replicas can serve", begin, t.step, t.served(first)),
	}
	if second != nil {
		chart.Dots = SeriesOf(second.Policy+"'s", begin, t.step, t.served(second))
		chart.Lanes = append(chart.Lanes, r.shortLane(second))
	}
	chart.Lanes = append(chart.Lanes, r.shortLane(first))
	if len(r.options.Peaks) > 0 {
		chart.Lanes = append(chart.Lanes, ChartLane{Name: "peak", Mark: '▀', On: func(from, to time.Time) bool {
			for _, s := range r.options.Peaks {
				if found, _ := s.Between(from, to, 1); len(found) > 0 {
					return true
				}
			}
			return false
		}})
	}
	for _, line := range chart.Lines() {
		p.line("%s", line)
	}
	p.line("")
}

// served is the demand that a policy's ready replicas can serve.
func (t *trace) served(p *Result) []float64 {
	out := make([]float64, len(p.ready))
	for i, n := range p.ready {
		out[i] = n * t.capacity
	}
	return out
}

// shortLane marks where a policy is short.
func (r *Report) shortLane(p *Result) ChartLane {
	t := r.trace
	missing := make([]float64, len(p.ready))
	for i, n := range p.ready {
		missing[i] = math.NaN()
		if t.raw[t.from+i]-n*t.capacity > shortBy {
			missing[i] = 1
		}
	}
	at := SeriesOf("", r.options.at(t.from), t.step, missing).At
	return ChartLane{Name: p.Policy, Mark: '!', On: func(from, to time.Time) bool { _, on := at(from, to); return on }}
}
