package forecaster

import "math"

// A pathModel forecasts a whole series many steps ahead. It learns once and may then be asked from any origin.
type pathModel interface {
	name() string
	// learn fits to the first n steps of the series; nil where they are too few.
	learn(s *pathSeries, n int) pathFit
}

// A pathFit is what a pathModel learned.
type pathFit interface {
	// follow writes the forecast, on the log scale, of the len(out) steps from step n on; it looks at the steps before n only.
	follow(s *pathSeries, n int, out []float64)
}

// A pathSeries is a gapless history on both scales, with its seasons.
type pathSeries struct {
	clock
	raw  []float64 // demand over its mean
	z    []float64 // log(raw + soft)
	mean float64
	soft float64
	day  int
	week int
}

// pathSoft is the share of mean demand added before logs are taken.
const pathSoft = 0.002

func newPathSeries(c clock, values []float64, day, week int) *pathSeries {
	s := &pathSeries{clock: c, day: day, week: week, soft: pathSoft, mean: meanKnown(values)}
	if s.mean <= 0 {
		s.mean = 1
	}
	last := math.NaN()
	for _, v := range values {
		if !math.IsNaN(v) {
			last = v
			break
		}
	}
	if math.IsNaN(last) {
		last = 0
	}
	low := math.Inf(1)
	for _, v := range values {
		low = math.Min(low, v)
	}
	if low > 0.02*s.mean {
		s.soft = 0
	}
	for _, v := range values {
		if math.IsNaN(v) {
			v = last
		}
		last = v
		s.raw = append(s.raw, v/s.mean)
		s.z = append(s.z, math.Log(v/s.mean+s.soft))
	}
	return s
}
