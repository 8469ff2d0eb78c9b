package gpuwarm

import (
	"slices"
	"sort"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
)

const (
	// MaxRecords is how many finished or ended starts a Learner keeps.
	MaxRecords = 64
	// maxOngoing is how many ongoing starts it keeps beside those.
	maxOngoing = 256
	// podIDSize is how many characters of a pod's UID are kept.
	podIDSize = 8
)

// The outcomes of a start in status.
const (
	ready      = "Ready"
	unfinished = "Unfinished"
)

// record is what a Learner keeps of one start.
type record struct {
	pod         string // the first characters of its UID
	created     time.Time
	lasted      time.Duration // until Ready, or as long as it was seen
	ready       bool
	ongoing     bool      // in the cluster, and not Ready
	seenOngoing time.Time // when it was last seen ongoing; zero when that was before a restart
	path        Path
	key         string
	failure     string
	nodeWait    time.Duration // until a new node was Ready; 0 when it did not need one
	pull        time.Duration // of the image; 0 when it was not pulled
}

func restoreRecord(r v1alpha1.StartRecord) *record {
	return &record{
		pod:      r.Pod,
		created:  r.Created.Time,
		lasted:   time.Duration(max(0, r.WarmUpSeconds)) * time.Second,
		ready:    r.Outcome == ready,
		path:     Path(r.Path),
		key:      r.Key,
		nodeWait: time.Duration(max(0, r.NodeSeconds)) * time.Second,
		pull:     time.Duration(max(0, r.PullSeconds)) * time.Second,
	}
}

func (r *record) status() v1alpha1.StartRecord {
	outcome := unfinished
	if r.ready {
		outcome = ready
	}
	return v1alpha1.StartRecord{
		Pod: r.pod, Created: metav1.NewTime(r.created.UTC()), Outcome: outcome, Path: string(r.path), Key: r.key,
		WarmUpSeconds: wholeSeconds(r.lasted), NodeSeconds: wholeSeconds(r.nodeWait), PullSeconds: wholeSeconds(r.pull),
	}
}

func wholeSeconds(d time.Duration) int32 { return int32(min(d/time.Second, 1<<30)) }

// correctClock limits a time of the node's clock to what is possible: not after now, and not before
// the pod was seen ongoing. r may be nil.
func (r *record) correctClock(at, now time.Time) time.Time {
	if at.After(now) {
		at = now // the node's clock is ahead
	}
	if r != nil && !r.seenOngoing.IsZero() && at.Before(r.seenOngoing.Add(-watchLag)) {
		at = r.seenOngoing // the node's clock is behind
	}
	return at
}

// Records returns the newest starts, oldest first, at most 64. They are all that [Restore] needs.
// When there are more, the newest ongoing ones are left out: they will be seen again.
func (l *Learner) Records() []v1alpha1.StartRecord {
	left := MaxRecords // for ongoing starts
	for _, r := range l.records {
		if !r.ongoing {
			left--
		}
	}
	out := make([]v1alpha1.StartRecord, 0, min(len(l.records), MaxRecords))
	for _, r := range l.records {
		if r.ongoing {
			left--
			if left < 0 {
				continue
			}
		}
		out = append(out, r.status())
	}
	return out
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
	l.records = slices.Insert(l.records, i, r)
}

// trim keeps the newest starts that are over, and up to maxOngoing ongoing ones. Of pods that were
// created together, those that are still ongoing are the slow ones; without them only the fast ones
// would count. When there are too many, it drops from the middle: the oldest say most about how
// long a start takes, and the newest whether starts fail now.
func (l *Learner) trim() {
	ongoing := 0
	for _, r := range l.records {
		if r.ongoing {
			ongoing++
		}
	}
	over, skip, drop := len(l.records)-ongoing-MaxRecords, maxOngoing/2, ongoing-maxOngoing
	if over <= 0 && drop <= 0 {
		return
	}
	l.records = slices.DeleteFunc(l.records, func(r *record) bool {
		if !r.ongoing {
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
