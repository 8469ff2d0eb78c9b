package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PeakSchedule declares windows of extra, least or most demand that are known in advance, by cron
// or by date.
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
	// status says what the spec means now.
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

// PeakScheduleSpec says when peaks occur, how large they are, and for which Forecasts.
//
// +kubebuilder:validation:XValidation:rule="has(self.forecastSelector) || has(self.forecastRefs)",message="select Forecasts by forecastRefs or by forecastSelector"
type PeakScheduleSpec struct {
	// forecastSelector selects Forecasts of this namespace by label. The empty selector {} selects
	// all.
	// +optional
	ForecastSelector *metav1.LabelSelector `json:"forecastSelector,omitempty"`
	// forecastRefs selects Forecasts of this namespace by name, in addition to forecastSelector.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	ForecastRefs []ForecastReference `json:"forecastRefs,omitempty"`
	// timeZone is the zone of the wall clock in which schedules, starts and dates are read.
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
	// except is the set of days on which no window starts.
	// +optional
	Except *Days `json:"except,omitempty"`
	// only is the set of days on which windows may start. Without it, that is every day.
	// +optional
	Only *Days `json:"only,omitempty"`
}

// PeakScheduleState says whether the windows of a PeakSchedule count.
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
	// name is the name of the Forecast.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
}

// PeakWindow is one declared window. It recurs by cron, or occurs once.
//
// +kubebuilder:validation:XValidation:rule="has(self.schedule) != has(self.start)",message="give exactly one of schedule (five cron fields) and start (a wall-clock date and time)"
type PeakWindow struct {
	// name is the name of the window. It is unique in its PeakSchedule.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
	// schedule is a cron expression with five fields: minute, hour, day of month, month, day of
	// week. Macros, seconds and TZ= are invalid.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9A-Za-z*/,?-]+( +[0-9A-Za-z*/,?-]+){4}$')",message="schedule must have exactly five cron fields (minute hour day-of-month month day-of-week), without seconds, macros or TZ="
	Schedule string `json:"schedule,omitempty"`
	// start is the start of a window that occurs once, on the wall clock of timeZone, such as
	// "2026-11-11T00:00".
	// +optional
	// +kubebuilder:validation:MaxLength=19
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?$`
	Start string `json:"start,omitempty"`
	// duration is how long the window lasts, in elapsed time.
	// +required
	Duration Duration `json:"duration"`
	// demand is what the window says about demand.
	// +required
	Demand PeakDemand `json:"demand"`
	// rampUp is how long before the start demand begins to rise towards the value of the window.
	// +optional
	RampUp *Duration `json:"rampUp,omitempty"`
	// rampDown is how long demand takes to fall back after the end.
	// +optional
	RampDown *Duration `json:"rampDown,omitempty"`
}

// PeakDemand is exactly one statement about demand.
//
// +kubebuilder:validation:XValidation:rule="[has(self.atLeast), has(self.add), has(self.multiply), has(self.replicas), has(self.atMost)].filter(x, x).size() == 1",message="give exactly one of atLeast, add, multiply, replicas and atMost"
type PeakDemand struct {
	// atLeast is the least demand during the window, in the unit of demand.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="!string(self).startsWith('-')",message="atLeast must not be below 0"
	AtLeast *resource.Quantity `json:"atLeast,omitempty"`
	// add is added to the forecast, in the unit of demand.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="!string(self).startsWith('-')",message="add must not be below 0"
	Add *resource.Quantity `json:"add,omitempty"`
	// multiply is a factor for the forecast, as it would be without the peak.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]+([.][0-9]+)?$') && double(self) > 0.0 && double(self) <= 1000.0",message="multiply must be above 0 and at most 1000, such as \"3\""
	Multiply *Decimal `json:"multiply,omitempty"`
	// replicas is the least number of replicas. The capacity per replica turns it into demand.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	Replicas *int32 `json:"replicas,omitempty"`
	// atMost is the most demand during the window: a declared quiet time. Observed demand may
	// exceed it.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="!string(self).startsWith('-')",message="atMost must not be below 0"
	AtMost *resource.Quantity `json:"atMost,omitempty"`
}

// Days is a set of days: dates, ranges of dates and the days of Calendars.
//
// +kubebuilder:validation:XValidation:rule="has(self.dates) || has(self.calendars)",message="give dates or calendars"
type Days struct {
	// dates are days such as "2026-12-24", or ranges such as "2026-10-01/2026-10-07". A range
	// includes its first and its last day.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=366
	// +kubebuilder:validation:items:MaxLength=21
	// +kubebuilder:validation:items:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}(/[0-9]{4}-[0-9]{2}-[0-9]{2})?$`
	Dates []string `json:"dates,omitempty"`
	// calendars are names of Calendars. All their days are in the set.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=253
	Calendars []string `json:"calendars,omitempty"`
}

// PeakScheduleStatus says what a PeakSchedule means now.
type PeakScheduleStatus struct {
	// observedGeneration is the generation of the spec that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions has one type: Ready is True while every window can be evaluated and every Forecast
	// that is named exists.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// activeWindows are the names of the active windows in one line. It is empty while no window is
	// active.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ActiveWindows string `json:"activeWindows,omitempty"`
	// active are the windows that are active now.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Active []WindowOccurrence `json:"active,omitempty"`
	// next are the next occurrences, soonest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=3
	Next []WindowOccurrence `json:"next,omitempty"`
	// expired are the names of the windows that occur once and are over.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Expired []string `json:"expired,omitempty"`
	// forecasts are the Forecasts that the schedule applies to.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	Forecasts []SelectedForecast `json:"forecasts,omitempty"`
}

// WindowOccurrence is one occurrence of a window.
type WindowOccurrence struct {
	// window is the name of the window.
	// +required
	Window string `json:"window"`
	// localStart is the start on the wall clock of timeZone, with the offset from UTC.
	// +required
	LocalStart string `json:"localStart"`
	// start is when the window starts.
	// +required
	Start metav1.Time `json:"start"`
	// end is when the window ends.
	// +required
	End metav1.Time `json:"end"`
}

// SelectedForecast is a Forecast that a PeakSchedule applies to.
type SelectedForecast struct {
	// name is the name of the Forecast.
	// +required
	Name string `json:"name"`
	// demand is what the plan of the Forecast provides for now, with all its peaks. It is empty
	// while no window of this schedule is active, and while there is no plan.
	// +optional
	Demand *resource.Quantity `json:"demand,omitempty"`
	// demandAtNext is what the plan provides for when the next window starts. It is empty while the
	// plan does not reach that far.
	// +optional
	DemandAtNext *resource.Quantity `json:"demandAtNext,omitempty"`
}
