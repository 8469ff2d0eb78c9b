package forecaster

import (
	"math"
	"slices"
)

// pathModels are the candidates of a many-step forecast.
func pathModels() []pathModel {
	return []pathModel{
		repeat{label: "same day last week", weekly: true, seasons: 1, decay: 1},
		repeat{label: "yesterday", seasons: 1, decay: 1},
		repeat{label: "weekly profile, level carried on", weekly: true, seasons: 4, decay: 0.8, carry: true},
		repeat{label: "daily profile, level carried on", seasons: 7, decay: 0.8, carry: true},
		autoregression{label: "autoregression, log", ridge: 3},
		autoregression{label: "autoregression", linear: true, ridge: 3},
		autoregression{label: "autoregression, day on day", diff: 1, ridge: 3},
		autoregression{label: "autoregression, week on week", diff: 2, ridge: 3},
		smoothing{label: "double seasonal smoothing"},
		harmonicRegression{label: "harmonic regression", day: 8, week: 10},
	}
}

// An ensemble is several path models, weighted by how well they did from rolling origins that they had not seen.
type ensemble struct {
	series  *pathSeries
	n       int
	names   []string
	fits    []pathFit
	weights []float64
	ranks   []float64 // errors of the combination, in units of the spread at their distance, ascending
	near    float64   // spread of the errors one step ahead, on the log scale
	far     float64   // and at the horizon
	horizon int
}

const (
	rollingOrigins = 16
	weightPower    = 3 // how sharply weights fall with a model's loss
)

// learnEnsemble fits the candidates to s and weighs them for forecasts of so many steps.
func learnEnsemble(s *pathSeries, models []pathModel, horizon int) *ensemble {
	n := len(s.z)
	e := &ensemble{series: s, n: n, horizon: horizon}
	hold := min(n/3, max(horizon+horizon/4*(rollingOrigins-1), s.day))
	reach := min(horizon, hold)
	e.trials(models, n-hold, reach)
	for k, name := range e.names {
		for _, m := range models {
			if m.name() == name {
				if f := m.learn(s, n); f != nil {
					e.fits[k] = f
				}
			}
		}
	}
	return e
}

// trials learns on the first n steps and forecasts from rolling origins after them: the losses become weights, the errors of the
// combination its spread.
func (e *ensemble) trials(models []pathModel, n, reach int) {
	s := e.series
	for _, m := range models {
		if f := m.learn(s, n); f != nil {
			e.fits = append(e.fits, f)
			e.names = append(e.names, m.name())
		}
	}
	e.weights = make([]float64, len(e.fits))
	if len(e.fits) == 0 || reach < 1 {
		return
	}
	origins := e.origins(n, reach)
	paths := make([][][]float64, len(e.fits))
	for k, f := range e.fits {
		loss := 0.0
		for _, o := range origins {
			out := make([]float64, min(reach, len(s.z)-o))
			f.follow(s, o, out)
			for i, z := range out {
				if math.IsNaN(z) {
					z, out[i] = 0, 0
				}
				if s.known[o+i] {
					loss += s.pathLoss(z, o+i)
				}
			}
			paths[k] = append(paths[k], out)
		}
		e.weights[k] = loss
	}
	least := slices.Min(e.weights)
	total := 0.0
	for k, l := range e.weights {
		e.weights[k] = math.Pow((least+1e-12)/(l+1e-12), weightPower)
		total += e.weights[k]
	}
	for k := range e.weights {
		e.weights[k] /= total
	}
	e.spread(origins, paths)
}

// pathLoss scores a forecast: absolute error on both scales, so that quiet hours count, but not for everything.
func (s *pathSeries) pathLoss(z float64, i int) float64 {
	raw := math.Exp(z) - s.soft
	return math.Abs(raw-s.raw[i]) + math.Abs(raw-s.raw[i])/(math.Abs(raw)+s.raw[i]+1e-9)
}

// origins returns the steps that trial forecasts start from.
func (e *ensemble) origins(n, reach int) []int {
	last := max(n, len(e.series.z)-reach)
	every := max(1, (last-n+rollingOrigins-2)/(rollingOrigins-1))
	var out []int
	for o := last; o >= n; o -= every {
		out = append(out, o)
	}
	return out
}

// spread learns how the errors of the combination are distributed, and how they grow with the distance.
func (e *ensemble) spread(origins []int, paths [][][]float64) {
	s := e.series
	sum := make([]float64, e.horizon)
	count := make([]float64, e.horizon)
	type miss struct {
		at  int
		err float64
	}
	var errs []miss
	for k, o := range origins {
		for i := range paths[0][k] {
			if !s.known[o+i] {
				continue
			}
			z := 0.0
			for m := range paths {
				z += e.weights[m] * paths[m][k][i]
			}
			err := s.z[o+i] - z
			errs = append(errs, miss{i, err})
			sum[i] += math.Abs(err)
			count[i]++
		}
	}
	var a, b, na, nb float64
	for i := range sum {
		if i < e.horizon/3 {
			a += sum[i]
			na += count[i]
		} else {
			b += sum[i]
			nb += count[i]
		}
	}
	near, far := a/math.Max(na, 1), b/math.Max(nb, 1)
	if nb == 0 {
		far = near
	}
	// The middles of the two parts lie at 1/6 and 2/3 of the horizon; the spread is taken to grow with the square root.
	slope := math.Max(0, (far-near)/(math.Sqrt(2.0/3)-math.Sqrt(1.0/6)))
	e.near = math.Max(near-slope*math.Sqrt(1.0/6), 0.5*near) + 1e-6
	e.far = e.near + slope
	for _, m := range errs {
		e.ranks = append(e.ranks, m.err/e.scale(m.at))
	}
	slices.Sort(e.ranks)
}

// scale returns the spread of the errors i steps ahead.
func (e *ensemble) scale(i int) float64 {
	return e.near + (e.far-e.near)*math.Sqrt(float64(i+1)/float64(e.horizon))
}

// path returns the combined forecast on the log scale.
func (e *ensemble) path(steps int) []float64 {
	out := make([]float64, steps)
	one := make([]float64, steps)
	total := 0.0
	for k, f := range e.fits {
		if e.weights[k] < 0.005 {
			continue
		}
		f.follow(e.series, e.n, one)
		for i, z := range one {
			if math.IsNaN(z) || math.IsInf(z, 0) {
				z = e.series.z[e.n-1]
			}
			out[i] += e.weights[k] * z
		}
		total += e.weights[k]
	}
	for i := range out {
		if total > 0 {
			out[i] /= total
		} else if e.n > 0 {
			out[i] = e.series.z[e.n-1]
		}
	}
	return out
}

// widen makes up for errors that were measured on few and overlapping origins, with weights that knew them.
const widen = 1.35

// quantile returns how far above the path the q-quantile lies, i steps ahead, on the log scale.
func (e *ensemble) quantile(i int, q float64) float64 {
	if len(e.ranks) == 0 {
		return math.Sqrt2 * math.Erfinv(2*q-1) * 0.5
	}
	// The median of the errors is not expected to recur: to take a part of it as a bias makes medians worse.
	return e.scale(i) * widen * (quantileSorted(e.ranks, q) - quantileSorted(e.ranks, 0.5))
}
