package gpuwarm

import (
	"slices"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

const (
	// DefaultWarmUp is the warm-up that is assumed without starts and without configuration.
	DefaultWarmUp = 5 * time.Minute
	// DefaultMax is the default of LearnerOptions.Max.
	DefaultMax = 30 * time.Minute
	// DefaultPercentile is the default of LearnerOptions.Percentile.
	DefaultPercentile = 90
	// LearnedStarts is how many finished starts make a lead Learned. From here on they weigh more
	// than the prior.
	LearnedStarts = 3

	// watchLag is how much older than the observation a watched pod's status may be.
	watchLag = 10 * time.Second
)

// LearnerOptions configure a [Learner]. The zero value of each field means its default.
type LearnerOptions struct {
	// Percentile of the warm-ups that the lead covers, from 1 to 99; 90 by default.
	Percentile float64
	// Default is the warm-up to assume until there are enough starts; 5 minutes by default.
	Default time.Duration
	// DefaultConfigured is true when a user configured Default. Lead.Source then is Configured.
	DefaultConfigured bool
	// Max is the longest warm-up to believe; 30 minutes by default.
	Max time.Duration
}

// withDefaults returns the options with defaults for zero values, and within their limits.
func (o LearnerOptions) withDefaults() LearnerOptions {
	if o.Percentile == 0 {
		o.Percentile = DefaultPercentile
	}
	o.Percentile = min(max(o.Percentile, 1), 99)
	if o.Max <= 0 {
		o.Max = DefaultMax
	}
	if o.Default <= 0 {
		o.Default, o.DefaultConfigured = DefaultWarmUp, false
	}
	o.Default = min(o.Default, o.Max)
	return o
}

// Learner learns the warm-up of one service from its starts. It is not safe for concurrent use.
type Learner struct {
	opts    LearnerOptions
	records []*record // oldest first
	next    Path
	pool    poolWarmUp
}

// poolWarmUp is the warm-up of the other services on the node pool.
type poolWarmUp struct {
	warmUp time.Duration
	starts int // that it was learned from
}

// NewLearner returns a Learner without starts.
func NewLearner(opts LearnerOptions) *Learner {
	return &Learner{opts: opts.withDefaults()}
}

// Restore returns a Learner with the [Learner.Records] of another one.
func Restore(opts LearnerOptions, records []v1alpha1.StartRecord) *Learner {
	l := NewLearner(opts)
	for _, r := range records {
		l.insert(restoreRecord(r))
	}
	l.trim()
	return l
}

// SetOptions changes the options. The records stay.
func (l *Learner) SetOptions(opts LearnerOptions) { l.opts = opts.withDefaults() }

// SetNext sets the path that the next pod would take now. With PathUnknown, as at first, the lead
// is that of a mixture of paths like the recent one.
func (l *Learner) SetNext(p Path) { l.next = p }

// SetPool sets the warm-up of the other services on the node pool, and from how many starts it was
// learned; see [PoolWarmUps]. It is the prior of a service with few starts of its own. Below ten
// starts the prior is shrunk towards the default. It is never below a default that is configured.
func (l *Learner) SetPool(warmUp time.Duration, starts int) { l.pool = poolWarmUp{warmUp, starts} }

// Sync records all current starts of the service. A start that was going on and is not among them
// has ended. Sync returns the starts that became Ready since they were first seen, for metrics.
// Each is returned once in the Learner's life.
func (l *Learner) Sync(now time.Time, starts []Start) []Start {
	current := make(map[string]bool, len(starts))
	var finished []Start
	for _, s := range starts {
		current[podID(s.Pod)] = true
		if l.Record(now, s) {
			finished = append(finished, s)
		}
	}
	for _, r := range l.records {
		if r.ongoing && !current[r.pod] {
			r.ongoing = false
		}
	}
	l.trim()
	return finished
}

// Record records a start as it is at now. It may be called any number of times for the same pod.
// The first transition to Ready counts; later ones do not, even after a restart of Headstart.
// Record reports whether this call saw that first transition.
//
// A pod that is already Ready when it is first seen may have been Ready before, and its condition
// has the time of the last transition only. It counts when no container was restarted and the
// warm-up is not longer than LearnerOptions.Max. Otherwise it is ignored, and so is a pod that is
// not Ready but was Ready before it was first seen.
func (l *Learner) Record(now time.Time, s Start) bool {
	if s.Pod == "" || s.Created.IsZero() {
		return false
	}
	r := l.find(podID(s.Pod))
	if r != nil && r.ready {
		return false
	}
	watched := r != nil && !r.seenOngoing.IsZero()
	at := firstReady(s, watched)
	if at.IsZero() {
		if watched || s.Unready.IsZero() { // otherwise it was Ready at an unknown time
			l.recordOngoing(now, s, r)
		}
		return false
	}
	took := max(0, r.correctClock(at, now).Sub(s.Created))
	if !watched && (s.Restarts > 0 || took > l.opts.Max) {
		if r != nil {
			r.ongoing = false
		}
		return false
	}
	if r == nil {
		r = &record{pod: podID(s.Pod), created: s.Created}
		l.insert(r)
	}
	r.ready, r.ongoing, r.failure, r.lasted = true, false, "", took
	r.path, r.key = s.Path, s.Key.String()
	r.nodeWait, r.pull = s.stages()
	l.trim()
	return true
}

// firstReady is when a start first became Ready; zero when it did not, or the time is unknown.
func firstReady(s Start, watched bool) time.Time {
	if s.Ready.IsZero() && watched {
		return s.Unready // it became Ready and unready between two observations
	}
	return s.Ready
}

// recordOngoing records a start that is not Ready. r is its record, nil when there is none yet.
func (l *Learner) recordOngoing(now time.Time, s Start, r *record) {
	if r == nil {
		r = &record{pod: podID(s.Pod), created: s.Created}
		l.insert(r)
	}
	end := now
	if !s.Ended.IsZero() && s.Ended.Before(now) {
		end = s.Ended
	}
	r.ongoing = s.Ended.IsZero()
	r.seenOngoing = now
	r.lasted = max(r.lasted, end.Sub(s.Created))
	r.failure = s.Failure
	if s.Path != PathUnknown {
		r.path = s.Path
	}
	r.key = s.Key.String()
	l.trim()
}

// Knows reports whether the start of a pod, given by its UID, is recorded as Ready. Nothing more
// needs to be read about it then.
func (l *Learner) Knows(uid string) bool {
	r := l.find(podID(uid))
	return r != nil && r.ready
}

// NodePool is the node pool of the newest start with a known one: the second half of its [Key]. It
// is empty when there is none.
func (l *Learner) NodePool() string {
	for _, r := range slices.Backward(l.records) {
		if pool := poolOf(r.key); pool != "" {
			return pool
		}
	}
	return ""
}

// poolOf returns the node pool of the text of a [Key]; "" where it has none.
func poolOf(key string) string {
	_, pool, _ := strings.Cut(key, "-")
	return pool
}
