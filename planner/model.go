package planner

import (
	"fmt"
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/scheduler"
)

// lateSteps is how many missing values at the end of a series may still arrive. The model does not
// get these steps before they do.
const lateSteps = 5

// Calendars are the Calendars whose days the forecast learns.
type Calendars struct {
	// Named are the Calendars that can be evaluated, in the order of the spec.
	Named []*scheduler.Calendar
	// Version changes whenever one of them does.
	Version string
}

// NewCalendars are the Calendars of these names that can be evaluated.
func NewCalendars(names []string, found scheduler.Selection) Calendars {
	out := Calendars{Version: found.CalendarsVersion}
	for _, name := range names {
		if c := found.Calendars[name]; c != nil {
			out.Named = append(out.Named, c)
		}
	}
	return out
}

// Model is the forecaster of one Forecast between two steps. The zero value has not seen a series.
type Model struct {
	// Small makes the model keep little memory between two steps. It then uses the values of the
	// series that it was given last, so nobody may change them. Steps take a little longer.
	Small bool
	// Thrift is what the next fits go without.
	Thrift forecaster.Thrift

	key        modelKey
	forecaster *forecaster.Forecaster
	err        error
}

// Forget drops the fitted model. The next step fits from the beginning of its series.
func (m *Model) Forget() { *m = Model{Small: m.Small, Thrift: m.Thrift} }

// Err says why there is no forecast; nil where there is one.
func (m *Model) Err() error { return m.err }

// Describe describes the model behind the forecast. It reports whether there is a forecast.
func (m *Model) Describe() (forecaster.Description, bool) {
	if m.forecaster == nil || m.err != nil {
		return forecaster.Description{}, false
	}
	return m.forecaster.Describe(), true
}

// Advance updates the model to the series of a step. It returns its forecast; nil when there is
// none. If the series has only grown since the last step, the model is updated. If anything else
// has changed, the model is made from scratch. The result is the same in both cases.
func (m *Model) Advance(in StepInput) *forecaster.Outlook {
	if !in.Settings.HasDemand || in.Series == nil {
		return nil
	}
	m.advance(in)
	if m.Small && m.forecaster != nil {
		m.forecaster.Shrink(*in.Series)
	}
	return m.Outlook()
}

// Outlook is the forecast from the end of the series that the model knows; nil without one.
func (m *Model) Outlook() *forecaster.Outlook {
	if m.forecaster == nil || m.err != nil {
		return nil
	}
	outlook := m.forecaster.Outlook()
	return &outlook
}

// Compared are the forecasts for the contracts of StepInput.Compare, for so many steps.
func (m *Model) Compared(steps int) []forecaster.Outlook {
	if m.forecaster == nil || m.err != nil {
		return nil
	}
	return m.forecaster.Compared(steps)
}

func (m *Model) advance(in StepInput) {
	set, known, lead := in.Settings, Settled(*in.Series), in.leadSteps()
	from, to := dayRange(set, in.Series.Start.Add(time.Duration(len(in.Series.Values))*set.Step))
	key := keyOf(in, from)
	if m.forecaster != nil && m.key == key && m.err == nil {
		fed := int(m.forecaster.Origin().Sub(known.Start) / known.Step)
		if fed >= 0 && fed <= len(known.Values) {
			m.forecaster.SetThrift(m.Thrift)
			fresh := in.Peaks.Baseline(tail(known, fed))
			if m.err = m.forecaster.Update(fresh.Values...); m.err == nil {
				m.err = m.forecaster.SetLead(lead)
			}
			return
		}
	}
	m.key = key
	m.forecaster, m.err = forecaster.New(forecaster.Options{
		Step: set.Step, Lead: lead, Horizon: set.Steps(), Contract: set.Contract,
		Location: set.Location, Periods: set.Periods, Days: in.Calendars.Days(set.Location, from, to),
		MaxHistory: int(set.History / set.Step), FitOffset: set.FitOffset, Compare: in.Compare,
		Half: set.AtMost > 0,
	})
	if m.err == nil {
		m.forecaster.SetThrift(m.Thrift)
		m.err = m.forecaster.Start(in.Peaks.Baseline(known))
	}
}

