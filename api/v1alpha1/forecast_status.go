package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Condition types of a Forecast. Reason and message of a condition say what is the case, and what
// to do about it.
const (
	// ConditionReady is True once the Forecast does what its mode says.
	ConditionReady = "Ready"
	// ConditionHistoryReady is True once the demand series has been read and is long enough for a
	// forecast.
	ConditionHistoryReady = "HistoryReady"
	// ConditionSkilled is True while the forecast, or the repeated last season, is better than the
	// last observed level. A forecast without skill is not served.
	ConditionSkilled = "Skilled"
	// ConditionLeadTimeLearned is True once the lead is learned from the target's own pods.
	ConditionLeadTimeLearned = "LeadTimeLearned"
	// ConditionStartsFailing is True while more than a few starts of the target's pods do not
	// finish. The lead is then that of the starts that finish.
	ConditionStartsFailing = "StartsFailing"
	// ConditionServing is True while a plan is published and has not expired.
	ConditionServing = "Serving"
	// ConditionHPALinted is True while the HPA that reads the Forecast is configured to follow it.
	ConditionHPALinted = "HPALinted"
	// ConditionWithinMaxReplicas is False while the plan needs more than the HPA's maxReplicas.
	ConditionWithinMaxReplicas = "WithinMaxReplicas"
	// ConditionPeaksValid is False while a PeakSchedule or Calendar of this Forecast cannot be
	// evaluated.
	ConditionPeaksValid = "PeaksValid"
	// ConditionDrifting is True while the requested level is missed by more than chance explains.
	ConditionDrifting = "Drifting"
	// ConditionObserved is False while observed demand could not be polled for more than three
	// polling intervals. The served value then does not depend on observed demand.
	ConditionObserved = "Observed"
	// ConditionOverloaded is True while the server has too little memory to give the Forecast all
	// that it gives others.
	ConditionOverloaded = "Overloaded"
	// ConditionFitsCluster is False while the plan needs more than this cluster can serve. What
	// overflows is in status.overflow.
	ConditionFitsCluster = "FitsCluster"
	// ConditionOverflowRead is True while what does not fit into another cluster is known here, for
	// a Forecast with spec.overflowOf.
	ConditionOverflowRead = "OverflowRead"
	// ConditionCapacityKnown is True while the capacity of a replica is learned, for a Forecast with
	// spec.capacity in mode Learned. While it is not, the configured one counts.
	ConditionCapacityKnown = "CapacityKnown"
	// ConditionSpendLimited is True while the plan is lowered, because the service level would cost
	// more than provisionFor.atMost, for a Forecast that sets it.
	ConditionSpendLimited = "SpendLimited"
)

// ForecastStatus is the observed state of a Forecast, and its plan. Only its owner, one of the
// replicas, writes it.
type ForecastStatus struct {
	// observedGeneration is the generation of the spec that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions say what works and what to do about what does not.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observed is the newest measured demand at the time of writing this status.
	// +optional
	Observed *Sample `json:"observed,omitempty"`
	// served is the value of the metric at the time of writing this status. It is in the unit of
	// demand, also where serve.unit is Replicas.
	// +optional
	Served *Sample `json:"served,omitempty"`
	// leadTime is the lead that the plan was made for.
	// +optional
	LeadTime *LeadTimeStatus `json:"leadTime,omitempty"`
	// capacityPerReplica is the demand that one ready replica serves, and the source of that
	// figure.
	// +optional
	CapacityPerReplica *CapacityStatus `json:"capacityPerReplica,omitempty"`
	// capacity is what was learned about what one ready replica serves, where spec.capacity asks for
	// that.
	// +optional
	Capacity *LearnedCapacity `json:"capacity,omitempty"`
	// demandWeights are the learned weights of spec.demand.terms that are in use. Where it is absent,
	// those of the spec are.
	// +optional
	DemandWeights *DemandWeights `json:"demandWeights,omitempty"`
	// model describes the forecasting model.
	// +optional
	Model *ModelStatus `json:"model,omitempty"`
	// nextPeak is the declared peak that is active, or that starts next.
	// +optional
	NextPeak *PeakOccurrence `json:"nextPeak,omitempty"`
	// plan is the demand to provision for, over time.
	// +optional
	Plan *Plan `json:"plan,omitempty"`
	// overflow is the part of the plan that this cluster cannot serve. It is absent where all of the
	// plan fits, and where that is not known: see the condition FitsCluster.
	// +optional
	Overflow *Overflow `json:"overflow,omitempty"`
	// overflowOf is what was last read from the Forecast in spec.overflowOf. It is used while that
	// cannot be read, until it ends.
	// +optional
	OverflowOf *OverflowSource `json:"overflowOf,omitempty"`
	// accuracy compares the plans with the demand that followed.
	// +optional
	Accuracy *AccuracyStatus `json:"accuracy,omitempty"`
	// spend compares what the plans of the last week asked for with what a reactive policy would have
	// taken, where spec.provisionFor.atMost bounds that.
	// +optional
	Spend *SpendStatus `json:"spend,omitempty"`
	// recentWrites are the times of the latest writes of this status, oldest first. The number of
	// writes an hour is limited, and a new owner continues the count.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	RecentWrites []metav1.Time `json:"recentWrites,omitempty"`
}

