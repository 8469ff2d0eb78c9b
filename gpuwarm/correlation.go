package gpuwarm

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

const (
	// slot is the time between two errors of a service that count.
	slot = 10 * time.Minute
	// maxSlots is how many are kept: two days.
	maxSlots = 288
	// minSlots is how many a correlation needs.
	minSlots = 12
	// maxError bounds an error: a huge one says more about itself than about others.
	maxError = 3
)

// ForecastErrors measures how much the forecasts of services err together. An error is the
// difference between the demand and the expected demand of a plan made one slot before, in units of
// the plan's own spread. It is not safe for concurrent use. The zero value is empty.
type ForecastErrors struct {
	plans    []earlierPlan
	observed map[string]map[int64]float64 // error by service and slot
	recalled map[string]Measured          // by group of services: measured before a restart
}

// Measured is a correlation that was measured before: what [ForecastErrors.Correlation] returned,
// from how many slots, and when.
type Measured struct {
	Correlation float64
	Samples     int
	At          time.Time
}

// earlierPlan is the plan of one service as it was in a slot.
type earlierPlan struct {
	service  string
	slot     int64
	timeline Timeline
}

// RecordPlan stores the plan of a service as it is at now. The first plan of each slot counts.
func (e *ForecastErrors) RecordPlan(service string, now time.Time, t Timeline) {
	current := slotOf(now)
	for _, p := range e.plans {
		if p.service == service && p.slot == current {
			return
		}
	}
	e.plans = append(e.plans, earlierPlan{service, current, t})
	e.plans = slices.DeleteFunc(e.plans, func(p earlierPlan) bool { return p.slot < current-2 })
}

// RecordDemand compares a service's demand with the plan of the slot before. The first demand of
// each slot counts. A plan without expected demand has no spread to compare with, and is ignored.
func (e *ForecastErrors) RecordDemand(service string, at time.Time, demand float64) {
	current := slotOf(at)
	if _, known := e.observed[service][current]; known || math.IsNaN(demand) {
		return
	}
	for _, p := range e.plans {
		if p.service != service || p.slot != current-1 {
			continue
		}
		planned, expected := p.timeline.valuesAt(at)
		if planned <= expected {
			return
		}
		if e.observed == nil {
			e.observed = map[string]map[int64]float64{}
		}
		if e.observed[service] == nil {
			e.observed[service] = map[int64]float64{}
		}
		off := (demand/p.timeline.conversion.capacity - float64(expected)) / float64(planned-expected)
		e.observed[service][current] = min(max(off, -maxError), maxError)
	}
	for s := range e.observed[service] {
		if s < current-maxSlots {
			delete(e.observed[service], s)
		}
	}
}

// Restore sets what was measured for a group of services before a restart. What is older than two
// days is left out. It counts for exactly this group, and less and less as new slots are measured.
func (e *ForecastErrors) Restore(services []string, m Measured, now time.Time) {
	m.Samples = min(m.Samples, maxSlots-int(slotOf(now)-slotOf(m.At)))
	if m.Samples < minSlots || !(m.Correlation >= 0 && m.Correlation <= 1) {
		return
	}
	if e.recalled == nil {
		e.recalled = map[string]Measured{}
	}
	e.recalled[groupKey(services)] = m
}

// groupKey identifies a group of services, in any order.
func groupKey(services []string) string {
	return strings.Join(slices.Sorted(slices.Values(services)), "\x00")
}

// Retain removes all services but these, so that memory does not grow with services that are no
// longer selected.
func (e *ForecastErrors) Retain(services []string) {
	known := map[string]bool{}
	for s := range e.observed {
		known[s] = true
	}
	for _, p := range e.plans {
		known[p.service] = true
	}
	for group := range e.recalled {
		for s := range strings.SplitSeq(group, "\x00") {
			known[s] = true
		}
	}
	for s := range known {
		if !slices.Contains(services, s) {
			e.Forget(s)
		}
	}
}

