package terms

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/capacity/weights"
)

// Learns reports whether the weights of a demand are learned. d may be nil.
func Learns(d *v1alpha1.DemandSource) bool { return d != nil && d.Weights == v1alpha1.WeightsLearned }

// Check returns what keeps the weights of a spec from being learned.
func Check(spec *v1alpha1.ForecastSpec) error {
	d, c := spec.Demand, spec.Capacity
	switch {
	case d == nil || d.Weights == "" || d.Weights == v1alpha1.WeightsFixed:
		return nil
	case d.Weights != v1alpha1.WeightsLearned:
		return fmt.Errorf("spec.demand.weights: %q is unknown: use Fixed or Learned", d.Weights)
	case len(d.Terms) < 2:
		return errors.New("spec.demand.weights: Learned needs two terms or more")
	case c == nil || c.Mode == v1alpha1.CapacityFixed:
		return errors.New("spec.demand.weights: Learned needs spec.capacity with mode Learned: " +
			"weights and capacity are learned from the same latency")
	case spec.Serve.Unit != v1alpha1.ServeReplicas:
		return errors.New("spec.demand.weights: Learned needs spec.serve.unit Replicas: " +
			"with other weights a target in demand is wrong")
	}
	return nil
}

// Weights returns the weights of the terms of a demand. It fails where one is no number above 0.
func Weights(d *v1alpha1.DemandSource) ([]float64, error) {
	out := make([]float64, len(d.Terms))
	for i, t := range d.Terms {
		w, err := t.Weight.Parse()
		if err != nil || !(w > 0) || math.IsInf(w, 0) {
			return nil, fmt.Errorf("spec.demand.terms[%d].weight: %q must be a number above 0", i, string(t.Weight))
		}
		out[i] = w
	}
	return out, nil
}

// tolerance is for the digits of a weight in status.
const tolerance = 1.01

// learned returns the weights in status that count; nil where the spec's do.
func learned(spec *v1alpha1.ForecastSpec, status *v1alpha1.DemandWeights) []v1alpha1.Decimal {
	d := spec.Demand
	if !Learns(d) || status == nil || len(status.Values) != len(d.Terms) || status.TermsHash != hash(spec) {
		return nil
	}
	configured, err := Weights(d)
	if err != nil {
		return nil
	}
	for i, text := range status.Values {
		w, err := text.Parse()
		if err != nil || !(w >= configured[i]/weights.MaxFactor/tolerance) ||
			!(w <= configured[i]*weights.MaxFactor*tolerance) {
			return nil
		}
	}
	return status.Values
}

// InUse returns the spec of a Forecast with the weights that are in use: learned ones, or its own. It
// shares with the Forecast what is the same.
func InUse(fc *v1alpha1.Forecast) *v1alpha1.ForecastSpec {
	values := learned(&fc.Spec, fc.Status.DemandWeights)
	if values == nil {
		return &fc.Spec
	}
	spec, demand := fc.Spec, *fc.Spec.Demand
	demand.Terms = slices.Clone(demand.Terms)
	for i, w := range values {
		demand.Terms[i].Weight = w
	}
	spec.Demand = &demand
	return &spec
}

// Kept returns what status says about the weights as far as it counts; nil where the weights of the
// spec do.
func Kept(fc *v1alpha1.Forecast) *v1alpha1.DemandWeights {
	if learned(&fc.Spec, fc.Status.DemandWeights) == nil {
		return nil
	}
	return fc.Status.DemandWeights
}

// maxLength is the longest number that status may have.
const maxLength = 20

// Status returns what status says about learned weights from an instant on. It fails where a weight
// cannot be written.
func Status(
	spec *v1alpha1.ForecastSpec, found weights.Estimate, since time.Time,
) (*v1alpha1.DemandWeights, error) {
	out := &v1alpha1.DemandWeights{
		Since: metav1.NewTime(since.Truncate(time.Second)), TermsHash: hash(spec),
		Days: days(found.Days), BetterDays: days(found.BetterDays),
		Gain: v1alpha1.FormatDecimal(min(max(found.Gain, 0), 1), 3),
	}
	for i, w := range found.Weights {
		text := v1alpha1.FormatDecimal(w, 3)
		if len(text) > maxLength {
			return nil, fmt.Errorf("spec.demand.terms[%d]: the learned weight %v is too long a number: "+
				"count in a unit in which it is nearer to 1", i, w)
		}
		out.Values = append(out.Values, text)
	}
	if learned(spec, out) == nil {
		return nil, fmt.Errorf("the learned weights %v are out of bounds", out.Values)
	}
	return out, nil
}

func days(n int) int32 { return int32(max(0, min(n, math.MaxInt16))) }

// hash returns a hash of the terms, and of what their weights are learned from: the latency of a target.
func hash(spec *v1alpha1.ForecastSpec) string {
	d, h := spec.Demand, fnv.New64a()
	_, _ = fmt.Fprintf(h, "%q %q %q %q", d.SourceName(), d.Resolution, spec.TargetRef.Kind, spec.TargetRef.Name)
	for _, t := range d.Terms {
		_, _ = fmt.Fprintf(h, " %q %q", t.Query, t.Weight)
	}
	if c := spec.Capacity; c != nil && c.Objective != nil {
		_, _ = fmt.Fprintf(h, " %q %q", c.Objective.Query, c.Objective.AtMost)
	}
	return strconv.FormatUint(h.Sum64(), 16)
}

// Alone returns the query for one term, without its weight.
func Alone(t v1alpha1.DemandTerm) string {
	d := v1alpha1.DemandSource{Terms: []v1alpha1.DemandTerm{{Query: t.Query, Weight: "1"}}}
	return d.PromQL()
}
