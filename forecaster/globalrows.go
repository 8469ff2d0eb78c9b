package forecaster

import (
	"math"

	"headstart.dev/headstart/forecaster/internal/demand"
	"headstart.dev/headstart/forecaster/internal/global"
	"headstart.dev/headstart/forecaster/internal/past"
	"headstart.dev/headstart/forecaster/internal/regress"
	"headstart.dev/headstart/forecaster/internal/season"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// GlobalRows returns what the global model is trained on: for each lead window of a series from step
// from on, the inputs and how far the maximum rose above the level. It is for training only.
func GlobalRows(o Options, s Series, from int) *regress.Design {
	o = o.withDefaults()
	raw, _, _ := demand.Screened(o.Step, s.Values)
	h := past.New(s.Start, o.reading(), raw, len(raw), season.Find(o.Step, nil, raw))
	inputs := newGlobalInputs(o.Step, o.Lead)
	d := &regress.Design{P: global.Inputs, Stride: 1}
	var row [global.Inputs]float64
	for i := max(1, from); i < h.Windows(); i++ {
		if !h.ObservedAt(i) || !h.ObservedAt(i-1) {
			continue
		}
		inputs.fill(h, i, row[:])
		d.X = append(d.X, row[:]...)
		d.Y = append(d.Y, stats.Clamp(h.WindowMaxAt(i)-h.LevelAt(i), -globalBound, globalBound))
		d.W = append(d.W, math.Exp(h.LevelAt(i)/2))
	}
	return d
}
