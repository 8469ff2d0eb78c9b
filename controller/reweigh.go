package controller

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/evidence"
	"headstart.dev/headstart/controller/reads"
	"headstart.dev/headstart/internal/memory"
	"headstart.dev/headstart/planner"
)

// candidate is a demand with other weights of its terms, while its past is read. Meanwhile nothing
// changes in what is served.
type candidate struct {
	weights    *v1alpha1.DemandWeights
	generation int64  // of the spec that it is for
	instead    string // the query that it is better than
	since      time.Time
	state      *forecastState
}

// errNotReady says why a candidate was given up.
var errNotReady = errors.New("within a day, history and capacity could not be learned with better weights: " +
	"they need the ready replicas of the past (spec.capacity.replicas), and latency near the objective")

// plan makes the plan of a Forecast: with better weights of its terms, where all that they need is known.
func (r *ForecastReconciler) plan(
	ctx context.Context, fc *v1alpha1.Forecast, state *forecastState, set planner.Settings, now time.Time,
) error {
	changed, err := r.reweigh(ctx, fc, state, set, now)
	switch {
	case changed || apierrors.IsConflict(err):
		return err
	case err != nil: // What is in use is served and renewed until then.
		state.evidence.Blocked(err)
		state.reweighAfter = now.Add(r.rates.PlanRefresh)
	}
	return r.evaluate(ctx, fc, state, set, now)
}

// reweigh looks for better weights of the terms of a demand, and reads the past with them. Once the
// history and the capacity are known, it makes a plan with them. One write of the status then changes
// query, capacity and plan. It reports whether it has done so.
func (r *ForecastReconciler) reweigh(
	ctx context.Context, fc *v1alpha1.Forecast, state *forecastState, set planner.Settings, now time.Time,
) (bool, error) {
	if !r.hasCandidate(fc, state, set, now) {
		return false, nil
	}
	key := client.ObjectKeyFromObject(fc)
	with, s, fetch := *fc, state.candidate.state, reads.Ahead{Fetcher: r.fetch}
	with.Status.DemandWeights = state.candidate.weights
	next, err := planner.Parse(&with)
	if err != nil || next.Query == set.Query {
		r.dropCandidate(key, state, now)
		return false, nil //nolint:nilerr // The weights in use stay.
	}
	if r.spare(s, now) {
		r.read(key, s, next, now, fetch)
	}
	s.evidence.Follow(state.evidence)
	s.evidence.Update(evidence.Input{Forecast: key, Settings: next, Demand: s.known(), Now: now}, fetch, r.openEvidence)
	busy := r.fetch.Busy(reads.Key{Forecast: key, Part: reads.Demand})
	if busy || !s.hasRead || s.readErr != nil || !s.evidence.Ready() || !state.step.Publisher.Affords(now) {
		return false, nil
	}
	return r.useCandidate(ctx, fc, state, next, now)
}

// hasCandidate reports whether there are better weights, and drops those that have become out of date.
func (r *ForecastReconciler) hasCandidate(
	fc *v1alpha1.Forecast, state *forecastState, set planner.Settings, now time.Time,
) bool {
	c, learns := state.candidate, set.Learn != nil && len(set.Learn.Terms) > 0 && set.Mode != v1alpha1.ForecastPaused
	switch key := client.ObjectKeyFromObject(fc); {
	case c == nil:
	case !learns, c.generation != fc.Generation, c.instead != set.Query, state.level >= memory.RarerFits:
		r.dropCandidate(key, state, now)
	case now.Sub(c.since) > evidence.ReweighEvery:
		r.dropCandidate(key, state, now)
		state.evidence.Blocked(errNotReady)
		r.logger.Warn("better weights are not used", "forecast", key.String(), "error", errNotReady)
	}
	if !learns || state.evidence == nil || now.Before(state.reweighAfter) {
		return false
	}
	return state.candidate != nil || r.nominate(fc, state, set.Query, now)
}

// useCandidate makes a plan with the weights of the candidate, and writes it beside them. It reports
// whether that was possible.
func (r *ForecastReconciler) useCandidate(
	ctx context.Context, fc *v1alpha1.Forecast, state *forecastState, set planner.Settings, now time.Time,
) (bool, error) {
	key, s := client.ObjectKeyFromObject(fc), state.candidate.state
	s.tracker, s.step.Spend = nil, nil // A try before this one may have failed.
	s.learner, s.step.Publisher, s.before = state.learner, state.step.Publisher, fc.ResourceVersion
	e := r.newEvaluation(fc.DeepCopy(), s, set, now) // The write may fail.
	e.fetch, e.switches = reads.Ahead{Fetcher: r.fetch}, true
	e.next.DemandWeights = state.candidate.weights.DeepCopy()
	e.next.DemandWeights.Since.Time = now.Truncate(time.Second)
	if err := e.run(ctx); err != nil {
		return false, err
	}
	if e.out.Plan == nil {
		r.dropCandidate(key, state, now)
		return false, nil
	}
	r.mu.Lock()
	r.states[key] = s
	r.mu.Unlock()
	r.candidates.Leave(key)
	r.fetch.Forget(key) // It is of the demand before.
	r.logger.Info("the weights of the terms have changed", "forecast", key.String(), "since", now)
	return true, nil
}

// nominate looks for better weights than those in use. It reports whether there is a candidate.
func (r *ForecastReconciler) nominate(
	fc *v1alpha1.Forecast, state *forecastState, query string, now time.Time,
) bool {
	key := client.ObjectKeyFromObject(fc)
	weights, err := state.evidence.Better(fc, now, r.fits.Run)
	if err != nil {
		r.logger.Warn("better weights cannot be used", "forecast", key.String(), "error", err)
	}
	if weights == nil || state.level > memory.Enough || !r.candidates.Enter(key, now) {
		return false
	}
	s := &forecastState{uid: state.uid, evidence: &evidence.Learner{}}
	s.step.Model.Small = true
	state.candidate = &candidate{
		weights: weights, generation: fc.Generation, instead: query, since: now, state: s,
	}
	return true
}

// dropCandidate forgets other weights, and looks for some no sooner than in a day.
func (r *ForecastReconciler) dropCandidate(key types.NamespacedName, state *forecastState, now time.Time) {
	if state.candidate == nil {
		return
	}
	state.candidate, state.reweighAfter = nil, now.Add(evidence.ReweighEvery)
	r.candidates.Leave(key)
	reads.Ahead{Fetcher: r.fetch}.Forget(key)
}
