package forecaster

import (
	"math"

	"headstart.dev/headstart/forecaster/internal/stats"
)

// leastShift is how far, on the log scale, the level must lie from what it was at the same time before to count as shifted.
const leastShift = 0.4

// shifts are what is to be added to the log of demand in earlier seasons, so that it compares with the level now: one for each lag.
type shifts struct {
	lags []int
	by   [daysBack + weeksBack]float64
}

// of returns the shift of a lag; zero where it is not among them.
func (s *shifts) of(lag int) float64 {
	for k, l := range s.lags {
		if l == lag {
			return s.by[k]
		}
	}
	return 0
}

// shifted compares the last hour, a twenty-fourth of the season, with the same hour in earlier seasons, latest first. Where it lies clearly
// above or below all of them, or together with the latest of them above or below all that are older, demand has moved to another level:
// the older ones are moved there too. Otherwise the regression, which has seen few such days if any, would wait for the old level to
// come back. A weekend is no shift: the one before lies at its level.
func (t *track) shifted(i, season int, lags []int) shifts {
	out := shifts{lags: lags}
	if t.still {
		return out
	}
	hour := max(2, season/24)
	var level [daysBack + weeksBack]float64
	n := 0
	for _, lag := range lags {
		j := t.Back(i, lag)
		if j < hour {
			break
		}
		level[n] = t.log(t.mean(j, hour))
		n++
	}
	if n < len(lags) && lags[n] <= 7*season {
		return out // the same weekday is not known yet: it may be a weekend
	}
	now := t.log(t.mean(i, hour))
	low, high, sum := now, now, now
	for k := 0; n-k >= 2; k++ {
		if by := apart(low, high, level[k:n]); by != 0 {
			// The middle of the new level against the middle of the old one.
			by = sum/float64(k+1) - stats.Mean(level[k:n])
			for j := k; j < len(lags); j++ {
				out.by[j] = stats.Clamp(by, -reach, reach)
			}
			return out
		}
		low, high, sum = math.Min(low, level[k]), math.Max(high, level[k]), sum+level[k]
	}
	return out
}

// apart returns how far the range low … high lies above or, negative, below all of the old levels; zero where that is less than they differ
// among themselves, or too little to tell.
func apart(low, high float64, old []float64) float64 {
	least, most := old[0], old[0]
	for _, v := range old {
		least, most = math.Min(least, v), math.Max(most, v)
	}
	enough := math.Max(leastShift, most-least)
	switch {
	case low-most > enough:
		return low - most
	case high-least < -enough:
		return high - least
	}
	return 0
}
