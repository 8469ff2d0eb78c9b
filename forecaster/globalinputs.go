package forecaster

import (
	"math"
	"time"

	"headstart.dev/headstart/forecaster/internal/global"
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
func (g *globalInputs) fill(h *history, i int, out []float64) {
	w := inputWriter{out: out}
	now := h.levelAt(i)
	o := h.outcomes(i)
	scale := 1 / (0.03 + 0.5*o.spread[1] + 0.25*o.spread[0] + 0.25*o.spread[2])
	for _, v := range g.fixed {
		w.add(v)
	}
	for _, n := range g.means {
		w.both(h.log(h.mean(i, n))-now, scale)
	}
	largest := g.largest(h, i)
	for _, v := range largest {
		w.both(h.log(v)-now, scale)
	}
	last := h.log(h.mean(i, 1))
	w.rise(last-h.log(h.mean(max(0, i-1), 1)), scale)
	w.rise(h.log(h.mean(i, g.ten))-h.log(h.mean(max(0, i-g.ten), g.ten)), scale)
	for k, spread := range o.spread {
		w.add(o.mean[k])
		w.add(spread)
	}
	w.add(o.mean[0] * scale)
	at := now - h.log(1)
	w.rise(at, scale)
	w.add(o.spread[1] * at)
	w.add(o.spread[1] * max(0, at))
	w.add(max(0, h.log(largest[0])-now-o.spread[0]))
	w.add(max(0, h.log(largest[1])-now-o.spread[1]))
	w.add(max(0, h.log(largest[3])-now-o.spread[2]))
	g.yesterday(h, i, &w, scale)
}

// yesterday adds what followed at this time of the day before; zeros where that is not known.
func (g *globalInputs) yesterday(h *history, i int, w *inputWriter, scale float64) {
	j := h.Back(i, g.day)
	if j < 1 || j >= h.windows() || j+max(h.lead, 3*g.hour) >= i {
		for w.n < global.Inputs {
			w.add(0)
		}
		return
	}
	now, level := h.levelAt(i), h.levelAt(j)
	rise, excess := h.windowMaxAt(j)-level, h.windowMaxAt(j)-now
	w.add(1)
	w.both(rise, scale)
	w.both(excess, scale)
	w.add(max(0, excess))
	w.add(level - now)
	w.add(h.log(h.mean(j+g.hour, g.hour)) - level)
	w.add(h.log(h.mean(j+3*g.hour, 3*g.hour)) - level)
	w.add(h.log(h.mean(j, g.hour)) - h.log(h.mean(i, g.hour)))
	w.add(h.log(h.mean(i, g.day)) - now)
}

// largest returns the largest demand of each of the maxima, which ascend in length.
func (g *globalInputs) largest(h *history, i int) (out [4]float64) {
	top, j := 0.0, i-1
	for k := range out {
		for ; j >= max(0, i-g.maxima[k]); j-- {
			top = max(top, h.demandAt(j))
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

// outcomes are the mean and the spread of how far lead-window maxima rose above the level, with
// exponential weights, in three memories.
type outcomes struct{ mean, spread [3]float64 }

// An outcomeSum is the weighted sums behind outcomes, in one memory.
type outcomeSum struct{ weight, sum, squares float32 }

// outcomeMemories are the time constants of the weights.
func outcomeMemories() [3]time.Duration {
	return [...]time.Duration{30 * time.Minute, 3 * time.Hour, 12 * time.Hour}
}

const (
	// usualRise and usualSpread are expected of a window before any is known; priorWindows is for how
	// long they count.
	usualRise, usualSpread = 0.1, 0.2
	priorWeight            = 20 * time.Minute
)

// outcomes returns the outcomes of the windows that are complete before step i.
func (h *history) outcomes(i int) (o outcomes) {
	prior := float64(priorWeight) / float64(h.Step)
	for k, s := range h.outcomeSums[i-h.from] {
		n := float64(s.weight) + prior
		mean := (float64(s.sum) + prior*usualRise) / n
		square := (float64(s.squares) + prior*(usualSpread*usualSpread+usualRise*usualRise)) / n
		o.mean[k], o.spread[k] = mean, math.Sqrt(max(0, square-mean*mean))
	}
	return o
}

// addOutcome continues the sums by the window that the newest step completes.
func (h *history) addOutcome() {
	sums := h.outcomeSums[len(h.outcomeSums)-1]
	i := h.n() - 1 - h.lead
	if i >= 1 && h.observedAt(i) && h.observed[len(h.observed)-1] {
		y := float32(stats.Clamp(h.windowMaxAt(i)-h.levelAt(i), -globalBound, globalBound))
		for k := range sums {
			s, keep := &sums[k], h.outcomeKeep[k]
			s.weight, s.sum, s.squares = s.weight*keep+1, s.sum*keep+y, s.squares*keep+y*y
		}
	}
	h.outcomeSums = append(h.outcomeSums, sums)
}

// outcomeKeep returns the factors on the sums per step.
func outcomeKeep(step time.Duration) (keep [3]float32) {
	for k, m := range outcomeMemories() {
		keep[k] = float32(math.Exp(-float64(step) / float64(max(m, step))))
	}
	return keep
}
