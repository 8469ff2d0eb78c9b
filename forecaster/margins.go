package forecaster

import (
	"math"
	"slices"

	"headstart.dev/headstart/forecaster/internal/stats"
)

const (
	// maxOrigins and minOrigins bound the origins in the history that margins are measured from.
	maxOrigins, minOrigins = 96, 12
	// windowPoints bounds the steps of a lead window that are looked at.
	windowPoints = 24
	// inflation makes up for errors that were measured on few and overlapping windows.
	inflation = 1.1
)

// distantMargins are how far, on the log scale, the demand of lead windows that begin many steps
// ahead lies above the path expected for them. They are the contract's quantile, measured from
// origins in the history, at distances that double.
type distantMargins struct {
	distances []int // steps ahead, ascending
	margins   []float64
	spans     []float64 // logs of the quotients of each distance and the one before
}

// measureMargins measures the margins of distant lead windows.
func (s *state) measureMargins() {
	s.pathErrors(func(distance int, errs []float64) {
		slices.Sort(errs)
		s.served.margins.add(distance, errs, s.opts.Contract)
		for k := range s.served.others {
			d := &s.served.others[k]
			d.margins.add(distance, errs, d.contract)
		}
	})
}

// add adds the margin at a distance that a contract asks for. errs ascend.
func (m *distantMargins) add(distance int, errs []float64, c Contract) {
	if k := len(m.distances); k > 0 {
		m.spans = append(m.spans, math.Log(float64(distance)/float64(m.distances[k-1])))
	}
	m.distances = append(m.distances, distance)
	m.margins = append(m.margins, math.Max(0, inflation*stats.Quantile(errs, c.level())))
}

// fitWeekShare chooses the share of last week in the path that would have had the smallest mean
// absolute error.
func (s *state) fitWeekShare() {
	s.weekShare = 0.5
	if s.periods.Day == 0 || s.periods.Week == 0 {
		return
	}
	best, least := s.weekShare, math.Inf(1)
	for _, share := range [...]float64{0, 0.25, 0.5, 0.75, 1} {
		s.weekShare = share
		sum, n := 0.0, 0.0
		s.pathErrors(func(_ int, errs []float64) {
			for _, e := range errs {
				sum += math.Abs(e)
				n++
			}
		})
		if n > 0 && sum/n < least {
			best, least = share, sum/n
		}
	}
	s.weekShare = best
}

// pathErrors visits distances that double, with the errors of the path over the lead windows that
// far ahead. The origins lie in the last third of the history, or in the last seven seasons when
// that is more.
func (s *state) pathErrors(visit func(distance int, errs []float64)) {
	day, week := s.periods.Day, s.periods.Week
	n := s.history.N()
	for d := s.opts.Lead + 1; d < s.opts.Horizon && d < n/3; d *= 2 {
		first := max(n/3, min(2*n/3, n-7*max(day, 1)))
		last := n - d - s.opts.Lead - 1
		if known := week*(d/max(week, 1)+1) - d; week > 0 && last-known > day {
			first = max(first, known) // last week must be known, as it is now
		}
		stride := max(1, (last-first)/maxOrigins)
		var errs []float64
		for o := first; o < last; o += stride {
			errs = append(errs, s.history.WindowMaxAt(o+d)-s.pathMax(o, d))
		}
		if len(errs) < minOrigins {
			return
		}
		visit(d, errs)
	}
}

// pathMax returns the maximum of the path over the lead window that begins distance steps after
// origin, as expected at the origin, on the log scale.
func (s *state) pathMax(origin, distance int) float64 {
	p, stride := s.pathFrom(origin), max(1, (s.opts.Lead+1)/windowPoints)
	largest := math.Inf(-1)
	for i := distance; i <= distance+s.opts.Lead; i += stride {
		largest = max(largest, p.at(i))
	}
	return largest
}

// at returns the margin at a distance, interpolated. It returns otherwise when none was measured.
func (m distantMargins) at(distance int, otherwise float64) float64 {
	if len(m.distances) == 0 {
		return otherwise
	}
	k, found := slices.BinarySearch(m.distances, distance)
	switch {
	case found || k == 0:
		return m.margins[k]
	case k == len(m.distances):
		return m.margins[k-1]
	}
	share := math.Log(float64(distance)/float64(m.distances[k-1])) / m.spans[k-1]
	return m.margins[k-1] + share*(m.margins[k]-m.margins[k-1])
}
