package evidence

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// mostCandidates bounds how many Forecasts get other weights at once. Each needs as much memory as a
// second Forecast meanwhile, and its past is read again.
const mostCandidates = 16

// Candidates are the Forecasts for which other weights are prepared: at most one of each namespace, so
// that no tenant takes the place of all others. The zero value has none. It is safe for concurrent use.
type Candidates struct {
	mu  sync.Mutex
	all map[types.NamespacedName]time.Time // since when
}

// Enter reports whether there is room for a Forecast, which then has it until Leave, and for a day at
// most.
func (c *Candidates) Enter(key types.NamespacedName, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for other, since := range c.all {
		switch {
		case other == key:
			return true
		case now.Sub(since) > ReweighEvery:
			delete(c.all, other)
		case other.Namespace == key.Namespace:
			return false
		}
	}
	if len(c.all) >= mostCandidates {
		return false
	}
	if c.all == nil {
		c.all = map[types.NamespacedName]time.Time{}
	}
	c.all[key] = now
	return true
}

// Leave gives the room of a Forecast back, if it has any.
func (c *Candidates) Leave(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all, key)
}
