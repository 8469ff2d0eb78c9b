package learned

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"headstart.dev/headstart/capacity/weights"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner/learning"
)

// Term is one of several queries whose weighted sum is demand.
type Term struct {
	Weight float64
	// Series has the step of the demand.
	Series forecaster.Series
}

// WeighTerms says whether latency follows the load better with other weights of the terms.
func WeighTerms(in Input, terms []Term) (weights.Estimate, error) {
	from, step := in.Demand.Start, in.Demand.Step
	to := from.Add(time.Duration(len(in.Demand.Values)) * step)
	known := func(s forecaster.Series) []float64 {
		if len(s.Values) == 0 {
			s = forecaster.Series{Start: from, Step: step}
		}
		return learning.Between(s, from, to)
	}
	all := weights.Input{
		Start: from, Step: step, AtMost: in.Settings.Learn.AtMost, Latency: known(in.Latency), Replicas: known(in.Replicas),
	}
	for _, t := range terms {
		all.Terms, all.Given = append(all.Terms, known(t.Series)), append(all.Given, t.Weight)
	}
	return weights.Find(all)
}

// WeightWords says what is known about the weights of terms, and what to change; "" where there is
// nothing to weigh.
func WeightWords(e weights.Estimate) string {
	switch e.Verdict {
	case weights.OneTerm:
		return ""
	case weights.FewDays:
		return fmt.Sprintf("the weights of the terms cannot be judged yet: only %d days have enough busy steps, and a week "+
			"of them is needed", e.Days)
	case weights.NeverBusy:
		return "the weights of the terms cannot be judged: latency was never near the objective, and follows the load " +
			"only there"
	case weights.SameMix:
		return "the weights of the terms cannot be judged: the terms rise and fall together, so that other weights would " +
			"fit as well"
	case weights.GivenFit:
		return fmt.Sprintf("the weights of the terms fit: on %d days, latency follows the load not clearly better with "+
			"others", e.Days)
	}
	var list []string
	for i, w := range e.Weights {
		list = append(list, fmt.Sprintf("terms[%d] %q", i, weight(w)))
	}
	return fmt.Sprintf("latency follows the load better with other weights, on %d of %d days (%.0f %% less of it is "+
		"unexplained): in spec.demand, weigh %s; the mean demand stays, and the capacity is learned again",
		e.BetterDays, e.Days, 100*e.Gain, strings.Join(list, ", "))
}

// weight writes a weight with two digits, as a spec has it.
func weight(w float64) string {
	digits := max(1-int(math.Floor(math.Log10(w))), 0)
	return strconv.FormatFloat(w, 'f', digits, 64)
}
