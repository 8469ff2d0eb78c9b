package fairqueue

import (
	"cmp"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// rememberedHalfLives is how long a namespace that uses nothing counts as present, in half-lives.
// After so many, less than a thousandth of its use is left.
const rememberedHalfLives = 10

// shares decides which item is next. It has neither a clock nor a lock of its own.
type shares struct {
	workers    int
	halfLife   time.Duration
	namespaces map[string]*share
	waiting    int
	picks      int64 // so far; orders namespaces that have used the same
}

// share is what one namespace waits for and has used.
type share struct {
	waiting  []types.NamespacedName // the next first
	active   map[types.NamespacedName]time.Time
	used     float64 // seconds of worker time, with decay, at usedAt
	usedAt   time.Time
	lastPick int64
}

func newShares(workers int, halfLife time.Duration) *shares {
	return &shares{workers: workers, halfLife: halfLife, namespaces: map[string]*share{}}
}

// add puts an item behind those of its namespace.
func (s *shares) add(item types.NamespacedName, now time.Time) {
	n, ok := s.namespaces[item.Namespace]
	if !ok {
		n = &share{active: map[types.NamespacedName]time.Time{}, usedAt: now}
		s.namespaces[item.Namespace] = n
	}
	n.waiting = append(n.waiting, item)
	s.waiting++
}

// pick takes the next item of the namespace that has used the least worker time lately, and is
// below its bound. It reports whether there is one. Call done when the work on it has ended.
func (s *shares) pick(now time.Time) (item types.NamespacedName, ok bool) {
	s.forgetIdle(now)
	var (
		best     *share
		bestUsed float64
		most     = s.most()
	)
	for _, n := range s.namespaces {
		if len(n.waiting) == 0 || len(n.active) >= most {
			continue
		}
		used := n.usedBy(now, s.halfLife)
		if best == nil || cmp.Or(cmp.Compare(used, bestUsed), cmp.Compare(n.lastPick, best.lastPick)) < 0 {
			best, bestUsed = n, used
		}
	}
	if best == nil {
		return item, false
	}
	item, best.waiting = best.waiting[0], best.waiting[1:]
	best.active[item] = now
	s.waiting--
	s.picks++
	best.lastPick = s.picks
	return item, true
}

// most is how many workers one namespace can have. One alone leaves a worker free, so that a
// namespace that comes does not wait for the end of somebody's work. Beside others it is half of
// them.
func (s *shares) most() int {
	if len(s.namespaces) > 1 {
		return max(1, s.workers/2)
	}
	return max(1, s.workers-1)
}

// done ends the work on an item, and charges its namespace for the time.
func (s *shares) done(item types.NamespacedName, now time.Time) {
	n := s.namespaces[item.Namespace]
	began := n.active[item]
	delete(n.active, item)
	n.settle(now, s.halfLife)
	n.used += now.Sub(began).Seconds()
}

// settle brings the decay of what was used up to date.
func (n *share) settle(now time.Time, halfLife time.Duration) {
	if passed := now.Sub(n.usedAt); passed > 0 {
		n.used *= math.Exp2(-passed.Seconds() / halfLife.Seconds())
		n.usedAt = now
	}
}

// usedBy is the worker time that a namespace has used lately, in seconds. Work that has not ended
// counts.
func (n *share) usedBy(now time.Time, halfLife time.Duration) float64 {
	n.settle(now, halfLife)
	used := n.used
	for _, began := range n.active {
		used += now.Sub(began).Seconds()
	}
	return used
}

// forgetIdle drops the namespaces that have had nothing to do for long.
func (s *shares) forgetIdle(now time.Time) {
	for name, n := range s.namespaces {
		if len(n.waiting)+len(n.active) == 0 && now.Sub(n.usedAt) > rememberedHalfLives*s.halfLife {
			delete(s.namespaces, name)
		}
	}
}
