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
	raw   []float64 // demand over its mean
	z     []float64 // log(raw + soft)
	known []bool    // false where a gap was filled: nothing is to be judged there
	mean  float64
	soft  float64
	day   int
	week  int
}

// pathSoft is the share of mean demand added before logs are taken.
const pathSoft = 0.002

func newPathSeries(c clock, values []float64, day, week int) *pathSeries {
	s := &pathSeries{clock: c, day: day, week: week, soft: pathSoft, mean: meanKnown(values)}
	if s.mean <= 0 {
		s.mean = 1
	}
	s.known = make([]bool, len(values))
	for i, v := range values {
		s.known[i] = !math.IsNaN(v)
	}
	values = filled(values, day, week)
	low := math.Inf(1)
	for _, v := range values {
		low = math.Min(low, v)
	}
	if low > 0.02*s.mean {
		s.soft = 0
	}
	for _, v := range values {
		s.raw = append(s.raw, v/s.mean)
		s.z = append(s.z, math.Log(v/s.mean+s.soft))
	}
	return s
}

// top returns the largest demand over the mean; zero without a history.
func (s *pathSeries) top() float64 {
	top := 0.0
	for _, v := range s.raw {
		top = math.Max(top, v)
	}
	return top
}

// holdSeason is the part of a day over which the last value stands in for missing ones; longer gaps are filled from other seasons.
const holdSeason = 24

// filled returns values without gaps. A value held over a long gap would be learned as a night, or as a peak, that lasted all day: there
// the same step of the seasons around stands in, of the nearest ones first.
func filled(values []float64, day, week int) []float64 {
	out := make([]float64, len(values))
	last := 0.0
	for _, v := range values {
		if !math.IsNaN(v) {
			last = v
			break
		}
	}
	for i := 0; i < len(values); {
		if !math.IsNaN(values[i]) {
			last, out[i] = values[i], values[i]
			i++
			continue
		}
		end := i
		for end < len(values) && math.IsNaN(values[end]) {
			end++
		}
		long := day > 0 && end-i > day/holdSeason
		for ; i < end; i++ {
			out[i] = last
			if long {
				out[i] = seasonOf(values, i, day, week, last)
			}
		}
	}
	return out
}

// seasonOf returns what was seen at step i of the nearest seasons, or otherwise.
func seasonOf(values []float64, i, day, week int, otherwise float64) float64 {
	for _, period := range [...]int{week, day} {
		if period == 0 {
			continue
		}
		for k := 1; k <= 3; k++ {
			for _, j := range [...]int{i - k*period, i + k*period} {
				if j >= 0 && j < len(values) && !math.IsNaN(values[j]) {
					return values[j]
				}
			}
		}
	}
	return otherwise
}
