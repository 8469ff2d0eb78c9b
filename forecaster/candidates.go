package forecaster

import (
	"math"
	"slices"

	"headstart.dev/headstart/forecaster/internal/boost"
	"headstart.dev/headstart/forecaster/internal/global"
	"headstart.dev/headstart/forecaster/internal/past"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// A candidate estimates a high quantile of the maximum over the lead window from an origin on. The
// estimate is relative to the level at the origin, on the log scale.
type candidate interface {
	name() string
	estimate(h *past.History, o *origin) float64
}

// An origin is the step from which an estimate is made. The steps before it are known.
type origin struct {
	step     int
	features []float64 // shared by all candidates; nil when the history is too short to learn from
	global   [global.Outputs]float64
}

// A persistence estimates that the level stays.
type persistence struct{}

func (persistence) name() string                            { return "level now" }
func (persistence) estimate(*past.History, *origin) float64 { return 0 }

// A linear is a linear quantile regression on the features (Koenker and Bassett 1978).
type linear struct {
	label string
	beta  []float64
}

func (c linear) name() string                                { return c.label }
func (c linear) estimate(_ *past.History, o *origin) float64 { return stats.Dot(o.features, c.beta) }

// A boosted is a forest, alone or added to a linear quantile regression.
type boosted struct {
	label string
	beta  []float64 // of the regression; nil for none
	trees *boost.Forest
}

func (c boosted) name() string { return c.label }

func (c boosted) estimate(_ *past.History, o *origin) float64 {
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

func (c profile) estimate(h *past.History, o *origin) float64 {
	var buf [max(past.DaysBack, past.WeeksBack)]float64
	seen := buf[:0]
	shifted := h.LevelShifts(o.step, c.season, c.lags)
	for _, lag := range c.lags {
		if j := h.Back(o.step, lag); j >= 0 && j < h.Windows() && j+h.Lead < o.step {
			seen = append(seen, h.WindowMaxAt(j)+shifted.Of(lag))
		}
	}
	if len(seen) == 0 {
		return 0
	}
	slices.Sort(seen)
	return stats.Quantile(seen, profileLevel) - h.LevelAt(o.step)
}

// A seasonalGrowth estimates that demand rises as it did a season ago.
type seasonalGrowth struct {
	label string
	lag   int
}

func (c seasonalGrowth) name() string { return c.label }

func (c seasonalGrowth) estimate(h *past.History, o *origin) float64 {
	j := h.Back(o.step, c.lag)
	if j < 0 || j >= h.Windows() || j+h.Lead >= o.step {
		return 0
	}
	return h.WindowMaxAt(j) - h.LevelAt(j)
}

// A dampedTrend estimates that demand rises over the lead window half as fast as it does now. It
// never estimates a fall.
type dampedTrend struct{}

func (dampedTrend) name() string { return "trend, damped" }

func (dampedTrend) estimate(h *past.History, o *origin) float64 {
	i := o.step
	if i <= h.LevelSteps {
		return 0
	}
	now := h.DemandAt(i - 1)
	slope := (now - h.DemandAt(i-1-h.LevelSteps)) / float64(h.LevelSteps)
	return h.Log(now+math.Max(0, slope*float64(h.Lead+1)/2)) - h.LevelAt(i)
}
