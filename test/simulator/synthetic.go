package simulator

import (
	"math"
	"math/rand/v2"
)

// Week is a synthetic demand with the habits of a workplace: low nights, a steep morning ramp, a
// dip at lunch, a slow evening, half as much on weekends. It has noise, and some days are busier
// than others.
type Week struct {
	// Days is the length of the trace. The first day is a Monday.
	Days int
	// StepsPerDay is the resolution.
	StepsPerDay int
	// Peak of an ordinary weekday, in requests per second.
	Peak float64
	// Noise is the standard deviation of the demand around its level, as a share of the level.
	Noise float64
	// DayToDay is the standard deviation of the level of whole days, as a share of it.
	DayToDay float64
	// Seed of the random numbers. The same seed gives the same trace.
	Seed uint64
}

// DefaultWeek returns a Week that peaks at 200 requests per second.
func DefaultWeek(days, stepsPerDay int) Week {
	return Week{Days: days, StepsPerDay: stepsPerDay, Peak: 200, Noise: 0.02, DayToDay: 0.03, Seed: 1}
}

// Values returns the trace in requests per second.
func (w Week) Values() []float64 {
	rng := rand.New(rand.NewPCG(w.Seed, 0))
	values := make([]float64, 0, w.Days*w.StepsPerDay)
	noise := 0.0
	for day := range w.Days {
		level := w.Peak * math.Exp(w.DayToDay*rng.NormFloat64())
		shape := weekday
		if day%7 >= 5 {
			shape = weekend
		}
		for step := range w.StepsPerDay {
			// Neighbouring steps are correlated. The variance is the same at all steps.
			const memory = 0.6
			noise = memory*noise + math.Sqrt(1-memory*memory)*w.Noise*rng.NormFloat64()
			hour := 24 * (float64(step) + 0.5) / float64(w.StepsPerDay)
			values = append(values, max(0, level*shape(hour)*(1+noise)))
		}
	}
	return values
}

// weekday returns the share of the peak at an hour of a working day.
func weekday(hour float64) float64 {
	morning := rise(hour, 8.5, 0.35)
	lunch := 0.25 * bump(hour, 12.7, 0.7)
	evening := 0.6*rise(hour, 17.8, 0.6) + 0.28*rise(hour, 22.3, 0.4)
	return 0.12 + 0.88*morning - lunch - 0.88*evening
}

// weekend returns the share of the peak at an hour of a Saturday or Sunday.
func weekend(hour float64) float64 {
	return 0.12 + 0.35*rise(hour, 10.5, 0.9) - 0.35*rise(hour, 21, 0.9)
}

// rise goes from 0 to 1 around an hour, most of it within four widths.
func rise(hour, at, width float64) float64 { return 1 / (1 + math.Exp(-(hour-at)/width)) }

func bump(hour, at, width float64) float64 {
	z := (hour - at) / width
	return math.Exp(-z * z / 2)
}
