package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Condition types of a Forecast. Each says with reason and message what is, and what to do about it.
const (
	// ConditionReady is True once the Forecast does what its mode asks for.
	ConditionReady = "Ready"
	// ConditionHistoryReady is True once the demand series was read and is long enough to forecast from.
	ConditionHistoryReady = "HistoryReady"
	// ConditionSkilled is True while the forecast, or the last season repeated, beats the level as it is; a forecast without skill is not served.
	ConditionSkilled = "Skilled"
	// ConditionLeadTimeLearned is True once the lead rests on the target's own starts.
	ConditionLeadTimeLearned = "LeadTimeLearned"
	// ConditionStartsFailing is True while starts of the target's pods fail to finish, more than now and then; the lead is that of those that finish.
	ConditionStartsFailing = "StartsFailing"
	// ConditionServing is True while a plan that is not outlived is published.
	ConditionServing = "Serving"
	// ConditionHPALinted is True when the HPA that reads the Forecast is set up to follow it.
	ConditionHPALinted = "HPALinted"
	// ConditionWithinMaxReplicas is False as soon as the plan needs more than the HPA's maxReplicas.
	ConditionWithinMaxReplicas = "WithinMaxReplicas"
	// ConditionPeaksValid is False while a PeakSchedule or Calendar that this Forecast names cannot be evaluated.
	ConditionPeaksValid = "PeaksValid"
	// ConditionDrifting is True while the level that was asked for is missed by more than chance explains.
	ConditionDrifting = "Drifting"
	// ConditionObserved is False while observed demand could not be polled for longer than three polls, and so holds nothing up.
	ConditionObserved = "Observed"
)

// ForecastStatus is what Headstart made of a Forecast. Only the leader writes it.
type ForecastStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions say what works and what to do about what does not.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observed is the demand that was measured last when this status was written.
	// +optional
	Observed *Sample `json:"observed,omitempty"`
	// served is the metric's value when this status was written.
	// +optional
	Served *Sample `json:"served,omitempty"`
	// leadTime is the lead that the plan was made with.
	// +optional
	LeadTime *LeadTimeStatus `json:"leadTime,omitempty"`
	// capacityPerReplica is the demand that one ready replica serves, and where that figure comes from.
	// +optional
	CapacityPerReplica *CapacityStatus `json:"capacityPerReplica,omitempty"`
	// model says what the forecast rests on.
	// +optional
	Model *ModelStatus `json:"model,omitempty"`
	// nextPeak is the declared peak that is active or starts next.
	// +optional
	NextPeak *PeakOccurrence `json:"nextPeak,omitempty"`
	// plan is the demand to provision for.
	// +optional
	Plan *Plan `json:"plan,omitempty"`
	// accuracy is how good what the plan said turned out to be.
	// +optional
	Accuracy *AccuracyStatus `json:"accuracy,omitempty"`
	// recentWrites are the times of the newest writes of this status, oldest first, so that a new leader does not begin their count anew.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	RecentWrites []metav1.Time `json:"recentWrites,omitempty"`
}

// Sample is one value of demand at one time.
type Sample struct {
	// value in the unit of demand.
	// +required
	Value resource.Quantity `json:"value"`
	// time that the value is for.
	// +required
	Time metav1.Time `json:"time"`
}

// LeadTimeSource is where a lead comes from, best first.
//
// +kubebuilder:validation:Enum=Learned;Configured;Default
type LeadTimeSource string

// Where a lead comes from.
const (
	LeadSourceLearned    LeadTimeSource = "Learned"
	LeadSourceConfigured LeadTimeSource = "Configured"
	LeadSourceDefault    LeadTimeSource = "Default"
)

// LeadTimeStatus is a lead and what it rests on.
type LeadTimeStatus struct {
	// value is the lead: warm-up and controlLoopDelay together.
	// +required
	Value Duration `json:"value"`
	// source is Learned, Configured or Default.
	// +required
	Source LeadTimeSource `json:"source"`
	// starts is how many starts of the target's pods the lead rests on.
	// +optional
	Starts int32 `json:"starts,omitempty"`
	// warmUp is the asked percentile of created to Ready.
	// +optional
	WarmUp Duration `json:"warmUp,omitempty"`
	// controlLoopDelay is the time that HPA sync, settling and refresh take at the longest. The HPA's ramp is not in it: the plan begins earlier for that.
	// +optional
	ControlLoopDelay Duration `json:"controlLoopDelay,omitempty"`
	// recentStarts are the newest starts, oldest first, so that a restart forgets nothing.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	RecentStarts []StartRecord `json:"recentStarts,omitempty"`
}

// StartRecord is one start of one pod, as short as it can be said.
type StartRecord struct {
	// pod is the first eight characters of the pod's UID.
	// +required
	// +kubebuilder:validation:MaxLength=8
	Pod string `json:"pod"`
	// created is when the pod was created.
	// +required
	Created metav1.Time `json:"created"`
	// warmUpSeconds from created to first Ready; or how long it has lasted, where outcome is not Ready.
	// +required
	WarmUpSeconds int32 `json:"warmUpSeconds"`
	// outcome is Ready, or Unfinished where the pod ended or was lost before.
	// +required
	// +kubebuilder:validation:Enum=Ready;Unfinished
	Outcome string `json:"outcome"`
	// path is what was warm when the pod started: Warm, ColdImage or ColdNode.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Path string `json:"path,omitempty"`
	// key is a short hash of image, node pool and accelerator.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Key string `json:"key,omitempty"`
	// nodeSeconds is how long it waited for a node that had to come up.
	// +optional
	NodeSeconds int32 `json:"nodeSeconds,omitempty"`
	// pullSeconds is how long the pull of the image took.
	// +optional
	PullSeconds int32 `json:"pullSeconds,omitempty"`
}

