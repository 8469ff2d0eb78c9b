package evidence

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/capacity"
	"headstart.dev/headstart/capacity/weights"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/controller/reads"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/internal/conditions"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/learning"
	"headstart.dev/headstart/planner/terms"
)

// ReweighEvery is how often weights are judged, and may change.
const ReweighEvery = 24 * time.Hour

// weighs returns what weights are learned from; nil where none are learned.
func weighs(set planner.Settings) (*weights.Evidence, error) {
	if len(set.Learn.Terms) < 2 {
		return nil, nil
	}
	return weights.NewEvidence(len(set.Learn.Terms), set.Step, set.Learn.AtMost)
}

// termError returns the first error of the terms that were read. No requests are none.
func (l *Learner) termError(set planner.Settings) error {
	for i := range set.Learn.Terms {
		err := l.results[reads.Term(i)].Err
		switch kind := history.KindOf(err); {
		case err == nil, kind == history.ErrNoSeries, kind == history.ErrNotFinite:
		default:
			return fmt.Errorf("spec.demand.terms[%d].query: %w", i, err)
		}
	}
	return nil
}

// answeredTerms returns how many of the steps that are read all terms know.
func (l *Learner) answeredTerms(set planner.Settings, steps int) int {
	n := steps
	for i := range set.Learn.Terms {
		if r, ok := l.results[reads.Term(i)]; ok && (tooLong(r.Err) || history.KindOf(r.Err).Temporary()) {
			n = min(n, answered(r, l.from, set.Step, steps))
		}
	}
	return n
}

// addTerms adds the steps up to an instant of what was read to what weights are learned from.
func (l *Learner) addTerms(set planner.Settings, until time.Time, latency, replicas []float64) {
	if l.weights == nil {
		return
	}
	terms := make([][]float64, len(set.Learn.Terms))
	for i := range terms {
		r := l.results[reads.Term(i)]
		s := forecaster.Series{Start: l.from, Step: set.Step, Values: r.Series.Values}
		terms[i] = learning.Between(s, l.from, until)
	}
	l.weights.Add(l.from, terms, latency, replicas)
}

// Better returns weights that are better than those that a Forecast has in use; nil where none are
// known, or the weights may not change yet. Once a day they are judged, by run.
func (l *Learner) Better(fc *v1alpha1.Forecast, now time.Time, run func(func())) (*v1alpha1.DemandWeights, error) {
	if l.weights == nil || !l.current {
		return nil, nil
	}
	configured, err := terms.Weights(fc.Spec.Demand)
	if err != nil {
		return nil, err
	}
	inUse, err := terms.Weights(terms.InUse(fc).Demand)
	if err != nil {
		return nil, err
	}
	if l.Until().Sub(l.judgedAt) >= ReweighEvery {
		run(func() { l.judged, l.weighErr = l.weights.Learn(configured, inUse) })
		l.judgedAt = l.Until()
	}
	if l.weighErr != nil || l.judged.Verdict != weights.Better || changedLately(fc, now) {
		return nil, nil
	}
	var out *v1alpha1.DemandWeights
	out, l.weighErr = terms.Status(&fc.Spec, l.judged, now)
	return out, l.weighErr
}

// changedLately reports whether the weights of a Forecast have changed less than a day ago.
func changedLately(fc *v1alpha1.Forecast, now time.Time) bool {
	kept := terms.Kept(fc)
	if kept == nil {
		return false
	}
	age := now.Sub(kept.Since.Time) // A clock may be off, and a status may say anything.
	return age > -ReweighEvery && age < ReweighEvery
}

// Follow takes over what another Learner has seen of the pods.
func (l *Learner) Follow(other *Learner) {
	l.counts.runs = slices.Clone(other.counts.runs)
	l.releases = other.releases
	l.releases.beside = slices.Clone(other.releases.beside)
	l.release()
}

// Ready reports whether all of the past is read without a problem, and says what a replica serves.
func (l *Learner) Ready() bool {
	known, ok := l.Known()
	return ok && l.current && !l.reading && l.problem() == nil && known.Source != capacity.SourceDefault
}

// Blocked notes why better weights could not be used, for the condition.
func (l *Learner) Blocked(err error) {
	l.weighErr = fmt.Errorf("better weights cannot be used yet: %w", err)
}

// SetWeights adds to the condition CapacityKnown which weights are used, and what is missing for
// others. inUse is what status says of them; nil where those of the spec are used. next are the weights
// that the past is read with; nil without.
func (l *Learner) SetWeights(set *conditions.Set, inUse, next *v1alpha1.DemandWeights) {
	if c := set.Get(v1alpha1.ConditionCapacityKnown); c != nil && l.weights != nil {
		set.Put(c.Type, c.Status, c.Reason, c.Message+"; "+l.weightWords(inUse, next))
	}
}

func (l *Learner) weightWords(inUse, next *v1alpha1.DemandWeights) string {
	used := "the terms have the weights of the spec"
	if inUse != nil {
		used = fmt.Sprintf("the terms have the learned weights %s since %s", list(inUse.Values),
			inUse.Since.UTC().Format(time.RFC3339))
	}
	return used + ": " + l.whyWeights(next)
}

// whyWeights says why no other weights are used.
func (l *Learner) whyWeights(next *v1alpha1.DemandWeights) string {
	e := l.judged
	switch {
	case l.termErr != nil:
		return kube.OneLine(l.termErr)
	case l.weighErr != nil:
		return kube.OneLine(l.weighErr)
	case next != nil:
		return fmt.Sprintf("%s fit better, on %d of %d days, and are used once the past is read with them",
			list(next.Values), next.BetterDays, next.Days)
	case l.judgedAt.IsZero():
		return "the past of the terms is being read"
	}
	switch e.Verdict {
	case weights.FewDays:
		return fmt.Sprintf("%d days have enough busy steps so far, and others can be judged after seven", e.Days)
	case weights.NeverBusy:
		return "latency was never near the objective, and says nothing about others"
	case weights.SameMix:
		return "the terms rise and fall together, so that nothing tells others apart"
	case weights.SmallChange:
		return "others would change the work by less than 10 %"
	case weights.Better:
		return "others fit better, and are used at most once a day"
	}
	return fmt.Sprintf("on %d days, latency follows the load not clearly better with others", e.Days)
}

func list(values []v1alpha1.Decimal) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return strings.Join(out, ", ")
}
