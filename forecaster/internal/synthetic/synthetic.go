// Package synthetic makes demand for the forecaster's tests. The same arguments give the same
// values.
package synthetic

import (
	"math"
	"math/rand/v2"
)

// Wave returns n steps of a daily wave with noise: day steps a day.
func Wave(n, day int, seed uint64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	v := make([]float64, n)
	for i := range v {
		v[i] = 100 + 60*math.Sin(2*math.Pi*float64(i)/float64(day)) + 5*rng.NormFloat64()
	}
	return v
}

// Weekdays returns days of 120 steps with little noise. Every seventh and the day before it have a
// third of the demand.
func Weekdays(days int) []float64 {
	r := rand.New(rand.NewPCG(1, 2))
	v := make([]float64, days*120)
	for i := range v {
		level := 200.0
		if d := i / 120 % 7; d >= 5 {
			level = 70
		}
		v[i] = level * (0.12 + math.Pow(math.Sin(math.Pi*float64(i%120)/120), 4)) * (1 + 0.015*r.NormFloat64())
	}
	return v
}

// Office returns days of demand with a quiet night and a busy day, which begins and ends within an
// hour, with little noise: day steps a day.
func Office(days, day int, seed uint64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 2))
	v := make([]float64, days*day)
	for i := range v {
		hour := 24 * float64(i%day) / float64(day)
		v[i] = 20 + 80*math.Max(0, math.Min(hour-8, 1))*math.Max(0, math.Min(20-hour, 1))
		v[i] *= 1 + 0.03*rng.NormFloat64()
	}
	return v
}
