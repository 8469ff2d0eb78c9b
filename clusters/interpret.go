package clusters

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

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
	// maxTimeline bounds how far a timeline reaches, in all and from now on, and maxAhead how far from
	// now it may begin.
	maxTimeline = 31 * 24 * time.Hour
	maxAhead    = time.Hour
	// maxLead is what the longest spec.leadTime.max and spec.demand.settle make, a day each, and what
	// the control loops add.
	maxLead = 49 * time.Hour
	// The limits of the API, which refuses a whole status for the sake of one field.
	maxSegments   = 4
	maxValuesText = 8192
	maxStepText   = 32
	maxUID        = 64
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
// the overflow is what is still known. It holds no text of the other cluster: the timeline is
// decoded, and encoded again.
func Interpret(r Reading, of Reference, own Own, now time.Time) (Overflow, error) {
	if r.Forecast == nil {
		return Overflow{}, r.absent(of)
	}
	out := Overflow{Chain: chainOf(r.Forecast)}
	if err := check(r.Forecast, of, own, out.Chain); err != nil {
		return out, err
	}
	if err := out.read(r.Forecast, of, now); err != nil {
		return out, err
	}
	if r.Err != nil {
		return out, r.failed(of)
	}
	if !now.Before(out.Timeline.End()) {
		return out, errorf(TimelineEnded, "Forecast %s/%s of cluster %q has planned nothing new: "+
			"see its conditions there, and whether headstart runs there", of.Namespace, of.Name, of.Cluster)
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

// maxText bounds, in bytes, what a message repeats of another cluster.
const maxText = 300

// short returns the beginning of the text of an error, without the address of the request: tenants
// read it.
func short(err error) string {
	if request, ok := errors.AsType[*url.Error](err); ok && request.Err != nil {
		err = request.Err
	}
	return clip(err.Error())
}

// clip returns the beginning of a text, without what cannot be printed.
func clip(text string) string {
	cut := len(text) > maxText
	if cut {
		text = text[:maxText]
	}
	text = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if cut {
		text += "..."
	}
	return text
}

// chainOf returns the chain that an overflow of a Forecast comes through, the Forecast included. What
// cannot be a UID is left out: no Forecast of a cycle has it.
func chainOf(fc *v1alpha1.Forecast) []string {
	chain := []string{string(fc.UID)}
	if of := fc.Status.OverflowOf; of != nil {
		chain = append(chain, of.Chain...)
	}
	chain = slices.DeleteFunc(chain, func(uid string) bool { return !isUID(uid) })
	slices.Sort(chain)
	chain = slices.Compact(chain)
	return chain[:min(len(chain), maxChain)]
}

// isUID reports whether a text can be a UID: letters, digits and dashes.
func isUID(text string) bool {
	return text != "" && len(text) <= maxUID && !strings.ContainsFunc(text, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
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
	return clip(unit)
}

// read sets the timeline.
func (o *Overflow) read(fc *v1alpha1.Forecast, of Reference, now time.Time) error {
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
		return o.decode(v1alpha1.Plan{
			ComputedAt: all.ComputedAt, Start: all.Start, Segments: []v1alpha1.PlanSegment{nothing},
		}, "0s", of, now)
	case over.Version != v1alpha1.OverflowVersion:
		return errorf(OtherVersion, "the overflow of cluster %q is of version %d, and this headstart reads %d: "+
			"install the same version in both clusters", of.Cluster, over.Version, v1alpha1.OverflowVersion)
	}
	return o.decode(over.Timeline, over.Lead, of, now)
}
