package gpuwarm

import (
	"slices"
	"sort"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
)

const (
	// DefaultWarmUp is assumed until starts were seen, where nobody configured anything.
	DefaultWarmUp = 5 * time.Minute
	// DefaultMax is the longest warm-up that is believed, unless configured.
	DefaultMax = 30 * time.Minute
	// DefaultPercentile of the warm-ups is covered, unless configured.
	DefaultPercentile = 90
	// LearnedStarts is how many starts must have finished until a lead is called Learned. From here on they weigh more than
	// what was assumed.
	LearnedStarts = 3
	// MaxRecords is how many starts that are over a Learner keeps.
	MaxRecords = 64

	maxOngoing = 256              // of those that go on
	watchLag   = 10 * time.Second // by which a watched pod's status may be older than the look at it
	podIDSize  = 8
	ready      = "Ready"
	unfinished = "Unfinished"
)

// LearnerOptions say how a warm-up is learned. The zero value of each field means its default.
type LearnerOptions struct {
	// Percentile of the warm-ups that the lead covers, from 1 to 99; 90 by default.
	Percentile float64
	// Default is the warm-up that is assumed until enough starts were seen; 5 minutes by default.
	Default time.Duration
	// DefaultConfigured is whether Default is a user's word, which is what the source then says.
	DefaultConfigured bool
	// Max is the longest warm-up that is believed; 30 minutes by default.
	Max time.Duration
}

// withDefaults fills in what is not set and holds the rest to what is possible.
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

// Learner learns the warm-up of one service. It is not safe for concurrent use.
type Learner struct {
	opts    LearnerOptions
	records []*record // oldest first
	next    Path
	pool    prior
}

type prior struct {
	warmUp time.Duration
	starts int
}

type record struct {
	pod     string
	created time.Time
	lasted  time.Duration
	ready   bool
	live    bool      // seen in the cluster and still going on
	watched time.Time // when it was last seen going on; zero where that was before a restart
	path    Path
	key     string
	failure string
	node    time.Duration // it waited for a node to come up
	pull    time.Duration // of the image
}

// NewLearner returns a Learner that has seen nothing.
func NewLearner(opts LearnerOptions) *Learner {
	return &Learner{opts: opts.withDefaults()}
}

// Restore returns a Learner that knows what another one's [Learner.Records] say.
func Restore(opts LearnerOptions, records []v1alpha1.StartRecord) *Learner {
	l := NewLearner(opts)
	for _, r := range records {
		l.insert(&record{
			pod:     r.Pod,
			created: r.Created.Time,
			lasted:  time.Duration(max(0, r.WarmUpSeconds)) * time.Second,
			ready:   r.Outcome == ready,
			path:    Path(r.Path),
			key:     r.Key,
			node:    time.Duration(max(0, r.NodeSeconds)) * time.Second,
			pull:    time.Duration(max(0, r.PullSeconds)) * time.Second,
		})
	}
	l.trim()
	return l
}

// SetOptions changes how the lead is read from what was seen.
func (l *Learner) SetOptions(opts LearnerOptions) { l.opts = opts.withDefaults() }

// SetNext says which path the next pod would take, as things are warm now. Unless it is set, and again with PathUnknown, the next pod is
// taken to be like the recent ones.
func (l *Learner) SetNext(p Path) { l.next = p }

// SetPool says what the other services of the node pool take, and from how many starts that is known. It is what a service with few starts of
// its own is likened to; below ten starts the configured value has its part in it.
func (l *Learner) SetPool(warmUp time.Duration, starts int) { l.pool = prior{warmUp, starts} }

// Records are the newest starts, oldest first, at most 64: all that a Learner needs to be restored. Where there is no room for all that
// go on the newest of them are left out; they will be seen again.
func (l *Learner) Records() []v1alpha1.StartRecord {
	room := MaxRecords
	for _, r := range l.records {
		if !r.live {
			room--
		}
	}
	out := make([]v1alpha1.StartRecord, 0, min(len(l.records), MaxRecords))
	for _, r := range l.records {
		if r.live {
			room--
			if room < 0 {
				continue
			}
		}
		out = append(out, r.status())
	}
	return out
}

func (r *record) status() v1alpha1.StartRecord {
	outcome := unfinished
	if r.ready {
		outcome = ready
	}
	return v1alpha1.StartRecord{
		Pod: r.pod, Created: metav1.NewTime(r.created.UTC()), WarmUpSeconds: int32(min(r.lasted/time.Second, 1<<30)),
		Outcome: outcome, Path: string(r.path), Key: r.key, NodeSeconds: int32(min(r.node/time.Second, 1<<30)), PullSeconds: int32(min(r.pull/time.Second, 1<<30)),
	}
}

