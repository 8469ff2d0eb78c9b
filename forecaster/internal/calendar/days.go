package calendar

import (
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/forecaster/internal/demand"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// A Day is a named calendar day: the instants of its midnight and of the next one. Days of the same
// name have the same effect.
type Day struct {
	Name       string
	Start, End time.Time
}

// Effects are the factors by which named days differ from ordinary ones, as their earlier
// occurrences showed. Demand on such a day is divided by its effect before a model sees it, and
// forecasts for one are multiplied by it. So a holiday neither misleads next week's forecast nor
// surprises the next time. A nil *Effects has no named days.
type Effects struct {
	spans   []span                 // ascending
	effects map[string][24]float64 // log of the factor, by the hour
}

// A span is a named day in steps: [from, to).
type span struct {
	from, to int
	name     string
}

const (
	// priorDays is the weight, in days, with which an effect is shrunk to none.
	priorDays = 0.25
	// maxEffect bounds an effect, on the log scale.
	maxEffect = 2.0
)

// Learn returns the effects of the named days in raw demand, NaN where it is a gap, that begins at
// start. day is the length of a day in steps. Learn returns nil when that is not 24 h, and without
// days.
func Learn(days []Day, start time.Time, step time.Duration, raw []float64, day int) *Effects {
	if len(days) == 0 || day == 0 || time.Duration(day)*step != 24*time.Hour {
		return nil
	}
	e := &Effects{effects: map[string][24]float64{}}
	for _, d := range days {
		from, to := ceilSteps(d.Start.Sub(start), step), ceilSteps(d.End.Sub(start), step)
		if to > from {
			e.spans = append(e.spans, span{from, to, d.Name})
		}
	}
	slices.SortStableFunc(e.spans, func(a, b span) int { return a.from - b.from })
	e.learn(raw, day)
	return e
}

// ceilSteps returns how many whole steps lie before d, rounded up.
func ceilSteps(d, step time.Duration) int {
	n := int(d / step)
	if d > 0 && d%step != 0 {
		n++
	}
	return n
}

// span returns the named day that step i lies in; nil when the day is an ordinary one.
func (e *Effects) span(i int) *span {
	k, _ := slices.BinarySearchFunc(e.spans, i, func(s span, i int) int {
		if s.from <= i {
			return -1
		}
		return 1
	})
	if k > 0 && i < e.spans[k-1].to {
		return &e.spans[k-1]
	}
	return nil
}

// Unseen returns the names of the days that end after step n and have not occurred in the history,
// each once, in order.
func (e *Effects) Unseen(n int) []string {
	if e == nil {
		return nil
	}
	var names []string
	for _, s := range e.spans {
		if _, seen := e.effects[s.name]; !seen && s.to > n && !slices.Contains(names, s.name) {
			names = append(names, s.name)
		}
	}
	return names
}

// At returns the log of the factor on demand at step i; zero on an ordinary day.
func (e *Effects) At(i int) float64 {
	if e == nil {
		return 0
	}
	s := e.span(i)
	if s == nil {
		return 0
	}
	return e.effects[s.name][min(23, 24*(i-s.from)/(s.to-s.from))]
}

// Between returns the effects on the steps [from, to), as At has them.
func (e *Effects) Between(from, to int) []float64 {
	out := make([]float64, to-from)
	if e == nil {
		return out
	}
	for k := range out {
		out[k] = e.At(from + k)
	}
	return out
}

// Remove returns raw demand without the effects of its named days.
func (e *Effects) Remove(raw []float64) []float64 {
	if e == nil {
		return raw
	}
	out := slices.Clone(raw)
	for i := range out {
		out[i] *= math.Exp(-e.At(i))
	}
	return out
}

// learn compares each step of a named day with the same time on ordinary days of the weeks before.
func (e *Effects) learn(raw []float64, day int) {
	offset := demand.LogOffset*stats.MeanKnown(raw) + 1e-300
	sums, counts, days := map[string]*[24]float64{}, map[string]*[24]float64{}, map[string]float64{}
	for _, s := range e.spans {
		if s.from < day || s.to > len(raw) {
			continue
		}
		if sums[s.name] == nil {
			sums[s.name], counts[s.name] = new([24]float64), new([24]float64)
		}
		days[s.name]++
		for i := s.from; i < s.to; i++ {
			usual := e.usual(raw, i, day, offset)
			if math.IsNaN(raw[i]) || math.IsNaN(usual) {
				continue
			}
			hour := 24 * (i - s.from) / (s.to - s.from)
			sums[s.name][hour] += math.Log(raw[i]+offset) - usual
			counts[s.name][hour]++
		}
	}
	for name, sum := range sums {
		var effect [24]float64
		for h, v := range sum {
			if n := counts[name][h]; n > 0 {
				effect[h] = stats.Clamp(v/n*days[name]/(days[name]+priorDays), -maxEffect, maxEffect)
			}
		}
		e.effects[name] = effect
	}
}

// usual returns the mean log of demand at the time of step i on the same weekday of up to four
// weeks before. When nothing is known of those, it returns that of the days before.
func (e *Effects) usual(raw []float64, i, day int, offset float64) float64 {
	for _, season := range []int{7 * day, day} {
		sum, n := 0.0, 0.0
		for k := 1; k <= 4; k++ {
			if j := i - k*season; j >= 0 && !math.IsNaN(raw[j]) && e.span(j) == nil {
				sum += math.Log(raw[j] + offset)
				n++
			}
		}
		if n > 0 {
			return sum / n
		}
	}
	return math.NaN()
}
