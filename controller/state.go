package controller

import (
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/evidence"
	"headstart.dev/headstart/controller/reads"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/forecaster/accuracy"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/internal/memory"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
)

// selectorAge is how long the pod selector of a target is used before its scale is read again.
const selectorAge = 5 * time.Minute

// forecastState is what the owner of a Forecast keeps in memory for it. All of it can be restored
// from Prometheus and status.
type forecastState struct {
	uid types.UID

	readerKey   string
	reader      reads.SeriesReader
	nextRead    time.Time
	requestedAt time.Time // When the newest read was requested.
	series      history.Series
	notes       history.Notes // About the series and the last read.
	readErr     error
	hasRead     bool

	level memory.Level // What the newest evaluation goes without,
	use   memory.Use   // and why.

	learner  *gpuwarm.Learner
	evidence *evidence.Learner // Of the capacity; nil where it is not learned.

	candidate    *candidate // Other weights of the terms; nil without.
	reweighAfter time.Time  // When to look for some again.
	before       string     // The version of the Forecast before its weights changed to these.

	tracker  *accuracy.Tracker
	promised time.Time // The newest step that recordPromises has handled.

	selector    labels.Selector
	selectorKey string
	selectorAt  time.Time
	selectorErr *targetError // Why there is none; nil where there is, or nothing is known.
	retries     int          // How often in a row that was so.

	// step is what one step of the planner leaves to the next one.
	step planner.State
	// published is step.Published as it is in status.
	published *v1alpha1.Plan
}

// adopt makes the plan in status the published one, whoever wrote or removed it. Plans are compared
// by their values, since two plans can have the same ComputedAt, which is in seconds.
func (s *forecastState) adopt(published *v1alpha1.Plan) {
	if published != nil && s.published != nil && equality.Semantic.DeepEqual(s.published, published) {
		return
	}
	s.published = published.DeepCopy()
	s.decode()
}

// decode makes the published plan known to the planner, for the time of an evaluation. A plan takes
// four times the memory when it is decoded.
func (s *forecastState) decode() {
	s.step.Published = nil
	if s.published == nil {
		return
	}
	if decoded, err := plan.Decode(*s.published); err == nil {
		s.step.Published = &decoded
	}
}

// waitUntil returns until when to wait for the newest read. After that the Forecast is evaluated
// without its result.
func (s *forecastState) waitUntil(set planner.Settings) time.Time {
	return s.requestedAt.Add(min(set.Step, maxReadWait))
}

// record stores the result of a read. After an error the old series stays.
func (s *forecastState) record(r reads.Result) {
	s.readErr, s.notes = r.Err, r.Notes
	if r.Err == nil {
		s.series, s.hasRead = r.Series, true
	}
}

// known returns the series for the planner; nil when none was read yet.
func (s *forecastState) known() *forecaster.Series {
	if !s.hasRead {
		return nil
	}
	series := forecaster.Series(s.series)
	return &series
}

// learn returns the learner for these settings. A process that has none yet restores it from
// status.
func (s *forecastState) learn(set planner.Settings, status *v1alpha1.LeadTimeStatus) *gpuwarm.Learner {
	opts := LearnerOptions(set)
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