// Sample is the demand at one time.
type Sample struct {
	// value is the demand, in the unit of demand.
	// +required
	Value resource.Quantity `json:"value"`
	// time is the time of the value.
	// +required
	Time metav1.Time `json:"time"`
}

// LeadTimeSource is the source of a lead, the best one first.
//
// +kubebuilder:validation:Enum=Learned;Configured;Default
type LeadTimeSource string

// The sources of a lead.
const (
	LeadSourceLearned    LeadTimeSource = "Learned"
	LeadSourceConfigured LeadTimeSource = "Configured"
	LeadSourceDefault    LeadTimeSource = "Default"
)

// LeadTimeStatus is a lead, and what it was computed from.
type LeadTimeStatus struct {
	// value is the lead: warmUp plus controlLoopDelay.
	// +required
	Value Duration `json:"value"`
	// source is Learned, Configured or Default.
	// +required
	Source LeadTimeSource `json:"source"`
	// starts is the number of starts of the target's pods that the lead was computed from.
	// +optional
	Starts int32 `json:"starts,omitempty"`
	// warmUp is the requested percentile of the time from a pod's creation to Ready.
	// +optional
	WarmUp Duration `json:"warmUp,omitempty"`
	// controlLoopDelay is the longest time that the sync of the HPA, settle and the refresh of the
	// metric take together. The ramp of the HPA is not part of it: the plan begins earlier for
	// that.
	// +optional
	ControlLoopDelay Duration `json:"controlLoopDelay,omitempty"`
	// recentStarts are the latest starts, oldest first. They are stored here to survive a restart.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	RecentStarts []StartRecord `json:"recentStarts,omitempty"`
}

// StartRecord is one start of one pod, in short form.
type StartRecord struct {
	// pod is the first eight characters of the pod's UID.
	// +required
	// +kubebuilder:validation:MaxLength=8
	Pod string `json:"pod"`
	// created is when the pod was created.
	// +required
	Created metav1.Time `json:"created"`
	// warmUpSeconds is the time from creation to the first Ready, in seconds. Where outcome is
	// Unfinished, it is how long the start had lasted.
	// +required
	WarmUpSeconds int32 `json:"warmUpSeconds"`
	// outcome is Ready, or Unfinished where the pod ended or was lost before it was Ready.
	// +required
	// +kubebuilder:validation:Enum=Ready;Unfinished
	Outcome string `json:"outcome"`
	// path says what was warm already when the pod started: Warm, ColdImage or ColdNode.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Path string `json:"path,omitempty"`
	// key is a short hash of image, node pool and accelerator.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Key string `json:"key,omitempty"`
	// nodeSeconds is how long the pod waited for a new node, in seconds.
	// +optional
	NodeSeconds int32 `json:"nodeSeconds,omitempty"`
	// pullSeconds is how long the pull of the image took, in seconds.
	// +optional
	PullSeconds int32 `json:"pullSeconds,omitempty"`
}

// CapacityStatus is the demand that one replica serves, and the source of that figure.
type CapacityStatus struct {
	// value is the demand, in the unit of demand.
	// +required
	Value resource.Quantity `json:"value"`
	// source is Spec, HorizontalPodAutoscaler, ScaledObject or Learned.
	// +required
	// +kubebuilder:validation:Enum=Spec;HorizontalPodAutoscaler;ScaledObject;Learned
	Source string `json:"source"`
	// name is the name of the HorizontalPodAutoscaler or ScaledObject.
	// +optional
	Name string `json:"name,omitempty"`
	// demandHash is a short hash of the demand that value was learned of: its query, source and step.
	// Once spec.demand is another one, value no longer counts, and the configured capacity does.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	DemandHash string `json:"demandHash,omitempty"`
	// objectiveHash is a short hash of the objective that value was learned for: spec.targetRef, and the
	// objective, attain and replicas of spec.capacity. Once these are others, value counts only where it
	// is below the configured capacity.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	ObjectiveHash string `json:"objectiveHash,omitempty"`
}

