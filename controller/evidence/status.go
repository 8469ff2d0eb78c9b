package evidence

import (
	"math"

	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/capacity"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/history"
)

// Status returns what status says about the capacity, of which inUse is used; nil where that is not
// known. Until the past is read after a restart, it is what an earlier owner has learned, if that was
// of the demand of demandHash.
func (l *Learner) Status(
	inUse float64, demandHash string, before *v1alpha1.LearnedCapacity,
) *v1alpha1.LearnedCapacity {
	if !(inUse > 0) {
		return nil
	}
	out := &v1alpha1.LearnedCapacity{Source: v1alpha1.CapacitySourceDefault}
	if known, ok := l.Known(); before != nil && before.DemandHash == demandHash && !l.current {
		out = before.DeepCopy()
	} else if ok {
		out = describe(known)
		out.Until = new(kube.MetaTime(l.Until()))
	}
	out.Value, out.DemandHash = QuantityOf(inUse), demandHash
	out.Release, out.ReleasedAt = l.releases.current, nil
	if at := l.releases.at; !at.IsZero() {
		out.ReleasedAt = new(kube.MetaTime(at))
	}
	return out
}

// describe describes an estimate for status.
func describe(c capacity.Estimate) *v1alpha1.LearnedCapacity {
	count := func(n float64) int32 { return int32(min(max(n, 0), math.MaxInt32)) }
	return &v1alpha1.LearnedCapacity{
		Source: v1alpha1.CapacitySource(c.Source), AtLeast: c.AtLeast, Steps: count(c.Steps), Missed: count(c.Missed),
		Estimate: knownQuantity(c.Capacity), Lower: knownQuantity(c.Lower), Carried: knownQuantity(c.Carried),
		Since: new(kube.MetaTime(c.Since)),
	}
}

// knownQuantity returns a capacity as a quantity; nil where it is not known.
func knownQuantity(c float64) *resource.Quantity {
	if !(c > 0) || math.IsInf(c, 0) {
		return nil
	}
	return new(QuantityOf(c))
}

// QuantityOf returns a capacity with six digits: the replicas of a demand follow from it, so it
// is not rounded to thousandths as a demand is.
func QuantityOf(c float64) resource.Quantity {
	c = min(c, history.MaxDemand) // a Quantity above 1e18 is written wrongly
	q, err := resource.ParseQuantity(string(v1alpha1.FormatDecimal(c, 6)))
	if err != nil || q.Sign() <= 0 {
		return kube.QuantityOf(c)
	}
	return q
}
