package forecaster

import (
	"math"
	"slices"

	"headstart.dev/headstart/forecaster/internal/boost"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// A hold expects the level to stay.
type hold struct{}

func (hold) name() string                     { return "level now" }
func (hold) estimate(*track, *moment) float64 { return 0 }

// A linear is a quantile regression on the features.
type linear struct {
	label string
	beta  []float64
}

func (c linear) name() string                         { return c.label }
func (c linear) estimate(_ *track, m *moment) float64 { return stats.Dot(m.row, c.beta) }

// A boosted is a forest, alone or on top of a linear.
type boosted struct {
	label string
	beta  []float64
	trees *boost.Forest
}

func (c boosted) name() string { return c.label }

func (c boosted) estimate(_ *track, m *moment) float64 {
	q := c.trees.Value(m.row)
	if c.beta != nil {
		q += stats.Dot(m.row, c.beta)
	}
	return q
}

// A profile expects a high quantile of the same window in earlier seasons, whatever the level is now.
type profile struct {
	label  string
	season int
	lags   []int
}

// profileLevel is the quantile over seasons that a profile takes.
const profileLevel = 0.8

func (c profile) name() string { return c.label }

func (c profile) estimate(t *track, m *moment) float64 {
	var buf [max(daysBack, weeksBack)]float64
	seen := buf[:0]
	moved := t.shifted(m.i, c.season, c.lags)
	for _, lag := range c.lags {
		if j := t.Back(m.i, lag); j >= 0 && j < len(t.peak) && j+t.lead < m.i {
			seen = append(seen, t.peak[j]+moved.of(lag))
		}
	}
	if len(seen) == 0 {
		return 0
	}
	slices.Sort(seen)
	return stats.Quantile(seen, profileLevel) - t.level[m.i]
}

// A growthOf expects demand to rise as it did a season ago.
type growthOf struct {
	label string
	lag   int
}

func (c growthOf) name() string { return c.label }

func (c growthOf) estimate(t *track, m *moment) float64 {
	j := t.Back(m.i, c.lag)
	if j < 0 || j >= len(t.peak) || j+t.lead >= m.i {
		return 0
	}
	return t.peak[j] - t.level[j]
}

// A trend expects demand to rise for the whole lead window half as fast as it does now. It never expects a fall.
type trend struct{}

func (trend) name() string { return "trend, damped" }

func (trend) estimate(t *track, m *moment) float64 {
	if m.i <= t.width {
		return 0
	}
	now := t.x[m.i-1]
	slope := (now - t.x[m.i-1-t.width]) / float64(t.width)
	return t.log(now+math.Max(0, slope*float64(t.lead+1)/2)) - t.level[m.i]
}