// ModelStatus describes a forecasting model.
type ModelStatus struct {
	// fittedAt is the time of the last fit. It is derived from the time of the data, not from a
	// clock.
	// +optional
	FittedAt *metav1.Time `json:"fittedAt,omitempty"`
	// points is the number of points of the series that the last fit used.
	// +optional
	Points int32 `json:"points,omitempty"`
	// periods are the seasonal periods that were detected or given, shortest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4
	Periods []Duration `json:"periods,omitempty"`
	// skill is 1 − loss / loss of the better simple rule, on data that the model had not seen: on
	// held-out history and on demand since then. The simple rules are: the level stays as it is;
	// demand rises as a season ago. Above 0, the forecast is served. It is 0 where the last season
	// is repeated; then that is served.
	// +optional
	Skill string `json:"skill,omitempty"`
	// coverage is the share of lead windows that the estimate covered, on the same data.
	// +optional
	Coverage string `json:"coverage,omitempty"`
	// weights are the weights of the models in the combination.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Weights []ModelWeight `json:"weights,omitempty"`
	// warnings say what a user should know about the forecast.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Warnings []string `json:"warnings,omitempty"`
}

// AccuracyStatus says how good the plans were. In mode DryRun, it says how good they would have
// been.
type AccuracyStatus struct {
	// asked is the share of lead windows that must be covered. Under a shortage cost, it is the
	// share of steps.
	// +required
	Asked Decimal `json:"asked"`
	// lastDay is about the current period of six hours and the day before it.
	// +optional
	LastDay *AccuracyFigures `json:"lastDay,omitempty"`
	// lastWeek is about the current period of six hours and the week before it.
	// +optional
	LastWeek *AccuracyFigures `json:"lastWeek,omitempty"`
	// recordSince is the start of record.
	// +optional
	RecordSince *metav1.Time `json:"recordSince,omitempty"`
	// recordUntil is the newest step with a promise: a planned value to compare with demand. It
	// counts also where the comparison is still to come, and so is not in record yet.
	// +optional
	RecordUntil *metav1.Time `json:"recordUntil,omitempty"`
	// record holds the data of the figures, in periods of six hours, to survive a restart. It is
	// for Headstart itself.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Record string `json:"record,omitempty"`
}

// AccuracyFigures say how good the plans of a time were.
type AccuracyFigures struct {
	// windows is the number of scored lead windows. Under a shortage cost, it is the number of
	// steps.
	// +optional
	Windows int32 `json:"windows,omitempty"`
	// coverage is the share of them that the plan covered.
	// +optional
	Coverage string `json:"coverage,omitempty"`
	// skill is 1 − loss / loss of the better simple rule, without the declared peaks. The simple
	// rules are: the level stays as it is; demand rises as a season ago.
	// +optional
	Skill string `json:"skill,omitempty"`
	// bias is how much too high (above 0) or too low (below 0) demand was expected a lead ahead, as
	// a share of the demand.
	// +optional
	Bias string `json:"bias,omitempty"`
}

// SpendStatus compares what plans asked for with what a reactive policy would have taken.
type SpendStatus struct {
	// ratio is how many times the replica-hours of a reactive policy the plans of the last week asked
	// for.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Ratio string `json:"ratio,omitempty"`
	// unbounded is the same for plans that are not lowered: what the service level costs.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Unbounded string `json:"unbounded,omitempty"`
	// reachable is the share of lead windows that the plan covers as it is now, counted in the last
	// weeks.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Reachable string `json:"reachable,omitempty"`
	// recordSince is the start of record.
	// +optional
	RecordSince *metav1.Time `json:"recordSince,omitempty"`
	// recordUntil is the newest step that was counted.
	// +optional
	RecordUntil *metav1.Time `json:"recordUntil,omitempty"`
	// record holds the sums of periods of six hours, to survive a restart. It is for Headstart itself.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Record string `json:"record,omitempty"`
}

// ModelWeight is the weight of one model.
type ModelWeight struct {
	// name is the name of the model.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// weight is the weight, from 0 to 1.
	// +required
	Weight Decimal `json:"weight"`
}

