package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PeakSchedule declares windows of extra or minimum demand that people know about, by cron or by date.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=peak;peaks,categories=headstart
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.spec.state`
// +kubebuilder:printcolumn:name="Active",type=string,JSONPath=`.status.activeWindows`
// +kubebuilder:printcolumn:name="Next",type=string,JSONPath=`.status.next[0].window`
// +kubebuilder:printcolumn:name="Next start",type=string,JSONPath=`.status.next[0].localStart`
// +kubebuilder:printcolumn:name="Zone",type=string,JSONPath=`.spec.timeZone`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type PeakSchedule struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the user declares.
	// +required
	Spec PeakScheduleSpec `json:"spec"`
	// status is what it means now.
	// +optional
	Status PeakScheduleStatus `json:"status,omitempty"`
}

// PeakScheduleList is a list of PeakSchedules.
//
// +kubebuilder:object:root=true
type PeakScheduleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// items are the PeakSchedules.
	Items []PeakSchedule `json:"items"`
}

// PeakScheduleSpec says when, how much, and for which Forecasts.
//
// +kubebuilder:validation:XValidation:rule="has(self.forecastSelector) || has(self.forecastRefs)",message="name the Forecasts to lift: by forecastRefs or by forecastSelector"
type PeakScheduleSpec struct {
	// forecastSelector picks the Forecasts of this namespace by label; {} picks all.
	// +optional
	ForecastSelector *metav1.LabelSelector `json:"forecastSelector,omitempty"`
	// forecastRefs pick Forecasts of this namespace by name, besides the selected ones.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	ForecastRefs []ForecastReference `json:"forecastRefs,omitempty"`
	// timeZone in whose wall clock schedules, starts and dates are read.
	// +required
	TimeZone TimeZone `json:"timeZone"`
	// state is Active or Suspended.
	// +optional
	// +kubebuilder:default=Active
	State PeakScheduleState `json:"state,omitempty"`
	// windows are the declared peaks.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Windows []PeakWindow `json:"windows"`
	// except are days on which no window starts.
	// +optional
	Except *Days `json:"except,omitempty"`
	// only are the days on which windows may start; every day without it.
	// +optional
	Only *Days `json:"only,omitempty"`
}

// PeakScheduleState is whether a PeakSchedule counts.
//
// +kubebuilder:validation:Enum=Active;Suspended
type PeakScheduleState string

// The states of a PeakSchedule.
const (
	PeakScheduleActive    PeakScheduleState = "Active"
	PeakScheduleSuspended PeakScheduleState = "Suspended"
)

// ForecastReference names a Forecast of the same namespace.
type ForecastReference struct {
	// name of the Forecast.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
}

// PeakWindow is one declared window, recurring by cron or once by date.
//
// +kubebuilder:validation:XValidation:rule="has(self.schedule) != has(self.start)",message="give exactly one of schedule (five cron fields) and start (a wall-clock date and time)"
type PeakWindow struct {
	// name of the window, unique in its PeakSchedule.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
	// schedule is five cron fields: minute, hour, day of month, month, day of week. Macros, seconds and TZ= are refused.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9A-Za-z*/,?-]+( +[0-9A-Za-z*/,?-]+){4}$')",message="schedule must have exactly five cron fields (minute hour day-of-month month day-of-week), without seconds, macros or TZ="
	Schedule string `json:"schedule,omitempty"`
	// start of a one-off window in the zone's wall clock, such as "2026-11-11T00:00".
	// +optional
	// +kubebuilder:validation:MaxLength=19
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?$`
	Start string `json:"start,omitempty"`
	// duration of the window, in elapsed time.
	// +required
	Duration Duration `json:"duration"`
	// demand is what the window says about demand.
	// +required
	Demand PeakDemand `json:"demand"`
	// rampUp is how long before the start demand rises towards the window's.
	// +optional
	RampUp *Duration `json:"rampUp,omitempty"`
	// rampDown is how long after the end demand falls back.
	// +optional
	RampDown *Duration `json:"rampDown,omitempty"`
}

// PeakDemand is exactly one statement about demand.
//
// +kubebuilder:validation:XValidation:rule="[has(self.atLeast), has(self.add), has(self.multiply), has(self.replicas), has(self.atMost)].filter(x, x).size() == 1",message="give exactly one of atLeast, add, multiply, replicas and atMost"
type PeakDemand struct {
	// atLeast this much demand, in the unit of demand.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="!quantity(string(self)).isLessThan(quantity('0'))",message="atLeast must not be below 0"
	AtLeast *resource.Quantity `json:"atLeast,omitempty"`
	// add this much demand to the forecast.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="!quantity(string(self)).isLessThan(quantity('0'))",message="add must not be below 0"
	Add *resource.Quantity `json:"add,omitempty"`
	// multiply the forecast, as it would be without the peak, by this factor.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]+([.][0-9]+)?$') && double(self) > 0.0 && double(self) <= 1000.0",message="multiply must be above 0 and at most 1000, such as \"3\""
	Multiply *Decimal `json:"multiply,omitempty"`
	// replicas, at least, through the capacity per replica.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	Replicas *int32 `json:"replicas,omitempty"`
	// atMost this much demand: a declared quiet time. Observed demand still counts.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="!quantity(string(self)).isLessThan(quantity('0'))",message="atMost must not be below 0"
	AtMost *resource.Quantity `json:"atMost,omitempty"`
}

// Days is a set of days: dates, ranges of dates and the days of Calendars.
//
// +kubebuilder:validation:XValidation:rule="has(self.dates) || has(self.calendars)",message="give dates or calendars"
type Days struct {
	// dates such as "2026-12-24", or ranges with both ends in them such as "2026-10-01/2026-10-07".
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=366
	// +kubebuilder:validation:items:MaxLength=21
	// +kubebuilder:validation:items:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}(/[0-9]{4}-[0-9]{2}-[0-9]{2})?$`
	Dates []string `json:"dates,omitempty"`
	// calendars by name.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=253
	Calendars []string `json:"calendars,omitempty"`
}

// PeakScheduleStatus is what a PeakSchedule means now.
type PeakScheduleStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions: Ready says whether every window can be evaluated.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// activeWindows are the names of the active windows in one line; empty while none is.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ActiveWindows string `json:"activeWindows,omitempty"`
	// active windows.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Active []WindowOccurrence `json:"active,omitempty"`
	// next occurrences, soonest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=3
	Next []WindowOccurrence `json:"next,omitempty"`
	// expired one-off windows.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Expired []string `json:"expired,omitempty"`
	// forecasts that are lifted.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	Forecasts []LiftedForecast `json:"forecasts,omitempty"`
}

// WindowOccurrence is one occurrence of a window, in wall clock and in UTC.
type WindowOccurrence struct {
	// window by name.
	// +required
	Window string `json:"window"`
	// localStart is the start in the schedule's wall clock with its offset.
	// +required
	LocalStart string `json:"localStart"`
	// start of the window.
	// +required
	Start metav1.Time `json:"start"`
	// end of the window.
	// +required
	End metav1.Time `json:"end"`
}

// LiftedForecast says what one Forecast gets from a PeakSchedule.
type LiftedForecast struct {
	// name of the Forecast.
	// +required
	Name string `json:"name"`
	// demand that the Forecast's plan provides for now, all of its peaks applied; empty while no window of this schedule is
	// active, or there is no plan.
	// +optional
	Demand *resource.Quantity `json:"demand,omitempty"`
	// demandAtNext is what the plan provides for when the next window starts; empty while the plan does not reach so far.
	// +optional
	DemandAtNext *resource.Quantity `json:"demandAtNext,omitempty"`
}
