package forecaster

import (
	"math"
	"time"
)

// A usualCost is what it usually costs a young service to follow a candidate: excess is the cost
// above that of the cheapest expert, as a share of it, at the best margin.
type usualCost struct{ excess, margin float64 }

// usualCosts returns the means over the public traces with steps of at most ten minutes, with twelve
// hours of history and two days after it: see docs/design/012-global-model.md.
func usualCosts() map[string]usualCost {
	return map[string]usualCost{
		adaptedName:                   {0.06, 0},
		adaptedName + ", high":        {0.09, -0.07},
		globalName:                    {0.11, 0.02},
		globalName + ", high":         {0.13, -0.10},
		globalName + ", smoothed":     {0.14, 0.03},
		regressionName:                {0.21, 0},
		regressionName + ", high":     {0.26, -0.07},
		"trees":                       {0.18, 0.07},
		"trees on the regression":     {0.20, 0},
		"daily profile":               {0.17, 0.13},
		"yesterday, at today's level": {0.41, 0.07},
		"trend, damped":               {0.49, 0.2},
		"level now":                   {0.44, 0.3},
	}
}

const (
	// otherExcess is the excess of the candidates that are not listed.
	otherExcess = 0.25
	// marginCurvature is what a margin costs that lies beside the best one, as a share for the square
	// of the distance on the log scale.
	marginCurvature = 2.0
	// usualWeight is for how long the experts are taken to have been followed at their usual costs.
	usualWeight = 4 * time.Hour
)

// expect charges each expert what it usually costs. Its own costs take over within hours.
func (x *weightedExperts) expect(names []string, step time.Duration) {
	blocks := float64(usualWeight) / float64(step*time.Duration(x.block))
	base := fleetReplicas * blocks / (1 + x.otherLoadShare)
	usual := usualCosts()
	for c, name := range names {
		u, ok := usual[name]
		if !ok {
			u.excess = otherExcess
		}
		for k, f := range x.factors {
			off := math.Log(f) - u.margin
			cost := float32(base * (1 + u.excess + marginCurvature*off*off))
			for i := range x.costs {
				x.costs[i].quiet[c*len(x.factors)+k] += cost
				x.costs[i].busy[c*len(x.factors)+k] += cost
			}
		}
	}
}
