package forecaster

import (
	"math"
	"slices"
	"time"
)

// A calendar knows how much the named days of a kind differ from ordinary ones, as their earlier occurrences showed. Demand on such
// a day is divided by its effect before any model sees it, and forecasts for one are multiplied by it: so a holiday neither
// surprises next week's forecast nor is itself surprising the next time.
type calendar struct {
	spans   []daySpan              // ascending
	effects map[string][24]float64 // log of the factor, by the hour
}

// A daySpan is a named day in steps: [from, to).
type daySpan struct {
	from, to int
	name     string
}

// dayDoubt is how many occurrences' worth of doubt an effect is drawn to none with.
const dayDoubt = 0.25

// newCalendar learns the effects of the days that raw, which begins at start, has seen. It returns nil where there are none.
func newCalendar(o Options, start time.Time, raw []float64, s seasons) *calendar {
	if len(o.Days) == 0 || s.day == 0 || time.Duration(s.day)*o.Step != 24*time.Hour {
		return nil
	}
	c := &calendar{effects: map[string][24]float64{}}
	for _, d := range o.Days {
		from, to := stepsCeil(d.Start.Sub(start), o.Step), stepsCeil(d.End.Sub(start), o.Step)
		if to > from {
			c.spans = append(c.spans, daySpan{from, to, d.Name})
		}
	}
	slices.SortStableFunc(c.spans, func(a, b daySpan) int { return a.from - b.from })
	c.learn(raw, s)
	return c
}

// stepsCeil returns how many whole steps lie before d, rounded up.
func stepsCeil(d, step time.Duration) int {
	n := int(d / step)
	if d > 0 && d%step != 0 {
		n++
	}
	return n
}

// span returns the named day that step i lies in; nil where it is an ordinary one.
func (c *calendar) span(i int) *daySpan {
	k, _ := slices.BinarySearchFunc(c.spans, i, func(s daySpan, i int) int {
		if s.from <= i {
			return -1
		}
		return 1
	})
	if k > 0 && i < c.spans[k-1].to {
		return &c.spans[k-1]
	}
	return nil
}

// unknown returns the names of the days that begin or end after step n and have never been seen, each once, in order.
func (c *calendar) unknown(n int) []string {
	if c == nil {
		return nil
	}
	var names []string
	for _, s := range c.spans {
		if _, seen := c.effects[s.name]; !seen && s.to > n && !slices.Contains(names, s.name) {
			names = append(names, s.name)
		}
	}
	return names
}

// at returns the log of the factor on demand at step i; zero on an ordinary day.
func (c *calendar) at(i int) float64 {
	if c == nil {
		return 0
	}
	s := c.span(i)
	if s == nil {
		return 0
	}
	return c.effects[s.name][min(23, 24*(i-s.from)/(s.to-s.from))]
}

// most returns the largest effect on the steps [i, i+n).
func (c *calendar) most(i, n int) float64 {
	if c == nil {
		return 0
	}
	top := math.Inf(-1)
	for k := i; k < i+n; k++ {
		top = math.Max(top, c.at(k))
	}
	return top
}

// learn compares each step of a named day with the same time on ordinary days of the weeks before.
func (c *calendar) learn(raw []float64, s seasons) {
	soft := softShare*meanKnown(raw) + 1e-300
	sums, counts, days := map[string]*[24]float64{}, map[string]*[24]float64{}, map[string]float64{}
	for _, d := range c.spans {
		if d.from < s.day || d.to > len(raw) {
			continue
		}
		if sums[d.name] == nil {
			sums[d.name], counts[d.name] = new([24]float64), new([24]float64)
		}
		days[d.name]++
		for i := d.from; i < d.to; i++ {
			usual := c.usual(raw, i, s.day, soft)
			if math.IsNaN(raw[i]) || math.IsNaN(usual) {
				continue
			}
			hour := 24 * (i - d.from) / (d.to - d.from)
			sums[d.name][hour] += math.Log(raw[i]+soft) - usual
			counts[d.name][hour]++
		}
	}
	for name, sum := range sums {
		var effect [24]float64
		for h, v := range sum {
			if n := counts[name][h]; n > 0 {
				effect[h] = clamp(v/n*days[name]/(days[name]+dayDoubt), -reach, reach)
			}
		}
		c.effects[name] = effect
	}
}

// usual returns the mean log of demand at the time of step i on the same weekday of up to four weeks before, or where there is none,
// on the days before.
func (c *calendar) usual(raw []float64, i, day int, soft float64) float64 {
	for _, season := range []int{7 * day, day} {
		sum, n := 0.0, 0.0
		for k := 1; k <= 4; k++ {
			if j := i - k*season; j >= 0 && !math.IsNaN(raw[j]) && c.span(j) == nil {
				sum += math.Log(raw[j] + soft)
				n++
			}
		}
		if n > 0 {
			return sum / n
		}
	}
	return math.NaN()
}

// plain returns raw demand without the effects of its named days.
func (c *calendar) plain(raw []float64) []float64 {
	if c == nil {
		return raw
	}
	out := slices.Clone(raw)
	for i := range out {
		out[i] *= math.Exp(-c.at(i))
	}
	return out
}
