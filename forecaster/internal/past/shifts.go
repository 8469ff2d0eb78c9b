package past

import "headstart.dev/headstart/forecaster/internal/stats"

const (
	// DaysBack is how many short seasons are looked back on, at most.
	DaysBack = 7
	// WeeksBack is how many long seasons are looked back on, at most.
	WeeksBack = 6
	// maxShift bounds a level shift, on the log scale.
	maxShift = 2.0
)

// leastShift is how far, on the log scale, the level must lie from the level at the same time in
// earlier seasons to count as shifted.
const leastShift = 0.4

// Shifts are level shifts since earlier seasons, one for each lag: what to add to the log of demand
// then to compare it with the level now.
type Shifts struct {
	lags []int
	by   [DaysBack + WeeksBack]float64
}

// Of returns the shift at a lag; zero when the lag is not among them.
func (s *Shifts) Of(lag int) float64 {
	for k, l := range s.lags {
		if l == lag {
			return s.by[k]
		}
	}
	return 0
}

// LevelShifts detects level shifts before step i. It compares the last hour, a twenty-fourth of the
// season, with the same hour at each lag, latest first. The level has shifted when the last hour
// lies clearly above or below all of them. It has also shifted when the last hour and the latest of
// them lie above or below all older ones.
//
// Without this the regression, which has seen few such days, would wait for the old level to come
// back. A weekend is no shift: the weekend before lies at its level.
func (h *History) LevelShifts(i, season int, lags []int) Shifts {
	out := Shifts{lags: lags}
	if h.noShifts {
		return out
	}
	hour := max(2, season/24)
	var levels [DaysBack + WeeksBack]float64
	n := 0
	for _, lag := range lags {
		j := h.Back(i, lag)
		if j < hour {
			break
		}
		levels[n] = h.Log(h.Mean(j, hour))
		n++
	}
	if n < len(lags) && lags[n] <= 7*season {
		return out // the same weekday is not known yet: this may be a weekend
	}
	now := h.Log(h.Mean(i, hour))
	low, high, sum := now, now, now // of the last hour and the latest k lags
	for k := 0; n-k >= 2; k++ {
		if separated(low, high, levels[k:n]) {
			by := sum/float64(k+1) - stats.Mean(levels[k:n])
			for j := k; j < len(lags); j++ {
				out.by[j] = stats.Clamp(by, -maxShift, maxShift)
			}
			return out
		}
		low, high, sum = min(low, levels[k]), max(high, levels[k]), sum+levels[k]
	}
	return out
}

// separated reports whether the range low … high lies above or below all of the older levels, by
// more than these differ among themselves and by leastShift.
func separated(low, high float64, older []float64) bool {
	least, most := older[0], older[0]
	for _, v := range older {
		least, most = min(least, v), max(most, v)
	}
	enough := max(leastShift, most-least)
	return low-most > enough || high-least < -enough
}
