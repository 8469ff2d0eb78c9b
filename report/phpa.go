package report

import "math"

// PHPA's Holt-Winters (jthomperoo/predictive-horizontal-pod-autoscaler): additive, with fixed α, β and γ, on the replicas that the
// HPA computes, one step ahead; the larger of the two counts. Its season is a day here. The 0.9 for each parameter in its examples
// diverges on a season of that length, so they are picked on the history, by the error one step ahead, as its users do by hand.
// Shipped versions hand the model its history in the wrong order; here it gets the right one.
func phpa(t *trace, a, b int) ([]float64, bool) {
	m := t.day
	if m < 2 || a < 3*m {
		return nil, false
	}
	series := make([]float64, b)
	for i := range series {
		series[i] = t.replicas(t.held[i])
	}
	w := tunedHoltWinters(series[:a], m)
	out := make([]float64, b-a)
	for i := range out {
		out[i] = t.capacity * math.Max(series[a+i-1], math.Ceil(w.next()))
		w.update(series[a+i])
	}
	return out, true
}

// tunedHoltWinters picks the parameters whose forecasts of the next step erred least, and stands at the end of x.
func tunedHoltWinters(x []float64, m int) *holtWinters {
	var best *holtWinters
	least := math.Inf(1)
	for _, alpha := range []float64{0.1, 0.3, 0.6, 0.9} {
		for _, beta := range []float64{0, 0.01, 0.1} {
			for _, gamma := range []float64{0.05, 0.2, 0.5} {
				w := newHoltWinters(x, m, alpha, beta, gamma)
				loss := 0.0
				for _, y := range x[2*m:] {
					loss += (y - w.next()) * (y - w.next())
					w.update(y)
				}
				if loss < least || best == nil {
					best, least = w, loss
				}
			}
		}
	}
	return best
}

// holtWinters is additive in trend and season.
type holtWinters struct {
	alpha, beta, gamma float64

	level, trend float64
	season       []float64
	at           int
}

// newHoltWinters begins with the mean of the first season, the mean change to the second, and what each step of the first is
// above its mean, and runs over both.
func newHoltWinters(x []float64, m int, alpha, beta, gamma float64) *holtWinters {
	w := &holtWinters{alpha: alpha, beta: beta, gamma: gamma, season: make([]float64, m)}
	first, second := 0.0, 0.0
	for i := range m {
		first += x[i] / float64(m)
		second += x[m+i] / float64(m)
	}
	w.level, w.trend = first, (second-first)/float64(m)
	for i := range m {
		w.season[i] = x[i] - first
	}
	for _, y := range x[:2*m] {
		w.update(y)
	}
	return w
}

func (w *holtWinters) update(y float64) {
	s := w.season[w.at]
	before := w.level + w.trend
	level := w.alpha*(y-s) + (1-w.alpha)*before
	w.trend = w.beta*(level-w.level) + (1-w.beta)*w.trend
	w.season[w.at] = w.gamma*(y-before) + (1-w.gamma)*s
	w.level = level
	w.at = (w.at + 1) % len(w.season)
}

// next is the forecast for the coming step.
func (w *holtWinters) next() float64 { return math.Max(0, w.level+w.trend+w.season[w.at]) }
