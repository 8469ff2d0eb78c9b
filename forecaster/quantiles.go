package forecaster

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// QuantileOptions configure a many-step forecast.
type QuantileOptions struct {
	Horizon   int             // steps ahead; required
	Quantiles []float64       // ascending levels between 0 and 1; required
	Location  *time.Location  // whose wall clock days and weeks follow; nil is UTC
	Periods   []time.Duration // seasons; nil detects them
	Days      []Day           // named days, past and to come
}

// Bands are quantiles of demand, step by step.
type Bands struct {
	Start     time.Time // beginning of the first step: the end of the series
	Step      time.Duration
	Quantiles []float64
	Values    [][]float64 // one row a step, one column a quantile; never decreasing along a row
}

// rounding is the share of mean demand below which a quantile is what logarithms leave of zero.
const rounding = 1e-9

// Quantiles forecasts a series many steps ahead, for people and calendars. But for named days, nothing lies above twice the most that was ever
// seen: the errors of sparse demand are factors, and one from idle to busy would otherwise be applied to a busy hour.
func Quantiles(s Series, o QuantileOptions) (Bands, error) {
	if err := validStep(s.Step); err != nil {
		return Bands{}, fmt.Errorf("forecaster: %w", err)
	}
	if o.Horizon < 1 || len(o.Quantiles) == 0 || !slices.IsSorted(o.Quantiles) {
		return Bands{}, fmt.Errorf("forecaster: give a horizon of at least one step and ascending quantiles")
	}
	for _, q := range o.Quantiles {
		if !(q > 0 && q < 1) {
			return Bands{}, fmt.Errorf("forecaster: quantile %g must be between 0 and 1", q)
		}
	}
	opts := Options{Step: s.Step, Horizon: o.Horizon, Contract: Contract{ServiceLevel: 0.9}, Location: o.Location, Periods: o.Periods, Days: o.Days}.withDefaults()
	if err := opts.validate(); err != nil {
		return Bands{}, fmt.Errorf("forecaster: %w", err)
	}
	values := make([]float64, 0, min(len(s.Values), opts.MaxHistory))
	for _, v := range s.Values[max(0, len(s.Values)-opts.MaxHistory):] {
		values = append(values, clean(v))
	}
	from := s.End().Add(-time.Duration(len(values)) * s.Step)
	b := Bands{Start: s.End(), Step: s.Step, Quantiles: slices.Clone(o.Quantiles)}
	found := findSeasons(opts, values)
	days := newCalendar(opts, from, values, found)
	series := newPathSeries(newClock(from, s.Step, opts.Location), days.plain(values), found.day, found.week)
	e := learnEnsemble(series, pathModels(), o.Horizon)
	most := coverReach * series.top()
	for i, z := range e.path(o.Horizon) {
		row := make([]float64, len(o.Quantiles))
		for k, q := range o.Quantiles {
			share := math.Min(most, math.Exp(z+e.quantile(i, q))-series.soft)
			if share > rounding {
				row[k] = share * series.mean * math.Exp(days.at(len(values)+i))
			}
		}
		b.Values = append(b.Values, row)
	}
	return b, nil
}
