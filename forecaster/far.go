package forecaster

import (
	"math"
	"slices"

	"headstart.dev/headstart/forecaster/internal/stats"
)

const (
	farOrigins = 96  // origins in the history that margins of far estimates are measured from, at most
	farEnough  = 12  // and at least
	farPoints  = 24  // steps of a lead window that are looked at, at most
	farWiden   = 1.1 // for errors that were measured on few and overlapping windows
)

// farMargins are how far, on the log scale, the demand of lead windows that begin many steps ahead lies above the path expected for
// them: the contract's quantile, measured from origins in the history, at distances that double.
type farMargins struct {
	distance []int
	margin   []float64
}

// measureFar measures the margins.
func (s *state) measureFar() farMargins {
	var m farMargins
	s.eachDistance(func(i int, errs []float64) {
		slices.Sort(errs)
		m.distance = append(m.distance, i)
		m.margin = append(m.margin, math.Max(0, farWiden*stats.Quantile(errs, s.opts.Contract.level())))
	})
	return m
}

// weighSeasons chooses the share of last week in the path that would have had the smallest errors.
func (s *state) weighSeasons() {
	s.weekly = 0.5
	if s.periods.Day == 0 || s.periods.Week == 0 {
		return
	}
	best, least := s.weekly, math.Inf(1)
	for _, share := range [...]float64{0, 0.25, 0.5, 0.75, 1} {
		s.weekly = share
		sum, n := 0.0, 0.0
		s.eachDistance(func(_ int, errs []float64) {
			for _, e := range errs {
				sum += math.Abs(e)
				n++
			}
		})
		if n > 0 && sum/n < least {
			best, least = share, sum/n
		}
	}
	s.weekly = best
}

// eachDistance visits distances that double, with the errors of the path over the lead windows that far ahead: from origins in the last third
// of the history, or in the last seven seasons where that is more.
func (s *state) eachDistance(visit func(i int, errs []float64)) {
	n := s.track.n()
	for i := s.opts.Lead + 1; i < s.opts.Horizon && i < n/3; i *= 2 {
		first := max(n/3, min(2*n/3, n-7*max(s.periods.Day, 1)))
		last := n - i - s.opts.Lead - 1
		if week := s.periods.Week*(i/max(s.periods.Week, 1)+1) - i; s.periods.Week > 0 && last-week > s.periods.Day {
			first = max(first, week) // from where on last week is known, as it is now
		}
		stride := max(1, (last-first)/farOrigins)
		var errs []float64
		for o := first; o < last; o += stride {
			errs = append(errs, s.track.peak[o+i]-s.highest(o, i))
		}
		if len(errs) < farEnough {
			return
		}
		visit(i, errs)
	}
}

// highest is the top of the path over the lead window that begins i steps after step o, as expected at o.
func (s *state) highest(o, i int) float64 {
	stride := max(1, (s.opts.Lead+1)/farPoints)
	top := math.Inf(-1)
	for j := i; j <= i+s.opts.Lead; j += stride {
		top = math.Max(top, s.ahead(o, j))
	}
	return top
}

// at returns the margin i steps ahead; otherwise where nothing could be measured.
func (m farMargins) at(i int, otherwise float64) float64 {
	if len(m.distance) == 0 {
		return otherwise
	}
	k, found := slices.BinarySearch(m.distance, i)
	switch {
	case found || k == 0:
		return m.margin[k]
	case k == len(m.distance):
		return m.margin[k-1]
	}
	share := math.Log(float64(i)/float64(m.distance[k-1])) / math.Log(float64(m.distance[k])/float64(m.distance[k-1]))
	return m.margin[k-1] + share*(m.margin[k]-m.margin[k-1])
}
