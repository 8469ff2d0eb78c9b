package forecaster

// A repeat expects the average of the last seasons, moved by what is left of the present deviation from it.
type repeat struct {
	label   string
	weekly  bool
	seasons int     // how many seasons are averaged
	decay   float64 // weight of a season relative to the one after it
	carry   bool    // whether the present deviation is carried on
}

func (m repeat) name() string { return m.label }

func (m repeat) learn(s *pathSeries, n int) pathFit {
	season := s.day
	if m.weekly {
		season = s.week
	}
	if season < 1 || n < season+1 {
		return nil
	}
	f := &repeatFit{repeat: m, season: season}
	if m.carry {
		f.estimate(s, n)
	}
	return f
}

type repeatFit struct {
	repeat
	season int
	half   float64 // persistence of a deviation from one step to the next
	slow   float64 // share of the deviation over the last day that lasts
}

// profile returns the average of the seasons before step n at step i ≥ n − season.
func (f *repeatFit) profile(s *pathSeries, n, i int) float64 {
	sum, weight, w := 0.0, 0.0, 1.0
	lag := f.season
	for i-lag >= n {
		lag += f.season
	}
	for range f.seasons {
		j := s.back(i, lag)
		if j < 0 || j >= n {
			break
		}
		sum += w * s.z[j]
		weight += w
		w *= f.decay
		lag += f.season
	}
	if weight == 0 {
		return s.z[n-1]
	}
	return sum / weight
}

// estimate learns how long a deviation from the profile lasts.
func (f *repeatFit) estimate(s *pathSeries, n int) {
	var xx, xy, prev float64
	ok := false
	for i := max(f.season, n-3*f.season); i < n; i++ {
		e := s.z[i] - f.profile(s, i, i)
		if ok {
			xx += prev * prev
			xy += prev * e
		}
		prev, ok = e, true
	}
	if xx > 0 {
		f.half = clamp(xy/xx, 0, 0.995)
	}
	f.slow = 0.5
}

func (f *repeatFit) follow(s *pathSeries, n int, out []float64) {
	for i := range out {
		out[i] = f.profile(s, n, n+i)
	}
	if !f.carry {
		return
	}
	span := max(1, min(s.day, n-f.season))
	lately := 0.0
	for i := n - span; i < n; i++ {
		lately += s.z[i] - f.profile(s, i, i)
	}
	lately *= f.slow / float64(span)
	now := s.z[n-1] - f.profile(s, n-1, n-1) - lately
	for i := range out {
		now *= f.half
		out[i] += lately + now
	}
}
