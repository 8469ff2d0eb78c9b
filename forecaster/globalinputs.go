package forecaster

import (
	"math"
	"time"

	"headstart.dev/headstart/forecaster/internal/global"
	"headstart.dev/headstart/forecaster/internal/past"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// globalInputs makes the inputs of the global model. They describe the time just before a step in
// minutes, whatever the length of a step, and do not depend on the unit of demand.
type globalInputs struct {
	means, maxima [8]int // steps that recent means and maxima are taken over; 0 for none
	ten           int    // steps of ten minutes
	hour, day     int    // steps of an hour and of a day
	fixed         [4]float64
}

const globalBound = maxChangeShortage // of inputs

func newGlobalInputs(step time.Duration, lead int) globalInputs {
	of := func(m time.Duration) int { return max(1, int((m*time.Minute+step/2)/step)) }
	g := globalInputs{ten: of(10), hour: of(60), day: of(24 * 60)}
	for k, m := range [...]time.Duration{0, 5, 10, 20, 30, 60, 120, 360} {
		g.means[k] = of(m)
	}
	for k, m := range [...]time.Duration{20, 60, 180, 360} {
		g.maxima[k] = of(m)
	}
	window := time.Duration(lead+1) * step
	g.fixed = [...]float64{
		1, indicator(step >= 4*time.Minute), indicator(step >= 8*time.Minute),
		stats.Clamp(math.Log(window.Minutes()/10), -2, 2),
	}
	return g
}

func indicator(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// fill writes the inputs for step i to out, of global.Inputs numbers. They are made from the steps
// before i.
func (g *globalInputs) fill(h *past.History, i int, out []float64) {
	w := inputWriter{out: out}
	now := h.LevelAt(i)
	o := h.Outcomes(i)
	scale := 1 / (0.03 + 0.5*o.Spread[1] + 0.25*o.Spread[0] + 0.25*o.Spread[2])
	for _, v := range g.fixed {
		w.add(v)
	}
	for _, n := range g.means {
		w.both(h.Log(h.Mean(i, n))-now, scale)
	}
	largest := g.largest(h, i)
	for _, v := range largest {
		w.both(h.Log(v)-now, scale)
	}
	last := h.Log(h.Mean(i, 1))
	w.rise(last-h.Log(h.Mean(max(0, i-1), 1)), scale)
	w.rise(h.Log(h.Mean(i, g.ten))-h.Log(h.Mean(max(0, i-g.ten), g.ten)), scale)
	for k, spread := range o.Spread {
		w.add(o.Mean[k])
		w.add(spread)
	}
	w.add(o.Mean[0] * scale)
	at := now - h.Log(1)
	w.rise(at, scale)
	w.add(o.Spread[1] * at)
	w.add(o.Spread[1] * max(0, at))
	w.add(max(0, h.Log(largest[0])-now-o.Spread[0]))
	w.add(max(0, h.Log(largest[1])-now-o.Spread[1]))
	w.add(max(0, h.Log(largest[3])-now-o.Spread[2]))
	g.yesterday(h, i, &w, scale)
}

// yesterday adds what followed at this time of the day before; zeros where that is not known.
func (g *globalInputs) yesterday(h *past.History, i int, w *inputWriter, scale float64) {
	j := h.Back(i, g.day)
	if j < 1 || j >= h.Windows() || j+max(h.Lead, 3*g.hour) >= i {
		for w.n < global.Inputs {
			w.add(0)
		}
		return
	}
	now, level := h.LevelAt(i), h.LevelAt(j)
	rise, excess := h.WindowMaxAt(j)-level, h.WindowMaxAt(j)-now
	w.add(1)
	w.both(rise, scale)
	w.both(excess, scale)
	w.add(max(0, excess))
	w.add(level - now)
	w.add(h.Log(h.Mean(j+g.hour, g.hour)) - level)
	w.add(h.Log(h.Mean(j+3*g.hour, 3*g.hour)) - level)
	w.add(h.Log(h.Mean(j, g.hour)) - h.Log(h.Mean(i, g.hour)))
	w.add(h.Log(h.Mean(i, g.day)) - now)
}

// largest returns the largest demand of each of the maxima, which ascend in length.
func (g *globalInputs) largest(h *past.History, i int) (out [4]float64) {
	top, j := 0.0, i-1
	for k := range out {
		for ; j >= max(0, i-g.maxima[k]); j-- {
			top = max(top, h.DemandAt(j))
		}
		out[k] = top
	}
	return out
}

// An inputWriter appends inputs.
type inputWriter struct {
	out []float64
	n   int
}

func (w *inputWriter) add(v float64) {
	w.out[w.n] = stats.Clamp(v, -globalBound, globalBound)
	w.n++
}

// both adds an input, and the same in units of how much demand scatters.
func (w *inputWriter) both(v, scale float64) {
	w.add(v)
	w.out[w.n] = stats.Clamp(v*scale, -2*globalBound, 2*globalBound)
	w.n++
}

// rise adds an input whose sign matters.
func (w *inputWriter) rise(v, scale float64) {
	w.both(v, scale)
	w.add(max(0, v))
}
