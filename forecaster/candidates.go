package forecaster

import (
	"math"
	"slices"

	"headstart.dev/headstart/forecaster/internal/boost"
	"headstart.dev/headstart/forecaster/internal/global"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// A candidate estimates a high quantile of the maximum over the lead window from an origin on. The
// estimate is relative to the level at the origin, on the log scale.
type candidate interface {
	name() string
	estimate(h *history, o *origin) float64
}

// An origin is the step from which an estimate is made. The steps before it are known.
type origin struct {
	step     int
	features []float64 // shared by all candidates; nil when the history is too short to learn from
	global   [global.Outputs]float64
}

// A persistence estimates that the level stays.
type persistence struct{}

func (persistence) name() string                       { return "level now" }
func (persistence) estimate(*history, *origin) float64 { return 0 }

// A linear is a linear quantile regression on the features (Koenker and Bassett 1978).
type linear struct {
	label string
	beta  []float64
}

func (c linear) name() string                           { return c.label }
func (c linear) estimate(_ *history, o *origin) float64 { return stats.Dot(o.features, c.beta) }

// A boosted is a forest, alone or added to a linear quantile regression.
type boosted struct {
	label string
	beta  []float64 // of the regression; nil for none
	trees *boost.Forest
}

func (c boosted) name() string { return c.label }

func (c boosted) estimate(_ *history, o *origin) float64 {
	q := c.trees.Value(o.features)
	if c.beta != nil {
		q += stats.Dot(o.features, c.beta)
	}
	return q
}

// A profile estimates a high quantile of the same window in earlier seasons, whatever the level is
// now.
type profile struct {
	label  string
	season int
	lags   []int
}

// profileLevel is the quantile over seasons.
const profileLevel = 0.8

func (c profile) name() string { return c.label }

func (c profile) estimate(h *history, o *origin) float64 {
	var buf [max(daysBack, weeksBack)]float64
	seen := buf[:0]
	shifted := h.levelShifts(o.step, c.season, c.lags)
	for _, lag := range c.lags {
		if j := h.Back(o.step, lag); j >= 0 && j < h.windows() && j+h.lead < o.step {
			seen = append(seen, h.windowMaxAt(j)+shifted.of(lag))
		}
	}
	if len(seen) == 0 {
		return 0
	}
	slices.Sort(seen)
	return stats.Quantile(seen, profileLevel) - h.levelAt(o.step)
}

// A seasonalGrowth estimates that demand rises as it did a season ago.
type seasonalGrowth struct {
	label string
	lag   int
}

func (c seasonalGrowth) name() string { return c.label }

func (c seasonalGrowth) estimate(h *history, o *origin) float64 {
	j := h.Back(o.step, c.lag)
	if j < 0 || j >= h.windows() || j+h.lead >= o.step {
		return 0
	}
	return h.windowMaxAt(j) - h.levelAt(j)
}

// A dampedTrend estimates that demand rises over the lead window half as fast as it does now. It
// never estimates a fall.
type dampedTrend struct{}

func (dampedTrend) name() string { return "trend, damped" }

func (dampedTrend) estimate(h *history, o *origin) float64 {
	i := o.step
	if i <= h.levelSteps {
		return 0
	}
	now := h.demandAt(i - 1)
	slope := (now - h.demandAt(i-1-h.levelSteps)) / float64(h.levelSteps)
	return h.log(now+math.Max(0, slope*float64(h.lead+1)/2)) - h.levelAt(i)
}