// PeakOccurrence is one occurrence of a declared window.
type PeakOccurrence struct {
	// schedule is the name of the PeakSchedule.
	// +required
	Schedule string `json:"schedule"`
	// window is the name of the window in it.
	// +required
	Window string `json:"window"`
	// start is when the window starts, after any ramp-up.
	// +required
	Start metav1.Time `json:"start"`
	// end is when the window ends, before any ramp-down.
	// +required
	End metav1.Time `json:"end"`
}

// Plan is the timeline of demand to provision for. Its value at t is the demand to be covered over
// [t, t + lead].
type Plan struct {
	// computedAt is when the plan was made.
	// +required
	ComputedAt metav1.Time `json:"computedAt"`
	// start is the time from which the first segment counts.
	// +required
	Start metav1.Time `json:"start"`
	// end is the time at which the plan expires.
	// +required
	End metav1.Time `json:"end"`
	// segments follow each other without a gap. The first one has the resolution of the series,
	// later ones are coarser. A coarse value is the largest of the fine values that it replaces.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	Segments []PlanSegment `json:"segments"`
}

// OverflowVersion is the version of the form of Overflow. A reader refuses another one.
const OverflowVersion = 1

// Overflow is the part of a plan that its cluster cannot serve.
type Overflow struct {
	// version of this form: 1.
	// +required
	Version int32 `json:"version"`
	// unit of the values, as spec.unit names it.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Unit string `json:"unit,omitempty"`
	// from is when a part of the plan does not fit for the first time.
	// +required
	From metav1.Time `json:"from"`
	// reason is what keeps that part from fitting then: MaxReplicas, Nodes, Pool, Quota, Shared
	// (services of the same priority are short together) or Priority (the places go to a service of
	// a higher priority).
	// +required
	// +kubebuilder:validation:MaxLength=32
	Reason string `json:"reason"`
	// peak is the largest part that does not fit, in the unit of demand.
	// +required
	Peak resource.Quantity `json:"peak"`
	// peakReplicas is how many replicas that is here.
	// +optional
	PeakReplicas int32 `json:"peakReplicas,omitempty"`
	// peakAt is when that is.
	// +required
	PeakAt metav1.Time `json:"peakAt"`
	// lead is how far each value looks ahead: the value at t is for [t, t + lead].
	// +required
	Lead Duration `json:"lead"`
	// timeline is that part over time, for machines, in the form of plan.
	// +required
	Timeline Plan `json:"timeline"`
}

// OverflowSource is what was read from a Forecast of another cluster.
type OverflowSource struct {
	// cluster and forecast are those of spec.overflowOf when this was read.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Cluster string `json:"cluster"`
	// forecast is the namespace and name of the Forecast.
	// +required
	// +kubebuilder:validation:MaxLength=127
	Forecast string `json:"forecast"`
	// awaySince is when the cluster was last reached, while it cannot be reached.
	// +optional
	AwaySince *metav1.Time `json:"awaySince,omitempty"`
	// clockSkew is how far the clock there is ahead of the one here, or behind it with a minus sign,
	// where that is known. It is an estimate, to the second.
	// +optional
	// +kubebuilder:validation:MaxLength=33
	ClockSkew string `json:"clockSkew,omitempty"`
	// chain has the UIDs of the Forecasts that this one takes the overflow of, directly and through
	// others. A cycle is found by it.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=64
	Chain []string `json:"chain,omitempty"`
	// lead is how far each value of timeline looks ahead.
	// +optional
	Lead Duration `json:"lead,omitempty"`
	// timeline is what does not fit over there. It ends when nothing more is known.
	// +optional
	Timeline *Plan `json:"timeline,omitempty"`
}

// PlanSegment is a part of a plan. All its values have the same step.
type PlanSegment struct {
	// step is the time from one value to the next.
	// +required
	Step Duration `json:"step"`
	// values are decimal numbers in the unit of demand, separated by one space.
	// +required
	// +kubebuilder:validation:MaxLength=8192
	Values string `json:"values"`
	// expected are the medians of the demand in the same steps, as decimal numbers. They are not
	// served: a WarmPool compares them with values to see how uncertain the plan is. Only the
	// nearest steps have them.
	// +optional
	// +kubebuilder:validation:MaxLength=8192
	Expected string `json:"expected,omitempty"`
	// most is what is served at most in the same steps, whatever is observed, as decimal numbers and
	// - for no bound. It holds a Forecast of a lower priority back.
	// +optional
	// +kubebuilder:validation:MaxLength=8192
	Most string `json:"most,omitempty"`
}
