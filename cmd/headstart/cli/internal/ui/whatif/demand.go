package whatif

import (
	"context"
	"math"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/spec"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner"
)

// Demand is the measured demand and its forecast, as the server makes it. Times are in seconds
// since 1970. A value that is not known is null.
type Demand struct {
	Start  int64      `json:"start"`
	Step   float64    `json:"step"`
	Values []*float64 `json:"values"`
	// Expected is the median of the forecast from ExpectedStart on, and Cover what a plan covers.
	ExpectedStart int64      `json:"expectedStart,omitempty"`
	Expected      []*float64 `json:"expected"`
	Cover         []*float64 `json:"cover"`
	// Skilled reports whether the forecast is served.
	Skilled bool     `json:"skilled"`
	Notes   []string `json:"notes"`
}

// maxPoints bounds the steps of demand that are sent to the page.
const maxPoints = 7 * 24 * 60

// Demand reads the demand of a Forecast and makes its forecast.
func (s *Study) Demand(ctx context.Context, fc *v1alpha1.Forecast, now time.Time, progress Progress) (Demand, error) {
	p, err := s.prepare(ctx, fc, now, progress)
	if err != nil {
		return Demand{}, err
	}
	n := len(p.series.Values)
	from := max(0, n-maxPoints)
	out := Demand{
		Start: p.series.Start.Add(time.Duration(from) * p.series.Step).Unix(), Step: p.series.Step.Seconds(),
		Values: numbers(p.series.Values[from:]), Expected: []*float64{}, Cover: []*float64{},
		Notes: append([]string{}, p.notes...),
	}
	progress("fitting the forecast", 0, 1)
	var model planner.Model
	outlook := model.Advance(p.input(fc, now, p.spec.Settings))
	if err := model.Err(); err != nil {
		out.Notes = append(out.Notes, "there is no forecast: "+err.Error())
		return out, nil
	}
	steps := min(p.spec.Settings.Steps(), len(outlook.Median), len(outlook.Cover))
	out.ExpectedStart, out.Skilled = outlook.Start.Unix(), outlook.Skilled
	out.Expected, out.Cover = numbers(outlook.Median[:steps]), numbers(outlook.Cover[:steps])
	if !outlook.Skilled {
		out.Notes = append(out.Notes, "the forecast has no skill on this history: it is drawn, but observed demand is served")
	}
	return out, nil
}

// input returns what a step of the server would be given now.
func (p *prepared) input(fc *v1alpha1.Forecast, now time.Time, set planner.Settings) planner.StepInput {
	known := forecaster.Series(p.series)
	return planner.StepInput{
		Now: now, Settings: set, Series: &known, Lead: spec.Lead(set, fc), Capacity: spec.Capacity(set, fc),
		Peaks: planner.Peaks{Schedules: p.spec.Peaks.Schedules}, Calendars: p.spec.Calendars(),
	}
}

func numbers(values []float64) []*float64 {
	out := make([]*float64, len(values))
	for i, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			out[i] = &values[i]
		}
	}
	return out
}