// CapacityStatus is the demand that one replica serves, and where that figure comes from.
type CapacityStatus struct {
	// value in the unit of demand.
	// +required
	Value resource.Quantity `json:"value"`
	// source is Spec or HorizontalPodAutoscaler.
	// +required
	// +kubebuilder:validation:Enum=Spec;HorizontalPodAutoscaler
	Source string `json:"source"`
	// name of the HorizontalPodAutoscaler.
	// +optional
	Name string `json:"name,omitempty"`
}

// ModelStatus says what a forecast rests on.
type ModelStatus struct {
	// fittedAt is the instant of data time of the last fit.
	// +optional
	FittedAt *metav1.Time `json:"fittedAt,omitempty"`
	// points of the series that the last fit looked at.
	// +optional
	Points int32 `json:"points,omitempty"`
	// periods that were found or given, shortest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4
	Periods []Duration `json:"periods,omitempty"`
	// skill is 1 − loss / loss of the better simple rule (the level stays; demand rises as a season ago), on history that was held out and
	// since; above 0 the forecast is served. It is 0 where the last season is repeated, which is served then.
	// +optional
	Skill string `json:"skill,omitempty"`
	// coverage is the share of lead windows that the estimate covered there.
	// +optional
	Coverage string `json:"coverage,omitempty"`
	// weights of the models in the combination.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Weights []ModelWeight `json:"weights,omitempty"`
	// warnings are what a user should know about the forecast.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Warnings []string `json:"warnings,omitempty"`
}

// AccuracyStatus is how good the plan turned out to be since it is served, or would have been in mode DryRun.
type AccuracyStatus struct {
	// asked is the share of lead windows (of steps, under a shortage cost) that shall be covered.
	// +required
	Asked Decimal `json:"asked"`
	// lastDay is about the six hours that are under way and the day before them.
	// +optional
	LastDay *AccuracyFigures `json:"lastDay,omitempty"`
	// lastWeek is about the six hours that are under way and the week before them.
	// +optional
	LastWeek *AccuracyFigures `json:"lastWeek,omitempty"`
	// recordSince is when record begins.
	// +optional
	RecordSince *metav1.Time `json:"recordSince,omitempty"`
	// recordUntil is the newest step whose promise is in the record, or would be if it was scored by then.
	// +optional
	RecordUntil *metav1.Time `json:"recordUntil,omitempty"`
	// record is what the figures are made of, in pieces of six hours, so that a restart forgets nothing. For Headstart itself.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Record string `json:"record,omitempty"`
}

// AccuracyFigures say how good the plan was over a time.
type AccuracyFigures struct {
	// windows is how many lead windows (steps, under a shortage cost) were scored.
	// +optional
	Windows int32 `json:"windows,omitempty"`
	// coverage is the share of them that the plan covered.
	// +optional
	Coverage string `json:"coverage,omitempty"`
	// skill is 1 − loss / loss of the better simple rule (the level stays; demand rises as a season ago), declared peaks aside.
	// +optional
	Skill string `json:"skill,omitempty"`
	// bias is by which share of the demand a lead ahead too much (above 0) or too little (below 0) was expected.
	// +optional
	Bias string `json:"bias,omitempty"`
}

// ModelWeight is the share of one model.
type ModelWeight struct {
	// name of the model.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// weight from 0 to 1.
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
	// start of the window, after any ramp-up.
	// +required
	Start metav1.Time `json:"start"`
	// end of the window, before any ramp-down.
	// +required
	End metav1.Time `json:"end"`
}

// Plan is the timeline of demand to provision for: at t, the demand to be covered over [t, t + lead].
type Plan struct {
	// computedAt is when the plan was made.
	// +required
	ComputedAt metav1.Time `json:"computedAt"`
	// start is the instant from which the first segment counts.
	// +required
	Start metav1.Time `json:"start"`
	// end is the instant at which the plan is outlived.
	// +required
	End metav1.Time `json:"end"`
	// segments follow each other without a gap, the nearest at the series' own resolution, later ones coarser. A coarse
	// value is the largest of the fine ones that it stands for.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	Segments []PlanSegment `json:"segments"`
}

// PlanSegment is a run of plan values at one step.
type PlanSegment struct {
	// step of the values.
	// +required
	Step Duration `json:"step"`
	// values are decimal numbers in the unit of demand, separated by one space.
	// +required
	// +kubebuilder:validation:MaxLength=8192
	Values string `json:"values"`
	// expected is what is expected of the same steps, in the middle of what is possible. It is not served: a WarmPool reads from it how unsure the
	// values are. Only the nearest steps have it.
	// +optional
	// +kubebuilder:validation:MaxLength=8192
	Expected string `json:"expected,omitempty"`
}
