package manystep

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/forecaster/internal/calendar"
	"headstart.dev/headstart/forecaster/internal/demand"
	"headstart.dev/headstart/forecaster/internal/season"
)

// Options configure a many-step forecast.
type Options struct {
	Horizon   int              // steps ahead; required
	Quantiles []float64        // ascending levels between 0 and 1; required
	Location  *time.Location   // whose wall clock days and weeks follow; nil is UTC
	Periods   []time.Duration  // seasons; nil detects them
	Days      []forecaster.Day // named days, past and to come
}

// Bands are quantiles of demand, step by step.
type Bands struct {
	Start     time.Time // beginning of the first step: the end of the series
	Step      time.Duration
	Quantiles []float64
	Values    [][]float64 // one row a step, one column a quantile; never decreasing along a row
}

const (
	// smallest is the share of mean demand below which a quantile counts as zero: logarithms leave
	// a small remainder of it.
	smallest = 1e-9
	// maxOverTop bounds a quantile, in units of the largest demand in the history. The errors of
	// sparse demand are factors, and one from idle to busy would otherwise be applied to a busy
	// hour.
	maxOverTop = 2
)

// Forecast returns quantiles of the steps that follow the series s. It looks at the newest 40,320
// steps at most. Except on named days, no quantile lies above twice the largest demand there. It
// fails on options, or a step, that cannot be used.
func Forecast(s forecaster.Series, o Options) (Bands, error) {
	if err := o.validate(s.Step); err != nil {
		return Bands{}, err
	}
	location := o.Location
	if location == nil {
		location = time.UTC
	}
	most := min(forecaster.DefaultMaxHistory, int(demand.MaxSpan/s.Step))
	values := make([]float64, 0, min(len(s.Values), most))
	for _, v := range s.Values[max(0, len(s.Values)-most):] {
		values = append(values, demand.Clean(v))
	}
	values, _, _ = demand.Screened(s.Step, values)
	from := s.End().Add(-time.Duration(len(values)) * s.Step)
	periods := season.Find(s.Step, o.Periods, values)
	days := calendar.Learn(calendarDays(o.Days), from, s.Step, values, periods.Day)
	clock := calendar.NewClock(from, s.Step, location)
	e := newEnsemble(newHistory(clock, days.Remove(values), periods), models(), o.Horizon)
	b := Bands{Start: s.End(), Step: s.Step, Quantiles: slices.Clone(o.Quantiles)}
	b.Values = e.quantiles(o.Quantiles)
	for i, row := range b.Values {
		for k := range row {
			row[k] *= math.Exp(days.At(len(values) + i))
		}
	}
	return b, nil
}

// validate checks the options, and with them the step of the series.
func (o Options) validate(step time.Duration) error {
	_, err := forecaster.New(forecaster.Options{
		Step: step, Contract: forecaster.Contract{ServiceLevel: 0.5}, Periods: o.Periods, Days: o.Days,
	})
	if err != nil {
		return err
	}
	if o.Horizon < 1 || len(o.Quantiles) == 0 || !slices.IsSorted(o.Quantiles) {
		return errors.New("forecaster: give a horizon of at least one step and ascending quantiles")
	}
	for _, q := range o.Quantiles {
		if !(q > 0 && q < 1) {
			return fmt.Errorf("forecaster: quantile %g must be between 0 and 1", q)
		}
	}
	return nil
}

// calendarDays returns named days as package calendar has them.
func calendarDays(named []forecaster.Day) []calendar.Day {
	out := make([]calendar.Day, len(named))
	for i, d := range named {
		out[i] = calendar.Day(d)
	}
	return out
}
