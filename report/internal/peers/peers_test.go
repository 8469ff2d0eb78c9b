package peers

import (
	"math"
	"testing"
)

// Every predictor follows a constant series, and all but the constant one follow a line.
func TestPredictorsFollowALine(t *testing.T) {
	history := func(slope float64) []float64 {
		out := make([]float64, 200)
		for i := range out {
			out[i] = 100 + slope*float64(i)
		}
		return out
	}
	for name, tc := range map[string]struct {
		reason    string
		predictor func(history []float64) Predictor
		lag       float64 // on a line with slope 1
	}{
		"Constant": {"it expects the last value", func([]float64) Predictor { return &Constant{} }, 1},
		"Kalman":   {"its trend follows the slope", func([]float64) Predictor { return &Kalman{} }, 0},
		"Trend":    {"a line is a trend", func([]float64) Predictor { return &Trend{} }, 0},
		"ARIMA":    {"a line has constant changes", func(h []float64) Predictor { return NewARIMA(h) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, slope := range []float64{0, 1} {
				values := history(slope)
				p := tc.predictor(values[:100])
				for _, v := range values {
					p.Observe(v)
				}
				want := values[199] + slope - slope*tc.lag
				if got := p.Next(); math.Abs(got-want) > 0.1 {
					t.Errorf("%s: expects %v after a slope of %v, want %v", tc.reason, got, slope, want)
				}
			}
		})
	}
}

// A predictor of an empty or short series gives a number, and never one below 0.
func TestPredictorsOfShortSeries(t *testing.T) {
	for _, p := range []Predictor{&Constant{}, &Kalman{}, &Trend{}, NewARIMA(nil)} {
		for _, v := range []float64{0, 50, 3, 0, 0, 0} {
			if got := p.Next(); !(got >= 0) || math.IsInf(got, 0) {
				t.Errorf("%T expects %v", p, got)
			}
			p.Observe(v)
		}
	}
}
