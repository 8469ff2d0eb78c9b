package clusters

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner/plan"
)

const (
	// maxChain is the most Forecasts that an overflow goes through: the API's limit.
	maxChain = 16
	// skewTold is from which skew on it is told. Below, it is no more than a fraction of a lead.
	skewTold = 15 * time.Second
	// maxTimeline and maxValues bound what is taken from another cluster.
	maxTimeline = 31 * 24 * time.Hour
	maxValues   = 4 * 4096
)

// Own is what the reading Forecast says of itself.
type Own struct {
	UID  types.UID
	Unit string
}

// Overflow is what does not fit into another cluster.
type Overflow struct {
	// Timeline of that demand, also as status carries it; nil where it is not known.
	Timeline *plan.Plan
	Encoded  *v1alpha1.Plan
	// Lead is how far each of its values looks ahead.
	Lead time.Duration
	// Chain has the UIDs of the Forecasts that it comes through. It is known also where the overflow
	// is refused, so that all of a cycle see it.
	Chain []string
}

// Interpret returns what a reading says of the overflow. The error is an [*Error]. Beside an error
// the overflow is what is still known.
func Interpret(r Reading, of Reference, own Own) (Overflow, error) {
	if r.Forecast == nil {
		return Overflow{}, r.absent(of)
	}
	out := Overflow{Chain: chainOf(r.Forecast)}
	if err := check(r.Forecast, of, own, out.Chain); err != nil {
		return out, err
	}
	if err := out.read(r.Forecast, of); err != nil {
		return out, err
	}
	if r.Err != nil {
		return out, r.failed(of)
	}
	if skew := r.Skew; r.SkewKnown && skew.Abs() >= skewTold {
		return out, errorf(ClockSkew, "the clock of cluster %q is %s, and so is what is planned for it here: "+
			"set the clocks of both clusters by NTP", of.Cluster, ahead(skew))
	}
	return out, nil
}

// ahead describes a skew.
func ahead(skew time.Duration) string {
	if skew < 0 {
		return string(v1alpha1.FormatDuration(-skew)) + " behind"
	}
	return string(v1alpha1.FormatDuration(skew)) + " ahead"
}

// absent returns why there is no Forecast.
func (r Reading) absent(of Reference) error {
	switch {
	case r.Err != nil:
		return r.failed(of)
	case !r.Synced:
		return errorf(NotReadYet, "cluster %q has not answered yet", of.Cluster)
	}
	return errorf(ForecastNotFound, "cluster %q has no Forecast %s/%s: create it, or correct spec.overflowOf.forecast",
		of.Cluster, of.Namespace, of.Name)
}

// failed returns what the error of a request means, and what to do.
func (r Reading) failed(of Reference) error {
	switch kind := reasonOf(r.Err); kind {
	case ClusterForbidden:
		return errorf(kind, "cluster %q does not let headstart read the Forecasts of namespace %q: apply the Role of "+
			"manifests/overflow/reader.yaml there, for the user of its kubeconfig: %s", of.Cluster, of.Namespace, short(r.Err))
	case OtherVersion:
		return errorf(kind, "cluster %q does not serve Forecasts as %s: install the same version of headstart in both "+
			"clusters: %s", of.Cluster, v1alpha1.GroupVersion, short(r.Err))
	default:
		return errorf(kind, "cluster %q cannot be reached since %s: %s",
			of.Cluster, r.Since.UTC().Format(time.RFC3339), short(r.Err))
	}
}

// maxCause bounds, in bytes, what a message repeats of an error of another cluster.
const maxCause = 300

// short returns the beginning of the text of an error.
func short(err error) string {
	text := err.Error()
	if len(text) > maxCause {
		text = strings.ToValidUTF8(text[:maxCause], "") + "..."
	}
	return text
}

// chainOf returns the chain that an overflow of a Forecast comes through, the Forecast included.
func chainOf(fc *v1alpha1.Forecast) []string {
	chain := []string{string(fc.UID)}
	if of := fc.Status.OverflowOf; of != nil {
		chain = append(chain, of.Chain...)
	}
	slices.Sort(chain)
	chain = slices.Compact(chain)
	return chain[:min(len(chain), maxChain)]
}