// modelKey changes whenever a model must be made from scratch.
type modelKey struct {
	source, query         string
	step, history, settle time.Duration
	fitOffset             time.Duration
	steps                 int
	contract              forecaster.Contract
	location, periods     string
	compare               string
	half                  bool
	peaks, calendars      string
	daysFrom              int64
}

func keyOf(in StepInput, daysFrom time.Time) modelKey {
	set := in.Settings
	key := modelKey{
		source: set.Source, query: set.Query, step: set.Step, history: set.History, settle: set.Settle,
		fitOffset: set.FitOffset,
		steps:     set.Steps(), contract: set.Contract, location: set.Location.String(),
		peaks: in.Peaks.Version, calendars: in.Calendars.Version, daysFrom: daysFrom.Unix(),
	}
	key.half = set.AtMost > 0
	if len(set.Periods) > 0 {
		key.periods = fmt.Sprint(set.Periods)
	}
	if len(in.Compare) > 0 {
		key.compare = fmt.Sprint(in.Compare)
	}
	return key
}

// week is the unit of dayRange.
const week = 7 * 24 * time.Hour

// dayRange is the time whose calendar days the model knows: history and horizon around the end of
// the series, widened to whole weeks. So the days stay the same for a week, and the model need not
// be made from scratch.
func dayRange(set Settings, end time.Time) (from, to time.Time) {
	if len(set.Calendars) == 0 {
		return time.Time{}, time.Time{}
	}
	return end.Add(-set.History).Truncate(week), end.Add(set.Horizon).Truncate(week).Add(2 * week)
}

// Days lists the named days of the calendars in [from, to).
func (c Calendars) Days(location *time.Location, from, to time.Time) []forecaster.Day {
	var days []forecaster.Day
	for _, calendar := range c.Named {
		for _, d := range calendar.Days(location, from, to) {
			days = append(days, forecaster.Day{Name: d.Name, Start: d.Start, End: d.End})
		}
	}
	return days
}

// Settled leaves out missing values at the end of a series that may still arrive.
func Settled(s forecaster.Series) forecaster.Series {
	n := len(s.Values)
	for n > 0 && len(s.Values)-n < lateSteps && math.IsNaN(s.Values[n-1]) {
		n--
	}
	if n > 0 && math.IsNaN(s.Values[n-1]) {
		n = len(s.Values) // Too many are missing for late values: this is a gap.
	}
	s.Values = s.Values[:n]
	return s
}

func tail(s forecaster.Series, from int) forecaster.Series {
	return forecaster.Series{Start: s.Start.Add(time.Duration(from) * s.Step), Step: s.Step, Values: s.Values[from:]}
}

// Observation is the newest known demand.
type Observation struct {
	// Value in the unit of demand; NaN when it is not known.
	Value float64
	// At is the end of its step.
	At time.Time
}

// withoutAbsurd returns a series with gaps in place of absurd values, see [forecaster.Absurd].
func withoutAbsurd(s forecaster.Series) forecaster.Series {
	absurd := forecaster.Absurd(s.Step, s.Values)
	if len(absurd) == 0 {
		return s
	}
	s.Values = slices.Clone(s.Values)
	for _, i := range absurd {
		s.Values[i] = math.NaN()
	}
	return s
}

// Newest returns the newest known value of a series, without absurd values.
func Newest(s *forecaster.Series) Observation {
	if s == nil {
		return Observation{Value: math.NaN()}
	}
	newest := newestOf(*s)
	if math.IsNaN(newest.Value) || forecaster.Plain(s.Step, s.Values) {
		return newest // and save the search for absurd values in all of the series
	}
	return newestOf(withoutAbsurd(*s))
}

func newestOf(s forecaster.Series) Observation {
	for i, v := range slices.Backward(s.Values) {
		if !math.IsNaN(v) {
			return Observation{v, s.Start.Add(time.Duration(i+1) * s.Step)}
		}
	}
	return Observation{Value: math.NaN()}
}