// Forget removes a service.
func (e *ForecastErrors) Forget(service string) {
	delete(e.observed, service)
	maps.DeleteFunc(e.recalled, func(group string, _ Measured) bool {
		return slices.Contains(strings.Split(group, "\x00"), service)
	})
	e.plans = slices.DeleteFunc(e.plans, func(p earlierPlan) bool { return p.service == service })
}

// Correlation returns how much the services err together, from 0 to 1, and from how many slots that
// was measured. It is two standard errors above the measured value, and 1 while there are few
// slots: so nothing is saved that might be needed.
func (e *ForecastErrors) Correlation(services []string) (correlation float64, n int) {
	measured, n := e.measure(services)
	return e.upperBound(services, measured, n)
}

// MeasuredAt is when the value of [ForecastErrors.Correlation] was measured: now, or before a
// restart when it is still the recalled one. It belongs into the Measured of a later Restore.
func (e *ForecastErrors) MeasuredAt(services []string, now time.Time) time.Time {
	old, ok := e.recalled[groupKey(services)]
	if _, n := e.measure(services); ok && n < minSlots {
		return old.At
	}
	return now
}

// measure returns the mean correlation over all pairs of the services, and the number of slots with
// an error of a pair. A pair without enough slots counts as 1.
func (e *ForecastErrors) measure(services []string) (correlation float64, n int) {
	sum, pairs := 0.0, 0.0
	slots := map[int64]bool{}
	var before []serviceErrors
	for _, s := range services {
		a := e.of(s)
		for _, b := range before {
			sum += a.correlation(b, slots)
			pairs++
		}
		before = append(before, a)
	}
	return sum / max(pairs, 1), len(slots)
}

// serviceErrors are the errors of one service, by slot.
type serviceErrors struct {
	bySlot map[int64]float64
	slots  []int64 // in order, since the last digits of a sum depend on the order
	// mean is subtracted before errors are compared: a plan covers a lead window and demand is of an
	// instant, so the mean says nothing about how errors vary together.
	mean float64
}

// of returns the errors of a service.
func (e *ForecastErrors) of(service string) serviceErrors {
	out := serviceErrors{bySlot: e.observed[service], slots: slices.Sorted(maps.Keys(e.observed[service]))}
	for _, s := range out.slots {
		out.mean += out.bySlot[s]
	}
	out.mean /= float64(max(1, len(out.slots)))
	return out
}

// correlation is the correlation of the errors of two services; 1 without enough slots. It adds the
// slots in which both have an error to slots.
func (a serviceErrors) correlation(b serviceErrors, slots map[int64]bool) float64 {
	products, squares, n := 0.0, 0.0, 0
	for _, s := range a.slots {
		y, both := b.bySlot[s]
		if !both {
			continue
		}
		x, y := a.bySlot[s]-a.mean, y-b.mean
		products += x * y
		squares += (x*x + y*y) / 2
		n++
		slots[s] = true
	}
	if n >= minSlots && squares > 0 {
		return products / squares
	}
	return 1
}

// upperBound adds two standard errors to what was measured in n slots. Slots recalled from before a
// restart count as long as they are within the newest two days.
func (e *ForecastErrors) upperBound(services []string, measured float64, n int) (float64, int) {
	old := e.recalled[groupKey(services)]
	before := min(old.Samples, maxSlots-n)
	switch {
	case n < minSlots && before < minSlots:
		return 1, n
	case n < minSlots:
		return old.Correlation, before
	case before > 0:
		// The recalled value includes its own two standard errors.
		oldMeasured := old.Correlation - twoStandardErrors(old.Samples)
		measured = (float64(n)*measured + float64(before)*oldMeasured) / float64(n+before)
		n += before
	}
	return min(1, max(0, measured+twoStandardErrors(n))), n
}

// twoStandardErrors of a correlation of n pairs.
func twoStandardErrors(n int) float64 { return 2 / math.Sqrt(float64(n)) }

func slotOf(t time.Time) int64 { return t.Unix() / int64(slot/time.Second) }
