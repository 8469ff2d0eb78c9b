package peers

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// This file is the load predictors of the planner of NVIDIA Dynamo, made after its documentation.
// Every one of them forecasts the mean of the next interval from those before. None of them knows a
// season, and none looks further ahead than one interval.

// DynamoSeconds is the default interval of the planner.
const DynamoSeconds = 180

// A Predictor forecasts the next value of a series from its values so far.
type Predictor interface {
	// Observe takes the newest value into account.
	Observe(v float64)
	// Next returns the forecast of the next value.
	Next() float64
}

// Constant expects the last value.
type Constant struct{ last float64 }

// Observe implements Predictor.
func (c *Constant) Observe(v float64) { c.last = v }

// Next implements Predictor.
func (c *Constant) Next() float64 { return c.last }

// Kalman is a filter with a local linear trend. Its noises are the defaults of the planner.
type Kalman struct {
	seen                 int
	level, slope         float64
	pLevel, pSlope, pCov float64 // variances of the two, and their covariance
}

const (
	kalmanLevelNoise, kalmanTrendNoise, kalmanNoise = 1.0, 0.1, 10.0
	kalmanMinPoints                                 = 5
)

// Observe implements Predictor.
func (k *Kalman) Observe(v float64) {
	if k.seen++; k.seen == 1 {
		k.level, k.pLevel, k.pSlope = v, kalmanNoise, kalmanNoise
		return
	}
	level := k.level + k.slope
	p := k.pLevel + 2*k.pCov + k.pSlope + kalmanLevelNoise
	cov := k.pCov + k.pSlope
	slopeP := k.pSlope + kalmanTrendNoise
	gain, slopeGain := p/(p+kalmanNoise), cov/(p+kalmanNoise)
	k.level = level + gain*(v-level)
	k.slope += slopeGain * (v - level)
	k.pLevel, k.pCov, k.pSlope = (1-gain)*p, (1-gain)*cov, slopeP-slopeGain*cov
}

// Next implements Predictor.
func (k *Kalman) Next() float64 {
	if k.seen < kalmanMinPoints {
		return k.level
	}
	return math.Max(0, k.level+k.slope)
}

// Trend is what is left of Prophet when it sees the last 50 intervals, as by default: a trend that
// changes its slope, without a season.
type Trend struct{ window []float64 }

const (
	trendWindow = 50
	trendTurn   = 40 // where the slope may change: Prophet's changepoints end at 80 % of the window
)

// Observe implements Predictor.
func (t *Trend) Observe(v float64) {
	if len(t.window) == trendWindow {
		t.window = append(t.window[:0], t.window[1:]...)
	}
	t.window = append(t.window, v)
}

// Next implements Predictor.
func (t *Trend) Next() float64 {
	n := len(t.window)
	if n < 3 {
		if n == 0 {
			return 0
		}
		return t.window[n-1]
	}
	turn := n * trendTurn / trendWindow
	design, y := mat.NewDense(n, 3, nil), mat.NewVecDense(n, t.window)
	row := func(i int) []float64 { return []float64{1, float64(i), math.Max(0, float64(i-turn))} }
	for i := range n {
		design.SetRow(i, row(i))
	}
	var beta mat.VecDense
	if beta.SolveVec(design, y) != nil {
		return t.window[n-1]
	}
	next := 0.0
	for k, x := range row(n) {
		next += beta.AtVec(k) * x
	}
	return math.Max(0, next)
}

// ARIMA is an autoregression of the changes, fitted once. Akaike's criterion chooses its order. It
// has no season, as in the planner.
type ARIMA struct {
	beta   []float64 // constant, then the coefficients of the newest changes first
	recent []float64 // the newest values, one more than there are coefficients
}

const arimaMaxOrder = 5

// NewARIMA fits to a history.
func NewARIMA(history []float64) *ARIMA {
	best, least := []float64{0}, math.Inf(1)
	for order := 1; order <= arimaMaxOrder; order++ {
		if beta, aic, ok := fitChanges(history, order); ok && aic < least {
			best, least = beta, aic
		}
	}
	a := &ARIMA{beta: best}
	for _, v := range history {
		a.Observe(v)
	}
	return a
}

// fitChanges fits an autoregression of the changes of x.
func fitChanges(x []float64, order int) (beta []float64, aic float64, ok bool) {
	rows := len(x) - 1 - arimaMaxOrder
	if rows < 4*arimaMaxOrder {
		return nil, 0, false
	}
	change := func(i int) float64 { return x[i] - x[i-1] }
	design, y := mat.NewDense(rows, order+1, nil), mat.NewVecDense(rows, nil)
	for i := range rows {
		at := i + 1 + arimaMaxOrder
		design.Set(i, 0, 1)
		for k := 1; k <= order; k++ {
			design.Set(i, k, change(at-k))
		}
		y.SetVec(i, change(at))
	}
	var solved, fitted mat.VecDense
	if solved.SolveVec(design, y) != nil {
		return nil, 0, false
	}
	fitted.MulVec(design, &solved)
	fitted.SubVec(y, &fitted)
	n := float64(rows)
	aic = n*math.Log(mat.Dot(&fitted, &fitted)/n+1e-300) + 2*float64(order+1)
	return solved.RawVector().Data, aic, true
}

// Observe implements Predictor.
func (a *ARIMA) Observe(v float64) {
	if len(a.recent) == len(a.beta) {
		a.recent = append(a.recent[:0], a.recent[1:]...)
	}
	a.recent = append(a.recent, v)
}

// Next implements Predictor.
func (a *ARIMA) Next() float64 {
	n := len(a.recent)
	if n == 0 {
		return 0
	}
	next := a.recent[n-1] + a.beta[0]
	for k := 1; k < len(a.beta) && n-k-1 >= 0; k++ {
		next += a.beta[k] * (a.recent[n-k] - a.recent[n-k-1])
	}
	return math.Max(0, next)
}
