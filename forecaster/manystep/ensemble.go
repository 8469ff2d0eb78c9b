package manystep

import (
	"math"
	"slices"

	"headstart.dev/headstart/forecaster/internal/stats"
)

// models returns the models that are combined.
func models() []model {
	return []model{
		repeat{label: "same day last week", weekly: true, seasons: 1, decay: 1},
		repeat{label: "yesterday", seasons: 1, decay: 1},
		repeat{label: "weekly profile, level carried on", weekly: true, seasons: 4, decay: 0.8, carry: true},
		repeat{label: "daily profile, level carried on", seasons: 7, decay: 0.8, carry: true},
		autoregression{label: "autoregression, log", ridge: 3},
		autoregression{label: "autoregression", linear: true, ridge: 3},
		autoregression{label: "autoregression, day on day", difference: byDay, ridge: 3},
		autoregression{label: "autoregression, week on week", difference: byWeek, ridge: 3},
		smoothing{label: "double seasonal smoothing"},
		harmonicRegression{label: "harmonic regression", day: 8, week: 10},
	}
}

// An ensemble is a weighted mean of models, and the distribution of its errors. Weights and errors
// come from rolling origins: forecasts from steps of the history by models that had not seen what
// followed.
type ensemble struct {
	history *history
	n       int // steps of the history
	horizon int
	names   []string // of the models
	fits    []fitted
	weights []float64
	// residuals are the errors of the combination from the origins, each divided by the scale at
	// its distance, ascending.
	residuals []float64
	scaleNear float64 // mean absolute error just ahead, on the log scale
	scaleFar  float64 // mean absolute error at the horizon
}

const (
	rollingOrigins = 16
	weightPower    = 3     // how sharply weights fall with a model's loss
	leastWeight    = 0.005 // weight below which a model is left out
)

// newEnsemble fits and weighs the models for forecasts of horizon steps.
func newEnsemble(h *history, models []model, horizon int) *ensemble {
	n := len(h.logs)
	e := &ensemble{history: h, n: n, horizon: horizon}
	heldOut := min(n/3, max(horizon+horizon/4*(rollingOrigins-1), h.day))
	e.weigh(models, n-heldOut, min(horizon, heldOut))
	for k, name := range e.names {
		for _, m := range models {
			if m.name() == name {
				if f := m.fit(h, n); f != nil {
					e.fits[k] = f
				}
			}
		}
	}
	return e
}

// weigh fits the models to the first n steps and forecasts up to reach steps from rolling origins
// after them. A model's weight falls with its loss.
func (e *ensemble) weigh(models []model, n, reach int) {
	for _, m := range models {
		if f := m.fit(e.history, n); f != nil {
			e.fits = append(e.fits, f)
			e.names = append(e.names, m.name())
		}
	}
	e.weights = make([]float64, len(e.fits))
	if len(e.fits) == 0 || reach < 1 {
		return
	}
	origins := e.origins(n, reach)
	forecasts := make([][][]float64, len(e.fits)) // by model and origin
	for k, f := range e.fits {
		forecasts[k], e.weights[k] = e.backtest(f, origins, reach)
	}
	least := slices.Min(e.weights)
	total := 0.0
	for k, loss := range e.weights {
		e.weights[k] = math.Pow((least+1e-12)/(loss+1e-12), weightPower)
		total += e.weights[k]
	}
	for k := range e.weights {
		e.weights[k] /= total
	}
	e.measureErrors(origins, forecasts)
}

// backtest returns the forecasts of a fitted model from each origin, and their loss.
func (e *ensemble) backtest(f fitted, origins []int, reach int) (forecasts [][]float64, loss float64) {
	h := e.history
	for _, o := range origins {
		out := make([]float64, min(reach, len(h.logs)-o))
		f.forecast(h, o, out)
		for i, z := range out {
			if math.IsNaN(z) {
				z, out[i] = 0, 0
			}
			if h.known[o+i] {
				loss += h.loss(z, o+i)
			}
		}
		forecasts = append(forecasts, out)
	}
	return forecasts, loss
}

// loss scores the forecast z of step i: the absolute error, in units of mean demand, plus the
// relative one, so that quiet hours count, but not for everything.
func (h *history) loss(z float64, i int) float64 {
	raw := math.Exp(z) - h.logOffset
	return math.Abs(raw-h.raw[i]) + math.Abs(raw-h.raw[i])/(math.Abs(raw)+h.raw[i]+1e-9)
}

