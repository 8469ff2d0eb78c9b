package simulator

import (
	"fmt"
	"math"
	"time"
)

// Demand is a timeline of load: Values[i] requests per second over [Begin + i·Step, Begin +
// (i+1)·Step). Before the first step it is 0. After the last step it keeps its last value.
type Demand struct {
	// Begin of the first step.
	Begin time.Time
	// Step of the timeline.
	Step time.Duration
	// Values in requests per second, finite and not negative.
	Values []float64

	total []float64 // requests up to the begin of each step, and up to the end of the last
}

// NewDemand returns a timeline after checking it.
func NewDemand(begin time.Time, step time.Duration, values []float64) (*Demand, error) {
	if step <= 0 || len(values) == 0 {
		return nil, fmt.Errorf("demand of %d steps of %s: give at least one step of more than 0", len(values), step)
	}
	total := make([]float64, len(values)+1)
	for i, v := range values {
		if !(v >= 0) || math.IsInf(v, 1) {
			return nil, fmt.Errorf("demand of step %d is %v: it must be finite and not below 0", i, v)
		}
		total[i+1] = total[i] + v*step.Seconds()
	}
	return &Demand{Begin: begin, Step: step, Values: values, total: total}, nil
}

// End returns the end of the last step.
func (d *Demand) End() time.Time { return d.Begin.Add(time.Duration(len(d.Values)) * d.Step) }

// At returns the requests per second at an instant.
func (d *Demand) At(t time.Time) float64 {
	i := d.index(t)
	if i < 0 {
		return 0
	}
	return d.Values[min(i, len(d.Values)-1)]
}

// Total returns the number of requests from Begin up to an instant.
func (d *Demand) Total(t time.Time) float64 {
	i := d.index(t)
	if i < 0 {
		return 0
	}
	i = min(i, len(d.Values)-1)
	begin := d.Begin.Add(time.Duration(i) * d.Step)
	return d.total[i] + d.Values[i]*t.Sub(begin).Seconds()
}

func (d *Demand) index(t time.Time) int {
	if t.Before(d.Begin) {
		return -1
	}
	return int(t.Sub(d.Begin) / d.Step)
}
