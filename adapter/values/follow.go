package values

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

const (
	// silentAfterPolls is how old the owner's newest poll may be, in poll intervals, before a replica
	// that is asked for a Forecast polls for itself. It is below maxAgeInPolls, so that the floor
	// stays.
	silentAfterPolls = 2
	// askedForPolls and askedFor bound how long after a question a replica polls for a Forecast that
	// it does not own: the longer of the two. Both are longer than the period of any autoscaler.
	askedForPolls = 10
	askedFor      = 5 * time.Minute
	// wakeWait is how long after the first question for a Forecast its answers wait for a poll.
	wakeWait = time.Second
	// takeoverSpread is within what time a replica polls what it has come to own.
	takeoverSpread = 5 * time.Second
)

// followed is a Forecast that [Plans] follows.
type followed struct {
	Query
	id queryID
	// asked is when a door of this replica was last asked for the Forecast, in Unix nanoseconds; 0
	// is never.
	asked atomic.Int64

	// The lock of the Observer guards these.

	// woken is the poll that a question has caused; nil without one that has not ended.
	woken *wakeUp
	// spread is true once the polls of the Forecast have their place in the interval.
	spread bool
}

// wakeUp is a poll that a question has caused.
type wakeUp struct {
	until time.Time     // until when answers wait for it
	ended chan struct{} // closed when it has ended
}

// endWakeUp lets those go on who wait for the poll that a question has caused.
func (f *followed) endWakeUp() {
	if f.woken != nil {
		close(f.woken.ended)
		f.woken = nil
	}
}

// Share says that other replicas poll too: this one polls for the Forecasts that it owns, and its
// [Observer.Note] tells the others. changed has an event when the answers of owns have changed.
//
// A replica that is asked for a Forecast of another one polls for itself when it has not heard of
// the owner's polls for two intervals. Share must be called before Start.
func (o *Observer) Share(owns func(types.NamespacedName) bool, changed <-chan event.GenericEvent) {
	o.owns, o.ownersChanged = owns, changed
}

// follow starts to poll for a Forecast, or changes what is polled for it.
func (o *Observer) follow(key types.NamespacedName, q Query) {
	o.mu.Lock()
	defer o.mu.Unlock()
	old := o.queries[key]
	if old != nil && old.Query == q {
		return
	}
	f := &followed{Query: q, id: newQueryID(key, q)}
	if old != nil {
		f.asked.Store(old.asked.Load())
		old.endWakeUp()
		delete(o.latests, key)
		delete(o.byID, old.id)
		o.releaseSource(old.Source)
	}
	o.queries[key], o.byID[f.id] = f, key
	firstPoll := rand.N(min(o.interval, time.Second) + 1) //nolint:gosec // spreads load, guards nothing
	o.acquireSource(q.Source).queue.AddAfter(key, firstPoll)
}

// forget stops polling for a Forecast.
func (o *Observer) forget(key types.NamespacedName) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if f := o.queries[key]; f != nil {
		f.endWakeUp()
		delete(o.byID, f.id)
		o.releaseSource(f.Source)
	}
	delete(o.queries, key)
	delete(o.latests, key)
}

// ask says that a door of this replica is asked for a Forecast. Where nobody has asked here before,
// and the owner is silent, it polls, and waits for the result for a second at most. It reports false
// when observed demand is still not known then.
func (o *Observer) ask(key types.NamespacedName) bool {
	now := o.clock.Now()
	o.mu.RLock()
	f, v := o.queries[key], o.latests[key]
	o.mu.RUnlock()
	if f == nil {
		return true
	}
	f.asked.Store(now.UnixNano())
	if v.tried || !o.silent(v, now) || o.ownsForecast(key) {
		return true
	}
	w := o.wake(key, now)
	if w == nil || !o.tooOld(v) {
		return true
	}
	timer := o.clock.NewTimer(w.until.Sub(now))
	defer timer.Stop()
	select {
	case <-w.ended:
	case <-timer.C():
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	tried := o.latests[key].tried
	if s := o.sources[f.Source]; s != nil && !tried {
		s.slowUntil = o.clock.Now().Add(o.interval)
	}
	return tried
}

// wake polls for a Forecast at once, unless that is on its way already. It returns nil when the
// Forecast is gone.
func (o *Observer) wake(key types.NamespacedName, now time.Time) *wakeUp {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.queries[key]
	if f == nil {
		return nil
	}
	if f.woken == nil {
		s := o.sources[f.Source]
		f.woken = &wakeUp{now.Add(wakeWait), make(chan struct{})}
		if now.Before(s.slowUntil) {
			f.woken.until = now
		}
		s.queue.Add(key)
	}
	return f.woken
}

// leavesToOwner reports whether only the owner of a Forecast needs to poll for it at present.
func (o *Observer) leavesToOwner(key types.NamespacedName) bool {
	if o.ownsForecast(key) {
		return false
	}
	now := o.clock.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	f, v := o.queries[key], o.latests[key]
	if f == nil {
		return true
	}
	if f.woken != nil || o.askedLately(f, now) && o.silent(v, now) {
		return false
	}
	if v.tried {
		v.tried, v.err, v.timeouts = false, nil, 0
		o.latests[key] = v
	}
	return true
}

func (o *Observer) ownsForecast(key types.NamespacedName) bool { return o.owns == nil || o.owns(key) }

// askedLately reports whether a door of this replica was asked for a Forecast not long ago.
func (o *Observer) askedLately(f *followed, now time.Time) bool {
	asked := f.asked.Load()
	return asked != 0 && now.Sub(time.Unix(0, asked)) < max(askedForPolls*o.interval, askedFor)
}

// silent reports whether nothing was heard of the owner's polls lately.
func (o *Observer) silent(v observation, now time.Time) bool {
	return v.sharedAt.IsZero() || now.Sub(v.sharedAt) > silentAfterPolls*o.interval
}

// followOwners polls for what this replica comes to own, until ctx ends.
func (o *Observer) followOwners(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.ownersChanged:
			o.takeOver()
		}
	}
}

// takeOver polls soon for the Forecasts that this replica owns and does not poll for yet.
func (o *Observer) takeOver() {
	o.mu.RLock()
	defer o.mu.RUnlock()
	for key, f := range o.queries {
		if !o.latests[key].tried && o.ownsForecast(key) {
			soon := rand.N(min(o.interval, takeoverSpread) + 1) //nolint:gosec // spreads load, guards nothing
			o.sources[f.Source].queue.AddAfter(key, soon)
		}
	}
}