// Sync records all starts of the service that there are at now. A start that was going on and is not among them has ended. It returns
// the starts that became Ready since they were watched, each once in the Learner's life, for those who keep count.
func (l *Learner) Sync(now time.Time, starts []Start) []Start {
	here := make(map[string]bool, len(starts))
	var finished []Start
	for _, s := range starts {
		here[podID(s.Pod)] = true
		if l.Record(now, s) {
			finished = append(finished, s)
		}
	}
	for _, r := range l.records {
		if r.live && !here[r.pod] {
			r.live = false
		}
	}
	l.trim()
	return finished
}

// Record takes note of a start as it is at now. It may be called any number of times for the same pod: the first transition to Ready
// counts and later ones do not, even after a restart. It reports whether this call saw that first transition.
//
// A pod that is Ready when it is seen for the first time has a Ready condition of unknown age: it may have flapped. It is believed if
// no container was restarted and the condition is no older than the longest warm-up that is believed; else the pod is passed over, as is one
// that had been Ready before it was first seen.
func (l *Learner) Record(now time.Time, s Start) bool {
	if s.Pod == "" || s.Created.IsZero() {
		return false
	}
	r := l.find(podID(s.Pod))
	if r != nil && r.ready {
		return false
	}
	watched := r != nil && !r.watched.IsZero()
	at := firstReady(s, watched)
	if at.IsZero() {
		if watched || s.Unready.IsZero() { // else it was Ready, nobody knows since when
			l.ongoing(now, s, r)
		}
		return false
	}
	took := max(0, r.within(at, now).Sub(s.Created))
	if !watched && (s.Restarts > 0 || took > l.opts.Max) {
		if r != nil {
			r.live = false
		}
		return false
	}
	if r == nil {
		r = &record{pod: podID(s.Pod), created: s.Created}
		l.insert(r)
	}
	r.ready, r.live, r.failure, r.lasted = true, false, "", took
	r.path, r.key = s.Path, s.Key.String()
	r.node, r.pull = s.stages()
	l.trim()
	return true
}

// firstReady is when a start became Ready, as its conditions say; zero where they do not.
func firstReady(s Start, watched bool) time.Time {
	if s.Ready.IsZero() && watched {
		return s.Unready // Ready and gone again between two looks
	}
	return s.Ready
}

// within moves a time of the node's into what is possible: not after now, and not before the pod was seen to be not Ready yet. r may be nil.
func (r *record) within(at, now time.Time) time.Time {
	if at.After(now) {
		at = now // the node's clock is ahead
	}
	if r != nil && !r.watched.IsZero() && at.Before(r.watched.Add(-watchLag)) {
		at = r.watched // the node's clock is behind
	}
	return at
}

// ongoing takes note of a start that is not Ready.
func (l *Learner) ongoing(now time.Time, s Start, r *record) {
	if r == nil {
		r = &record{pod: podID(s.Pod), created: s.Created}
		l.insert(r)
	}
	end := now
	if !s.Ended.IsZero() && s.Ended.Before(now) {
		end = s.Ended
	}
	r.live = s.Ended.IsZero()
	r.watched = now
	r.lasted = max(r.lasted, end.Sub(s.Created))
	r.failure = s.Failure
	if s.Path != PathUnknown {
		r.path = s.Path
	}
	r.key = s.Key.String()
	l.trim()
}

// Knows is whether a pod's start is known, so that nothing more about it need be asked. The pod is given by its UID.
func (l *Learner) Knows(uid string) bool {
	r := l.find(podID(uid))
	return r != nil && r.ready
}

// Place is where the newest start was, as the second half of a [Key] has it; empty where none is known.
func (l *Learner) Place() string {
	for _, r := range slices.Backward(l.records) {
		if _, place, ok := strings.Cut(r.key, "-"); ok {
			return place
		}
	}
	return ""
}

func (l *Learner) find(id string) *record {
	for _, r := range l.records {
		if r.pod == id {
			return r
		}
	}
	return nil
}

func (l *Learner) insert(r *record) {
	i := sort.Search(len(l.records), func(i int) bool {
		o := l.records[i]
		return o.created.After(r.created) || (o.created.Equal(r.created) && o.pod >= r.pod)
	})
	l.records = append(l.records, nil)
	copy(l.records[i+1:], l.records[i:])
	l.records[i] = r
}

// trim keeps the newest starts that are over, and all that go on: those created together with the newest and not Ready yet are the slow
// ones, and without them the fast ones would be all that is known. Where very many go on it drops some from the middle: the oldest tell most
// of how long a start takes, the newest whether starts fail now.
func (l *Learner) trim() {
	going := 0
	for _, r := range l.records {
		if r.live {
			going++
		}
	}
	over, skip, drop := len(l.records)-going-MaxRecords, maxOngoing/2, going-maxOngoing
	if over <= 0 && drop <= 0 {
		return
	}
	l.records = slices.DeleteFunc(l.records, func(r *record) bool {
		if !r.live {
			over--
			return over >= 0
		}
		skip--
		if skip >= 0 {
			return false
		}
		drop--
		return drop >= 0
	})
}

func podID(uid string) string {
	return uid[:min(len(uid), podIDSize)]
}
