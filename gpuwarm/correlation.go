package gpuwarm

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

const (
	// slot is how far apart errors are that are compared with each other.
	slot = 10 * time.Minute
	// slots are how many are remembered: two days.
	slots = 288
	// fewSlots are too few to tell anything from.
	fewSlots = 12
)

// Errors remembers how far the demand of services was off what was expected of it some time before, in units of the forecasts' own spread, and says how
// much they err together. It is not safe for concurrent use.
type Errors struct {
	ahead    []foresight
	observed map[string]map[int64]float64 // by service and slot
	recalled map[string]Measured          // by the services, what was measured before a restart
}

// Measured is what was known at a time about how much services err together: what [Errors.Correlation] said, and from how many slots.
type Measured struct {
	Correlation float64
	Samples     int
	At          time.Time
}

// foresight is what was planned for one service some time ago.
type foresight struct {
	service  string
	slot     int64
	timeline Timeline
}

// Foresee remembers a plan as it is at now, the first of each slot.
func (e *Errors) Foresee(service string, now time.Time, t Timeline) {
	at := slotOf(now)
	for _, f := range e.ahead {
		if f.service == service && f.slot == at {
			return
		}
	}
	e.ahead = append(e.ahead, foresight{service, at, t})
	e.ahead = slices.DeleteFunc(e.ahead, func(f foresight) bool { return f.slot < at-2 })
}

// Observe compares a service's demand with the plan of the slot before; the first of each slot counts. A plan that does not say how unsure it is cannot
// be compared.
func (e *Errors) Observe(service string, at time.Time, demand float64) {
	now := slotOf(at)
	if _, known := e.observed[service][now]; known || math.IsNaN(demand) {
		return
	}
	for _, f := range e.ahead {
		if f.service != service || f.slot != now-1 {
			continue
		}
		planned, expected := f.timeline.on(at)
		if planned <= expected {
			return
		}
		if e.observed == nil {
			e.observed = map[string]map[int64]float64{}
		}
		if e.observed[service] == nil {
			e.observed[service] = map[int64]float64{}
		}
		// Heavy errors say more about themselves than about others.
		off := (demand/f.timeline.bounds.capacity - float64(expected)) / float64(planned-expected)
		e.observed[service][now] = min(max(off, -3), 3)
	}
	for s := range e.observed[service] {
		if s < now-slots {
			delete(e.observed[service], s)
		}
	}
}

// Recall takes over what was measured before a restart, as far as it is of the time that is remembered. It counts for exactly these services, and less and
// less as they are measured anew.
func (e *Errors) Recall(services []string, m Measured, now time.Time) {
	m.Samples = min(m.Samples, slots-int(slotOf(now)-slotOf(m.At)))
	if m.Samples < fewSlots || !(m.Correlation >= 0 && m.Correlation <= 1) {
		return
	}
	if e.recalled == nil {
		e.recalled = map[string]Measured{}
	}
	e.recalled[together(services)] = m
}

func together(services []string) string {
	return strings.Join(slices.Sorted(slices.Values(services)), "\x00")
}

// Retain drops all services but these: what is not selected any more would be kept for as long as the process runs.
func (e *Errors) Retain(services []string) {
	known := map[string]bool{}
	for s := range e.observed {
		known[s] = true
	}
	for _, f := range e.ahead {
		known[f.service] = true
	}
	for all := range e.recalled {
		for s := range strings.SplitSeq(all, "\x00") {
			known[s] = true
		}
	}
	for s := range known {
		if !slices.Contains(services, s) {
			e.Forget(s)
		}
	}
}

// Forget drops a service.
func (e *Errors) Forget(service string) {
	delete(e.observed, service)
	maps.DeleteFunc(e.recalled, func(services string, _ Measured) bool {
		return slices.Contains(strings.Split(services, "\x00"), service)
	})
	e.ahead = slices.DeleteFunc(e.ahead, func(f foresight) bool { return f.service == service })
}

// Correlation is how much the services err together, from 0 to 1, and from how many slots that is known. It is on the safe side of what was measured by two
// standard errors, and 1 as long as hardly anything was: then nothing is saved that might be needed.
func (e *Errors) Correlation(services []string) (correlation float64, n int) {
	measured, n := e.measure(services)
	return e.known(services, measured, n)
}

// MeasuredAt is when what [Errors.Correlation] says was measured: now, or before a restart where that is all there is. It is what Recall is to be told.
func (e *Errors) MeasuredAt(services []string, now time.Time) time.Time {
	old, ok := e.recalled[together(services)]
	if _, n := e.measure(services); ok && n < fewSlots {
		return old.At
	}
	return now
}

// measure is the mean correlation of each two of the services, and in how many slots that was measured.
func (e *Errors) measure(services []string) (correlation float64, n int) {
	sum, weight := 0.0, 0.0
	seen := map[int64]bool{}
	for i, a := range services {
		for _, b := range services[:i] {
			products, squares, pairs := 0.0, 0.0, 0
			meanA, meanB := e.mean(a), e.mean(b)
			for s, x := range e.observed[a] {
				y, both := e.observed[b][s]
				if !both {
					continue
				}
				x, y := x-meanA, y-meanB
				products += x * y
				squares += (x*x + y*y) / 2
				pairs++
				seen[s] = true
			}
			weight++
			if pairs >= fewSlots && squares > 0 {
				sum += products / squares
			} else {
				sum++ // not known: alike
			}
		}
	}
	return sum / max(weight, 1), len(seen)
}

// known is on the safe side of what was measured in n slots, with what is recalled of the slots before.
func (e *Errors) known(services []string, measured float64, n int) (float64, int) {
	old := e.recalled[together(services)]
	before := min(old.Samples, slots-n)
	switch {
	case n < fewSlots && before < fewSlots:
		return 1, n
	case n < fewSlots:
		return old.Correlation, before
	case before > 0:
		// What was said then had its own two standard errors on top.
		measured = (float64(n)*measured + float64(before)*(old.Correlation-safety(old.Samples))) / float64(n+before)
		n += before
	}
	return min(1, max(0, measured+safety(n))), n
}

// safety is two standard errors of a correlation of n pairs.
func safety(n int) float64 { return 2 / math.Sqrt(float64(n)) }

// mean error of a service, which is no part of how errors go together: a plan covers a lead window, and demand is of an instant.
func (e *Errors) mean(service string) float64 {
	sum := 0.0
	for _, v := range e.observed[service] {
		sum += v
	}
	return sum / float64(max(1, len(e.observed[service])))
}

func slotOf(t time.Time) int64 { return t.Unix() / int64(slot/time.Second) }
