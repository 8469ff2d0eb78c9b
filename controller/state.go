package controller

import (
	"fmt"
	"math"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/forecaster/accuracy"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/scheduler"
)

// selectorAge is how long a target's pod selector is believed before its scale is asked again.
const selectorAge = 5 * time.Minute

// lateSteps is for how many of the newest steps a missing value may still come in late; they are not fed to the model before.
const lateSteps = 5

// forecastState is what the leader keeps in memory for one Forecast. All of it can be had again from Prometheus and status.
type forecastState struct {
	uid types.UID

	readerKey string
	reader    seriesReader
	nextRead  time.Time
	askedAt   time.Time // when the newest read was asked for
	series    history.Series
	readErr   error
	hasRead   bool

	modelKey string
	model    *forecaster.Forecaster
	modelErr error

	learner *gpuwarm.Learner

	tracker  *accuracy.Tracker
	promised time.Time // the newest step whose promise was noted, or that had none

	selector    labels.Selector
	selectorKey string
	selectorAt  time.Time

	publisher *planner.Publisher
	plan      *plan.Plan  // the one in status
	published *v1alpha1.Plan // the same as it stands there
}

// adopt takes the plan in status for the published one, whoever wrote it or took it out. Two plans of the same second are told apart by
// what they say.
func (s *forecastState) adopt(published *v1alpha1.Plan) {
	if published != nil && s.published != nil && equality.Semantic.DeepEqual(s.published, published) {
		return
	}
	s.plan, s.published = nil, published.DeepCopy()
	if published == nil {
		return
	}
	if plan, err := plan.Decode(*published); err == nil {
		s.plan = &plan
	}
}

// patience is until when the newest read is waited for, and nothing is evaluated without it.
func (s *forecastState) patience(set settings) time.Time {
	return s.askedAt.Add(min(set.step, maxPatience))
}

// take stores what a read came to; an error keeps the series that is there.
func (s *forecastState) take(r result) {
	s.readErr = r.err
	if r.err == nil {
		s.series, s.hasRead = r.series, true
	}
}

// advance brings the model up to the series: by an update where it only grew, from scratch where anything else changed.
func (s *forecastState) advance(set settings, lead int, days []forecaster.Day, ps peaks, daysKey string) {
	known := settled(s.series)
	key := fmt.Sprintf("%s|%v|%s|%v|%s|%s|%d", s.readerKey, set.contract, set.location, set.periods, daysKey, ps.key, set.horizon/set.step)
	if s.model != nil && s.modelKey == key && s.modelErr == nil {
		if fed := int(s.model.Origin().Sub(known.Start) / known.Step); fed >= 0 && fed <= len(known.Values) {
			fresh := withoutPeaks(tail(known, fed), ps.schedules)
			if s.modelErr = s.model.Update(fresh.Values...); s.modelErr == nil {
				s.modelErr = s.model.SetLead(lead)
			}
			return
		}
	}
	s.modelKey = key
	s.model, s.modelErr = forecaster.New(forecaster.Options{
		Step: set.step, Lead: lead, Horizon: int(set.horizon / set.step), Contract: set.contract,
		Location: set.location, Periods: set.periods, Days: days, MaxHistory: int(set.history / set.step),
	})
	if s.modelErr == nil {
		s.modelErr = s.model.Start(forecaster.Series(withoutPeaks(known, ps.schedules)))
	}
}

// settled leaves out missing values at the very end that may still come in.
func settled(s history.Series) history.Series {
	n := len(s.Values)
	for n > 0 && len(s.Values)-n < lateSteps && math.IsNaN(s.Values[n-1]) {
		n--
	}
	if n > 0 && math.IsNaN(s.Values[n-1]) {
		n = len(s.Values) // missing for longer than anything comes in late: a gap
	}
	s.Values = s.Values[:n]
	return s
}

func tail(s history.Series, from int) history.Series {
	return history.Series{Start: s.Start.Add(time.Duration(from) * s.Step), Step: s.Step, Values: s.Values[from:]}
}

// withoutPeaks is the demand as it would have been without the declared peaks, for the models to learn from.
func withoutPeaks(s history.Series, schedules []*scheduler.Schedule) history.Series {
	if len(schedules) == 0 {
		return s
	}
	s.Values = scheduler.Baseline(schedules, s.Start, s.Step, s.Values)
	return s
}

// last is the newest known value of a series.
func last(s history.Series) (float64, time.Time, bool) {
	for i, v := range slices.Backward(s.Values) {
		if !math.IsNaN(v) {
			return v, s.Start.Add(time.Duration(i+1) * s.Step), true
		}
	}
	return math.NaN(), time.Time{}, false
}

// learn returns the learner for these settings, restored from status where this process does not have it yet.
func (s *forecastState) learn(set settings, status *v1alpha1.LeadTimeStatus) *gpuwarm.Learner {
	opts := gpuwarm.LearnerOptions{Percentile: set.lead.percentile, Default: set.lead.fallback, Max: set.lead.max, DefaultConfigured: set.lead.configured}
	switch {
	case s.learner != nil:
		s.learner.SetOptions(opts)
	case status != nil:
		s.learner = gpuwarm.Restore(opts, status.RecentStarts)
	default:
		s.learner = gpuwarm.NewLearner(opts)
	}
	return s.learner
}
