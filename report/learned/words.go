package learned

import (
	"fmt"
	"math"
	"strconv"

	"headstart.dev/headstart/capacity"
)

// Words says what is known, in one sentence or two.
func (s Summary) Words() string {
	switch {
	case s.Source == capacity.SourceLearned && s.Estimate != nil:
		text := fmt.Sprintf("One replica serves %s within the objective", Figure(*s.Estimate))
		if s.Lower != nil {
			text += fmt.Sprintf(" (at least %s, by the lower confidence bound)", Figure(*s.Lower))
		}
		return text + fmt.Sprintf(". %s counts, and the configured capacity is %s.", Figure(s.Used), Figure(s.Configured))
	case s.AtLeast && s.Carried != nil:
		return fmt.Sprintf("One replica serves at least %s within the objective: no more was ever asked of it. "+
			"%s counts, and the configured capacity is %s.", Figure(*s.Carried), Figure(s.Used), Figure(s.Configured))
	}
	return fmt.Sprintf("Nothing is learned yet, so the configured capacity of %s counts.", Figure(s.Configured))
}

// Lacks says what is missing and what to do; "" where nothing is.
func (s Summary) Lacks() string {
	switch s.Missing {
	case capacity.MissingNothing:
		return ""
	case capacity.MissingLoad:
		return "There was no demand in any step. Check the query of the demand."
	case capacity.MissingReplicas:
		return "The ready replicas are not known in any step. Let Prometheus scrape kube-state-metrics, or set " +
			"spec.capacity.replicas."
	case capacity.MissingLatency:
		return "The latency is not known in any step. Check spec.capacity.objective.query."
	case capacity.MissingSteps:
		return fmt.Sprintf("Only %.0f steps teach. Steps soon after a change of the replicas, and steps with a gap, do not. "+
			"Wait.", s.Steps)
	case capacity.MissingVariation:
		return "The latency is the same in all steps, so it is no measurement. Check spec.capacity.objective.query, and " +
			"the buckets of its histogram."
	case capacity.MissingMet:
		return fmt.Sprintf("The objective of at most %s was missed at all loads. Check its unit (most queries are in "+
			"seconds), or raise it.", Figure(s.AtMost))
	case capacity.MissingBusy:
		return "The replicas were never near their limit, so what they can serve at most is not known. There is nothing " +
			"to do. A load test, or fewer replicas at a quiet time, would show more."
	}
	return fmt.Sprintf("There is too little evidence (%s).", s.Missing)
}

// Figure writes a capacity or a latency with four digits.
func Figure(v float64) string {
	if math.Abs(v) >= 1e4 && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(math.Round(v), 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}
