package learned

import (
	"context"
	"errors"
	"fmt"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/report/learned"
)

// Weigh reads the terms of a demand one by one, and returns notes on whether other weights would
// fit better. There are none where demand is not several terms. in is what the capacity was learned
// from.
func Weigh(
	ctx context.Context, source Source, d *v1alpha1.DemandSource, in learned.Input, progress func(done, total int),
) []string {
	if d == nil || len(d.Terms) < 2 {
		return nil
	}
	end := history.Series(in.Demand).End()
	var terms []learned.Term
	for i, t := range d.Terms {
		weight, err := t.Weight.Parse()
		if err != nil {
			return []string{fmt.Sprintf("spec.demand.terms[%d].weight: %v", i, err)}
		}
		alone := v1alpha1.DemandSource{Terms: []v1alpha1.DemandTerm{{Query: t.Query, Weight: "1"}}}
		series, _, err := source.Range(ctx, alone.PromQL(), in.Demand.Start, end, in.Demand.Step, progress)
		if err != nil && !errors.Is(err, history.ErrNotFinite) {
			return []string{fmt.Sprintf("the weights of the terms are not judged: spec.demand.terms[%d]: %v", i, err)}
		}
		terms = append(terms, learned.Term{Weight: weight, Series: forecaster.Series(series)})
	}
	found, err := learned.WeighTerms(in, terms)
	if err != nil {
		return []string{fmt.Sprintf("the weights of the terms are not judged: %v", err)}
	}
	return []string{learned.WeightWords(found)}
}