// check returns why an overflow must not be planned for.
func check(fc *v1alpha1.Forecast, of Reference, own Own, chain []string) error {
	switch {
	case slices.Contains(chain, string(own.UID)):
		return errorf(Cycle, "what does not fit into cluster %q comes from here, directly or through others: "+
			"remove spec.overflowOf of one Forecast of the cycle", of.Cluster)
	case len(chain) >= maxChain:
		return errorf(ChainTooLong, "the overflow of cluster %q comes through %d clusters or more: "+
			"name one that is nearer to its origin", of.Cluster, maxChain)
	case fc.Spec.Unit != own.Unit:
		return errorf(UnitDiffers, "the demand of Forecast %s/%s of cluster %q is in %s, and here in %s: "+
			"set spec.unit of both to the same, and correct the query or the capacity of the one that differs",
			of.Namespace, of.Name, of.Cluster, unitName(fc.Spec.Unit), unitName(own.Unit))
	}
	return nil
}

func unitName(unit string) string {
	if unit == "" {
		return "a unit without a name"
	}
	return unit
}

// read sets the timeline.
func (o *Overflow) read(fc *v1alpha1.Forecast, of Reference) error {
	fits := meta.FindStatusCondition(fc.Status.Conditions, v1alpha1.ConditionFitsCluster)
	over, all := fc.Status.Overflow, fc.Status.Plan
	switch {
	case over == nil && all == nil:
		return errorf(NoPlanThere, "Forecast %s/%s of cluster %q has no plan: see its conditions there",
			of.Namespace, of.Name, of.Cluster)
	case over == nil && fits == nil:
		return errorf(OtherVersion, "the headstart of cluster %q does not say what overflows: install the same version "+
			"in both clusters", of.Cluster)
	case over == nil:
		nothing := v1alpha1.PlanSegment{Step: v1alpha1.FormatDuration(all.End.Sub(all.Start.Time)), Values: "0"}
		o.Encoded = &v1alpha1.Plan{
			ComputedAt: all.ComputedAt, Start: all.Start, End: all.End, Segments: []v1alpha1.PlanSegment{nothing},
		}
	case over.Version != v1alpha1.OverflowVersion:
		return errorf(OtherVersion, "the overflow of cluster %q is of version %d, and this headstart reads %d: "+
			"install the same version in both clusters", of.Cluster, over.Version, v1alpha1.OverflowVersion)
	default:
		o.Encoded = &over.Timeline
		lead, err := over.Lead.Parse()
		if err != nil {
			return errorf(TimelineInvalid, "the overflow of cluster %q cannot be read: lead: %v", of.Cluster, err)
		}
		o.Lead = lead
	}
	return o.decode(of)
}

// decode decodes the timeline, within bounds.
func (o *Overflow) decode(of Reference) error {
	decoded, err := plan.Decode(*o.Encoded)
	if err != nil {
		o.Encoded = nil
		return errorf(TimelineInvalid, "the overflow of cluster %q cannot be read: %v", of.Cluster, err)
	}
	n := 0
	for _, s := range decoded.Segments {
		n += len(s.Values)
	}
	if n > maxValues || decoded.End().Sub(decoded.Start) > maxTimeline || decoded.End().Before(decoded.Start) {
		o.Encoded = nil
		return errorf(TimelineInvalid, "the overflow of cluster %q has %d values for %s, which is more than is read",
			of.Cluster, n, decoded.End().Sub(decoded.Start))
	}
	o.Timeline = &decoded
	return nil
}

// Restore returns what a Forecast's own status still knows of an overflow.
func Restore(status *v1alpha1.OverflowSource, of Reference) Overflow {
	if status == nil || status.Timeline == nil ||
		status.Cluster != of.Cluster || status.Forecast != of.Namespace+"/"+of.Name {
		return Overflow{}
	}
	out := Overflow{Encoded: status.Timeline, Chain: status.Chain}
	if out.decode(of) != nil {
		return Overflow{}
	}
	out.Lead, _ = status.Lead.Parse()
	return out
}
