package capacity

import (
	"math"
	"time"
)

// An Estimate is what the samples so far say about the capacity of one replica.
type Estimate struct {
	Used     float64 // what to plan with: within Min and Max, and never worse than configured
	Capacity float64 // the estimate itself; NaN without evidence
	Lower    float64 // its lower confidence bound; NaN without evidence
	// AtLeast reports whether the service was never near its limit. Capacity is then only what it
	// carried at least.
	AtLeast bool
	Carried float64   // the largest load that was really carried with the objective met; 0 if none was
	Source  Source    // where Used comes from
	Steps   float64   // steps that taught; older ones count less
	Missed  float64   // of them, steps that missed the objective
	Since   time.Time // the first sample that counts: the first of all, or since the last change
	Missing Missing   // what a better answer needs
}

// Source says where the capacity that is used comes from.
type Source string

// The sources.
const (
	// SourceDefault is the configured default, for want of evidence.
	SourceDefault Source = "Default"
	// SourceAtLeast is evidence from loads that were never near the limit: the default, or what was
	// really carried if that is more.
	SourceAtLeast Source = "AtLeast"
	// SourceLearned is an estimate from loads near the limit.
	SourceLearned Source = "Learned"
)

// Missing says what a better estimate needs. It is empty where nothing is missing.
type Missing string

// What can be missing.
const (
	MissingNothing Missing = ""
	// MissingLoad: no sample had a load above zero.
	MissingLoad Missing = "NoLoad"
	// MissingReplicas: no sample had ready replicas.
	MissingReplicas Missing = "NoReplicas"
	// MissingLatency: no sample had a latency.
	MissingLatency Missing = "NoLatency"
	// MissingSteps: too few steps without a scale event, a warm-up or a gap.
	MissingSteps Missing = "FewSteps"
	// MissingVariation: the latency is the same number in all samples.
	MissingVariation Missing = "ConstantLatency"
	// MissingMet: the objective was missed too often at all loads. It is too strict, or in another unit
	// than the latency.
	MissingMet Missing = "ObjectiveNeverMet"
	// MissingBusy: the load was never near the limit.
	MissingBusy Missing = "NeverBusy"
)

const (
	enoughSteps = 60 // that teach, for an estimate
	// nearRise is the rise of latency from which loads count as near the limit. Below it, laws of many
	// shapes fit alike.
	nearRise      = 0.25
	enoughCarried = 30 // at a load or above it, to say that it was carried
)

// Estimate returns what the samples so far say. It is cheap enough to call at each step.
func (e *Estimator) Estimate() Estimate {
	out := e.cached
	if b := e.inUse(); b < out.Used {
		out.Used, out.Source = e.bounded(b), SourceLearned
		if !(out.Capacity <= b) {
			out.Capacity, out.Lower, out.AtLeast, out.Missing = b, min(b, out.Lower), false, MissingNothing
			if out.Lower != out.Lower {
				out.Lower = b
			}
		}
	}
	out.Since = e.since
	if e.guard.hopeless() {
		out.Missing = MissingMet
	}
	if e.seen.constant() && e.stuck(e.seen.last) {
		out.Missing = MissingVariation
	}
	if out.Steps < enoughSteps { // what is missing may change without a step that teaches
		out.Missing = e.missing(e.bins.counts())
	}
	return out
}

// inUse returns what is used now, not yet within Min and Max: the bounds hold what the summary does
// not know yet.
func (e *Estimator) inUse() float64 {
	used := e.cached.Used
	for _, bound := range []float64{e.guard.bound, e.scale.bound} {
		if bound > 0 {
			used = min(used, bound)
		}
	}
	return used
}

// summarise reads the summary again.
func (e *Estimator) summarise() { e.cached, e.fresh = e.fromSummary(), 0 }

func (e *Estimator) fromSummary() Estimate {
	met, missed := e.bins.counts()
	out := Estimate{
		Used: e.bounded(e.opts.Default), Capacity: math.NaN(), Lower: math.NaN(), Source: SourceDefault,
		Steps: met + missed, Missed: missed,
	}
	out.Carried = max(e.bins.carried(e.opts.Attain), e.carried)
	if out.Missing = e.missing(met, missed); out.Missing != MissingNothing {
		return e.neverRaised(out)
	}
	limit, near := e.limit()
	if !near && out.Carried == 0 {
		out.Missing = MissingMet // not often enough at any load
		return e.neverRaised(out)
	}
	if !near {
		out.AtLeast, out.Source, out.Missing = true, SourceAtLeast, MissingBusy
		out.Capacity, out.Lower = out.Carried, out.Carried
		out.Used = e.bounded(max(e.opts.Default, out.Carried))
		return out
	}
	e.scale.learn(e.bins.profile(limit.load))
	out.Source, out.Capacity, out.Lower = SourceLearned, limit.load, limit.lower
	used := min(limit.load, max(e.opts.Default, out.Carried))
	if used < e.opts.Default && !e.fell && !e.bins.missedNear(limit.load, e.opts.Default, 1-e.opts.Attain) {
		used = e.opts.Default
	}
	out.Used = e.bounded(used)
	return out
}

// neverRaised returns the default for want of an objective that is met. If less was used before,
// misses are no reason to use more.
func (e *Estimator) neverRaised(out Estimate) Estimate {
	if out.Missing == MissingMet && e.cached.Used > 0 {
		out.Used = min(out.Used, e.cached.Used)
	}
	return out
}

// limit returns the load at which the objective is met as often as it must be. It reports whether
// the loads came near enough to tell.
func (e *Estimator) limit() (crossing, bool) {
	groups := e.bins.groups(e.opts.Attain)
	if len(groups) == 0 {
		return crossing{}, false
	}
	highest := groups[len(groups)-1].load
	missed, seen := e.bins.limit(e.opts.Attain)
	law, ok := cross(groups)
	switch {
	case ok && law.load >= groups[0].load && law.upper <= farthest*highest && law.rise >= nearRise:
		return law, true
	case seen:
		return crossing{load: missed, lower: missed}, true
	}
	return crossing{}, false
}

func (e *Estimator) bounded(capacity float64) float64 {
	return min(max(capacity, e.opts.Min), e.opts.Max)
}

func (e *Estimator) missing(met, missed float64) Missing {
	switch n := e.seen; {
	case n.loads == 0:
		return MissingLoad
	case n.replicas == 0:
		return MissingReplicas
	case n.latencies == 0:
		return MissingLatency
	case n.low == n.high && n.latencies >= enoughSteps:
		return MissingVariation
	case met+missed < enoughSteps:
		return MissingSteps
	case met < enoughCarried:
		return MissingMet
	}
	return MissingNothing
}