// origins returns the steps, from n on, that forecasts are tried from.
func (e *ensemble) origins(n, reach int) []int {
	last := max(n, len(e.history.logs)-reach)
	every := max(1, (last-n+rollingOrigins-2)/(rollingOrigins-1))
	var out []int
	for o := last; o >= n; o -= every {
		out = append(out, o)
	}
	return out
}

// measureErrors learns the distribution of the combination's errors and how they grow with the
// distance.
func (e *ensemble) measureErrors(origins []int, forecasts [][][]float64) {
	h := e.history
	sum := make([]float64, e.horizon)
	count := make([]float64, e.horizon)
	type miss struct {
		at  int
		err float64
	}
	var errs []miss
	for k, o := range origins {
		for i := range forecasts[0][k] {
			if !h.known[o+i] {
				continue
			}
			z := 0.0
			for m := range forecasts {
				z += e.weights[m] * forecasts[m][k][i]
			}
			err := h.logs[o+i] - z
			errs = append(errs, miss{i, err})
			sum[i] += math.Abs(err)
			count[i]++
		}
	}
	e.fitScale(sum, count)
	for _, m := range errs {
		e.residuals = append(e.residuals, m.err/e.scale(m.at))
	}
	slices.Sort(e.residuals)
}

// fitScale fits the scale to the absolute errors at each distance: their sums and counts. It
// compares the nearest third with the rest. The middles of the two parts lie at 1/6 and 2/3 of the
// horizon, and the scale is taken to grow with the square root of the distance, as that of a random
// walk.
func (e *ensemble) fitScale(sum, count []float64) {
	var nearSum, farSum, nearCount, farCount float64
	for i := range sum {
		if i < e.horizon/3 {
			nearSum += sum[i]
			nearCount += count[i]
		} else {
			farSum += sum[i]
			farCount += count[i]
		}
	}
	near, far := nearSum/math.Max(nearCount, 1), farSum/math.Max(farCount, 1)
	if farCount == 0 {
		far = near
	}
	slope := math.Max(0, (far-near)/(math.Sqrt(2.0/3)-math.Sqrt(1.0/6)))
	e.scaleNear = math.Max(near-slope*math.Sqrt(1.0/6), 0.5*near) + 1e-6
	e.scaleFar = e.scaleNear + slope
}

// scale returns the scale of the errors i steps ahead.
func (e *ensemble) scale(i int) float64 {
	return e.scaleNear + (e.scaleFar-e.scaleNear)*math.Sqrt(float64(i+1)/float64(e.horizon))
}

// quantiles returns quantiles of demand for each step of the horizon, at ascending levels, in the
// unit of demand.
func (e *ensemble) quantiles(levels []float64) [][]float64 {
	h := e.history
	most := maxOverTop * h.top()
	var rows [][]float64
	for i, z := range e.medians() {
		row := make([]float64, len(levels))
		for k, q := range levels {
			v := math.Min(most, math.Exp(z+e.spread(i, q))-h.logOffset)
			if v > smallest {
				row[k] = v * h.mean
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// medians returns the combined forecast of each step of the horizon, on the log scale.
func (e *ensemble) medians() []float64 {
	out := make([]float64, e.horizon)
	one := make([]float64, e.horizon)
	total := 0.0
	for k, f := range e.fits {
		if e.weights[k] < leastWeight {
			continue
		}
		f.forecast(e.history, e.n, one)
		for i, z := range one {
			if math.IsNaN(z) || math.IsInf(z, 0) {
				z = e.history.logs[e.n-1]
			}
			out[i] += e.weights[k] * z
		}
		total += e.weights[k]
	}
	for i := range out {
		if total > 0 {
			out[i] /= total
		} else if e.n > 0 {
			out[i] = e.history.logs[e.n-1]
		}
	}
	return out
}

const (
	// inflation makes up for errors that were measured from few and overlapping origins, with
	// weights that knew them.
	inflation = 1.35
	// unknownDeviation is the standard deviation of errors, on the log scale, while none was
	// measured.
	unknownDeviation = 0.5
)

// spread returns how far the q-quantile lies above the median i steps ahead, on the log scale.
func (e *ensemble) spread(i int, q float64) float64 {
	if len(e.residuals) == 0 {
		return math.Sqrt2 * math.Erfinv(2*q-1) * unknownDeviation
	}
	// The median of the errors is not expected to recur: to correct a bias by it makes medians
	// worse.
	return e.scale(i) * inflation * (stats.Quantile(e.residuals, q) - stats.Quantile(e.residuals, 0.5))
}
