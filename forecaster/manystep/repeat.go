package manystep

import "headstart.dev/headstart/forecaster/internal/stats"

// A repeat forecasts the weighted mean of the last seasons, plus what remains of the present
// deviation from it.
type repeat struct {
	label   string
	weekly  bool    // the season is the week; otherwise the day
	seasons int     // how many seasons are averaged
	decay   float64 // weight of a season relative to the one after it
	carry   bool    // whether the present deviation is carried on
}

func (m repeat) name() string { return m.label }

func (m repeat) fit(h *history, n int) fitted {
	season := h.day
	if m.weekly {
		season = h.week
	}
	if season < 1 || n < season+1 {
		return nil
	}
	f := &repeatFit{repeat: m, season: season}
	if m.carry {
		f.estimate(h, n)
	}
	return f
}

type repeatFit struct {
	repeat
	season      int
	persistence float64 // share of a deviation that remains a step later
	lasting     float64 // share of the deviation over the last day that remains for good
}

// profile returns the mean of the seasons before step n at the time of step i ≥ n − season.
func (f *repeatFit) profile(h *history, n, i int) float64 {
	sum, weight, w := 0.0, 0.0, 1.0
	lag := f.season
	for i-lag >= n {
		lag += f.season
	}
	for range f.seasons {
		j := h.Back(i, lag)
		if j < 0 || j >= n {
			break
		}
		sum += w * h.logs[j]
		weight += w
		w *= f.decay
		lag += f.season
	}
	if weight == 0 {
		return h.logs[n-1]
	}
	return sum / weight
}

// estimate learns how long a deviation from the profile lasts: the autocorrelation of the
// deviations at a lag of one step.
func (f *repeatFit) estimate(h *history, n int) {
	var squares, products, before float64
	known := false
	for i := max(f.season, n-3*f.season); i < n; i++ {
		deviation := h.logs[i] - f.profile(h, i, i)
		if known {
			squares += before * before
			products += before * deviation
		}
		before, known = deviation, true
	}
	if squares > 0 {
		f.persistence = stats.Clamp(products/squares, 0, 0.995)
	}
	f.lasting = 0.5
}

func (f *repeatFit) forecast(h *history, n int, out []float64) {
	for i := range out {
		out[i] = f.profile(h, n, n+i)
	}
	if !f.carry {
		return
	}
	span := max(1, min(h.day, n-f.season))
	level := 0.0
	for i := n - span; i < n; i++ {
		level += h.logs[i] - f.profile(h, i, i)
	}
	level *= f.lasting / float64(span)
	passing := h.logs[n-1] - f.profile(h, n-1, n-1) - level
	for i := range out {
		passing *= f.persistence
		out[i] += level + passing
	}
}
