package learned

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/capacity/weights"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner/terms"
	"headstart.dev/headstart/report/learned"
)

// weightsOf says which weights the terms of a demand have, where they are learned; "" where they are
// not.
func weightsOf(fc *v1alpha1.Forecast) string {
	if !terms.Learns(fc.Spec.Demand) {
		return ""
	}
	var list []string
	for i, t := range terms.InUse(fc).Demand.Terms {
		list = append(list, fmt.Sprintf("terms[%d] %s", i, t.Weight))
	}
	text := "Weights in use: " + strings.Join(list, ", ")
	kept := terms.Kept(fc)
	if kept == nil {
		return text + " (those of the spec)."
	}
	gain, _ := kept.Gain.Parse()
	return fmt.Sprintf("%s (learned, since %s; latency followed the load better on %d of %d days, and %.0f %% less of it "+
		"was unexplained).", text, kept.Since.UTC().Format("2006-01-02 15:04Z"), kept.BetterDays, kept.Days, 100*gain)
}

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
	var all []learned.Term
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
		all = append(all, learned.Term{Weight: weight, Series: forecaster.Series(series)})
	}
	found, err := learned.WeighTerms(in, all)
	if err != nil {
		return []string{fmt.Sprintf("the weights of the terms are not judged: %v", err)}
	}
	if terms.Learns(d) && found.Verdict == weights.Better {
		return []string{"latency follows the load better with other weights; the server judges that once a day, and " +
			"changes them by itself where the work would change by 10 % or more"}
	}
	return []string{learned.WeightWords(found)}
}
