package report

import (
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/report/internal/peers"
	"headstart.dev/headstart/report/internal/slide"
)

// crane returns the larger of observed demand and of the largest prediction within the lead window.
// Without a period that is observed demand.
func crane(t *trace, from, to int) ([]float64, bool) {
	out := make([]float64, to-from)
	refit := max(1, t.day/2)
	for fit := from; fit < to; fit += refit {
		end := min(fit+refit, to)
		copy(out[fit-from:end-from], t.filled[fit-1:end-1])
		period := peers.CraneFit(t.filled[max(0, fit-peers.CraneHistoryDays*t.day):fit], t.day, t.step)
		if period == nil {
			continue
		}
		predicted := make([]float64, end-fit+t.lead+1)
		for i := range predicted {
			predicted[i] = period[i%len(period)]
		}
		for i, v := range slide.ForwardMax(predicted, t.lead)[:end-fit] {
			out[fit-from+i] = math.Max(out[fit-from+i], v)
		}
	}
	return out, true
}

// phpa is the larger of the Holt-Winters forecast of the HPA's replicas and of these replicas.
func phpa(t *trace, from, to int) ([]float64, bool) {
	season := t.day
	if season < 2 || from < 3*season {
		return nil, false
	}
	replicas := make([]float64, to)
	for i := range replicas {
		replicas[i] = t.replicas(t.filled[i])
	}
	out := peers.HoltWinters(replicas, season, from)
	for i, v := range out {
		out[i] = t.capacity * math.Max(replicas[from+i-1], v)
	}
	return out, true
}

// dynamo returns a policy with a predictor of Dynamo's planner. The planner forecasts once in an
// interval. Between two forecasts its other loop reacts to the load, which may only add replicas:
// that is observed demand.
func dynamo(newPredictor func(history []float64) peers.Predictor) baseline {
	return func(t *trace, from, to int) ([]float64, bool) {
		every := max(1, int(peers.DynamoSeconds*time.Second/t.step))
		var history []float64
		for end := from % every; end+every <= from; end += every {
			history = append(history, mean(t.filled[end:end+every]))
		}
		p := newPredictor(history)
		for _, v := range history {
			p.Observe(v)
		}
		out := make([]float64, to-from)
		next := p.Next()
		for i := range out {
			if i > 0 && i%every == 0 {
				p.Observe(mean(t.filled[from+i-every : from+i]))
				next = p.Next()
			}
			out[i] = math.Max(next, t.filled[from+i-1])
		}
		return out, true
	}
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// kedaCron is a ScaledObject with a cron trigger and a Prometheus trigger. The cron trigger covers
// the busy hours of weekdays: those whose mean demand is above the middle of the least and the most
// hour. It starts a lead early.
func kedaCron(t *trace, from, to int) ([]float64, bool) {
	if t.day < 24 || from < 2*t.day {
		return nil, false
	}
	hour := t.day / 24
	hourOf := func(i int) int { return i % t.day / hour % 24 }
	weekday := func(i int) bool {
		day := t.start.Add(time.Duration(i) * t.step).UTC().Weekday()
		return day != time.Saturday && day != time.Sunday
	}
	var hours [24][]float64
	for i, v := range t.filled[:from] {
		if weekday(i) {
			hours[hourOf(i)] = append(hours[hourOf(i)], v)
		}
	}
	var means [24]float64
	for h, v := range hours {
		if len(v) == 0 {
			return nil, false
		}
		means[h] = mean(v)
	}
	middle := (slices.Min(means[:]) + slices.Max(means[:])) / 2
	var busy []float64
	for h, v := range hours {
		if means[h] > middle {
			busy = append(busy, v...)
		}
	}
	slices.Sort(busy)
	level := 0.0
	if len(busy) > 0 {
		level = peers.Percentile(busy, 0.95)
	}
	schedule := make([]float64, to-from+t.lead+1)
	for i := range schedule {
		if k := from + i; weekday(k) && means[hourOf(k)] > middle {
			schedule[i] = level
		}
	}
	out := slide.ForwardMax(schedule, t.lead)[:to-from]
	for i := range out {
		out[i] = math.Max(out[i], t.filled[from+i-1])
	}
	return out, true
}
