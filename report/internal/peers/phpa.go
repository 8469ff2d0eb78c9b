package peers

import "math"

// HoltWinters is the Holt-Winters model of the Predictive Horizontal Pod Autoscaler
// (jthomperoo/predictive-horizontal-pod-autoscaler): additive, with constant α, β and γ. It
// returns the forecasts of the replicas at [from, len(replicas)), each one step ahead.
//
// Three choices favour it. The season is a day. The parameters are tuned on the history, as its
// users do by hand, since the 0.9 of its examples diverges for such a long season. And the history
// is in the right order; released versions pass it to the model in the wrong order.
func HoltWinters(replicas []float64, season, from int) []float64 {
	w := tunedHoltWinters(replicas[:from], season)
	out := make([]float64, len(replicas)-from)
	for i := range out {
		out[i] = math.Ceil(w.next())
		w.update(replicas[from+i])
	}
	return out
}

// tunedHoltWinters returns the model with the smallest squared error one step ahead on x, at the
// end of x.
func tunedHoltWinters(x []float64, season int) *holtWinters {
	var best *holtWinters
	least := math.Inf(1)
	for _, alpha := range []float64{0.1, 0.3, 0.6, 0.9} {
		for _, beta := range []float64{0, 0.01, 0.1} {
			for _, gamma := range []float64{0.05, 0.2, 0.5} {
				w := newHoltWinters(x, season, alpha, beta, gamma)
				loss := 0.0
				for _, y := range x[2*season:] {
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

// holtWinters is a Holt-Winters model with additive trend and season.
type holtWinters struct {
	alpha, beta, gamma float64

	level, trend float64
	season       []float64
	at           int // index of the next step in season
}

// newHoltWinters returns a model after the first two seasons of x. The level starts at the mean of
// the first season, the trend at the mean change to the second one, and the season at the
// deviations of the first one.
func newHoltWinters(x []float64, season int, alpha, beta, gamma float64) *holtWinters {
	w := &holtWinters{alpha: alpha, beta: beta, gamma: gamma, season: make([]float64, season)}
	first, second := 0.0, 0.0
	for i := range season {
		first += x[i] / float64(season)
		second += x[season+i] / float64(season)
	}
	w.level, w.trend = first, (second-first)/float64(season)
	for i := range season {
		w.season[i] = x[i] - first
	}
	for _, y := range x[:2*season] {
		w.update(y)
	}
	return w
}

// update adds the value of the next step.
func (w *holtWinters) update(y float64) {
	seasonal := w.season[w.at]
	expected := w.level + w.trend
	level := w.alpha*(y-seasonal) + (1-w.alpha)*expected
	w.trend = w.beta*(level-w.level) + (1-w.beta)*w.trend
	w.season[w.at] = w.gamma*(y-expected) + (1-w.gamma)*seasonal
	w.level = level
	w.at = (w.at + 1) % len(w.season)
}

// next returns the forecast of the next step.
func (w *holtWinters) next() float64 { return math.Max(0, w.level+w.trend+w.season[w.at]) }
