package forecaster

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"headstart.dev/headstart/forecaster/internal/calendar"
	"headstart.dev/headstart/forecaster/internal/demand"
	"headstart.dev/headstart/forecaster/internal/global"
	"headstart.dev/headstart/forecaster/internal/past"
)

// DefaultMaxHistory is how many steps a fit looks back on by default: 28 days of minutes.
const DefaultMaxHistory = 40320

// MaxLead is the longest lead that [Options] may have, in steps: a week of minutes, as many as the
// longest horizon of a Forecast. The time of an Outlook grows with the lead times the steps that it
// reaches, and the memory of a Forecaster with the lead.
const MaxLead = 10_080

// A Contract says what the served demand is held to. Exactly one of its fields is above zero.
type Contract struct {
	// ServiceLevel is the probability, between 0 and 1, that the served demand covers the whole
	// lead window.
	ServiceLevel float64
	// ShortageCost is how many times the cost of serving a unit of demand it costs not to serve it;
	// above 1. At cost k the best policy leaves one step in k short.
	ShortageCost float64
}

// A Day is a named calendar day: the instants of its midnight and of the next one, in the zone of
// the calendar. Days of the same name are alike: what one did to demand is expected of the next.
type Day struct {
	Name       string
	Start, End time.Time
}

// Options configure a Forecaster. The zero value of a field means its default, if it has one.
type Options struct {
	Step       time.Duration   // resolution of the series; required
	Lead       int             // S, in steps: a decision at step t covers the steps t … t+S
	Horizon    int             // steps ahead that an Outlook must reach; default 1
	Contract   Contract        // required
	Location   *time.Location  // whose wall clock days and weeks follow; nil is UTC
	Periods    []time.Duration // seasons; nil detects them
	Days       []Day           // named days, past and to come
	MaxHistory int             // steps that a fit looks back on; default DefaultMaxHistory

	// FitOffset moves the instants of regular fits, in whole seconds; see [FitInterval]. With different
	// offsets, many series are not all fitted at once.
	FitOffset time.Duration

	// Compare are contracts of the same kind as Contract, for [Forecaster.Compared]. Candidates are
	// fitted for Contract alone. What the others decide from the candidates' estimates is learned for
	// each: this takes a small part of the time of a fit. It does not change what Contract decides.
	Compare []Contract

	// Half also estimates what covers lead windows as often as not, see [Outlook]. It needs a
	// service level, and changes nothing about what Contract decides. It takes as long again as a
	// fit.
	Half bool

	// Global is the global model; nil is the one that is shipped. Measurements set it to a model that
	// has not seen the series.
	Global *global.Model

	lean    bool     // see Thrift.FewerModels
	without []string // parts and candidates that an ablation leaves out, by name
}

// half is the contract of [Outlook.Half].
func half() Contract { return Contract{ServiceLevel: 0.5} }

// others returns the contracts that are decided beside the one that is served.
func (o Options) others() []Contract {
	if !o.Half {
		return o.Compare
	}
	return append(slices.Clone(o.Compare), half())
}

// has reports whether a part is not left out.
func (o Options) has(part string) bool { return !slices.Contains(o.without, part) }

// calendarDays returns the named days as package calendar has them.
func (o Options) calendarDays() []calendar.Day {
	days := make([]calendar.Day, len(o.Days))
	for i, d := range o.Days {
		days[i] = calendar.Day(d)
	}
	return days
}

// reading returns how demand is read.
func (o Options) reading() past.Options {
	return past.Options{
		Step: o.Step, Location: o.Location, Lead: o.Lead, Days: o.calendarDays(), NoShifts: !o.has(partShifts),
	}
}

func (o Options) withDefaults() Options {
	if o.Horizon == 0 {
		o.Horizon = 1
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.MaxHistory == 0 {
		o.MaxHistory = DefaultMaxHistory
	}
	if o.Step > 0 {
		o.MaxHistory = min(o.MaxHistory, int(demand.MaxSpan/o.Step))
	}
	return o
}

func (o Options) validate() error {
	if err := validateStep(o.Step); err != nil {
		return err
	}
	if o.Lead < 0 || o.Lead > MaxLead {
		return fmt.Errorf("lead of %d steps: must be between 0 and %d", o.Lead, MaxLead)
	}
	if o.FitOffset < 0 || o.FitOffset > week {
		return fmt.Errorf("fit offset of %s: must be between 0 and a week", o.FitOffset)
	}
	if o.Horizon < 0 {
		return fmt.Errorf("horizon of %d steps: must not be negative", o.Horizon)
	}
	if o.MaxHistory < 0 {
		return fmt.Errorf("history of %d steps: must not be negative", o.MaxHistory)
	}
	for _, p := range o.Periods {
		if p < 2*o.Step {
			return fmt.Errorf("period %s: must be at least two steps of %s", p, o.Step)
		}
	}
	for _, d := range o.Days {
		if !d.End.After(d.Start) {
			return fmt.Errorf("day %q: must end after it starts", d.Name)
		}
	}
	for _, c := range o.others() {
		if err := c.validate(); err != nil {
			return err
		}
		if (c.ShortageCost > 0) != (o.Contract.ShortageCost > 0) {
			return errors.New("contracts to compare: a service level and a shortage cost have no candidates in common")
		}
	}
	return o.Contract.validate()
}

func (c Contract) validate() error {
	switch {
	case c.ServiceLevel != 0 && c.ShortageCost != 0:
		return errors.New("contract: set either a service level or a shortage cost, not both")
	case c.ServiceLevel == 0 && c.ShortageCost == 0:
		return errors.New("contract: set a service level or a shortage cost")
	case c.ShortageCost != 0 && !(c.ShortageCost > 1 && c.ShortageCost <= 1e6):
		return fmt.Errorf("contract: shortage cost %g must be above 1 and at most 1e6", c.ShortageCost)
	case c.ShortageCost == 0 && !(c.ServiceLevel > 0 && c.ServiceLevel < 1):
		return fmt.Errorf("contract: service level %g must be between 0 and 1", c.ServiceLevel)
	}
	return nil
}
