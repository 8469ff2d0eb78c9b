package report

import "math"

// PHPA's Holt-Winters (jthomperoo/predictive-horizontal-pod-autoscaler) with the parameters of its documentation: additive, with
// fixed α, β and γ, on the replicas that the HPA computes, one step ahead; the larger of the two counts. Its season is a day
// here. Shipped versions hand the model its history in the wrong order; here it gets the right one.
const (
	phpaAlpha = 0.9
	phpaBeta  = 0.9
	phpaGamma = 0.9
)

func phpa(t *trace, a, b int) ([]float64, bool) {
	m := t.day
	if m < 2 || a < 2*m {
		return nil, false
	}
	series := make([]float64, b)
	for i := range series {
		series[i] = t.replicas(t.held[i])
	}
	w := newHoltWinters(series[:2*m], m)
	for _, y := range series[2*m : a-1] {
		w.update(y)
	}
	out := make([]float64, b-a)
	for i := range out {
		w.update(series[a+i-1])
		out[i] = t.capacity * math.Max(t.replicas(t.held[a+i-1]), math.Ceil(w.next()))
	}
	return out, true
}

// holtWinters is additive in trend and season.
type holtWinters struct {
	level, trend float64
	season       []float64
	at           int
}

// newHoltWinters begins with the mean of the first season, the mean change to the second, and what each step of the first is above its mean,
// and runs over both.
func newHoltWinters(x []float64, m int) *holtWinters {
	w := &holtWinters{season: make([]float64, m)}
	first, second := 0.0, 0.0
	for i := range m {
		first += x[i] / float64(m)
		second += x[m+i] / float64(m)
	}
	w.level, w.trend = first, (second-first)/float64(m)
	for i := range m {
		w.season[i] = x[i] - first
	}
	for _, y := range x {
		w.update(y)
	}
	return w
}

func (w *holtWinters) update(y float64) {
	s := w.season[w.at]
	before := w.level + w.trend
	level := phpaAlpha*(y-s) + (1-phpaAlpha)*before
	w.trend = phpaBeta*(level-w.level) + (1-phpaBeta)*w.trend
	w.season[w.at] = phpaGamma*(y-before) + (1-phpaGamma)*s
	w.level = level
	w.at = (w.at + 1) % len(w.season)
}

// next is the forecast for the coming step.
func (w *holtWinters) next() float64 { return math.Max(0, w.level+w.trend+w.season[w.at]) }
