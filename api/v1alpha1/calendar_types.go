package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Calendar names days with a demand pattern of their own, such as holidays and sales. A
// PeakSchedule uses them for exceptions, a Forecast learns their pattern.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=cal,categories=headstart
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Next",type=string,JSONPath=`.status.next[0].date`
// +kubebuilder:printcolumn:name="Name of next",type=string,JSONPath=`.status.next[0].name`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Calendar struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the list of days.
	// +required
	Spec CalendarSpec `json:"spec"`
	// status says which days are next.
	// +optional
	Status CalendarStatus `json:"status,omitempty"`
}

// CalendarList is a list of Calendars.
//
// +kubebuilder:object:root=true
type CalendarList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// items are the Calendars.
	Items []Calendar `json:"items"`
}

// CalendarSpec is a list of named days.
type CalendarSpec struct {
	// days are the named days of the calendar.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=512
	Days []CalendarDay `json:"days"`
}

// CalendarDay is a named day, on given dates or by a rule for every year.
//
// +kubebuilder:validation:XValidation:rule="has(self.dates) != has(self.yearly)",message="give exactly one of dates and yearly"
type CalendarDay struct {
	// name is the name of the day. Days with the same name are the same kind of day.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Name string `json:"name"`
	// dates are days such as "2026-02-17", or ranges such as "2026-10-01/2026-10-07". A range
	// includes its first and its last day.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=21
	// +kubebuilder:validation:items:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}(/[0-9]{4}-[0-9]{2}-[0-9]{2})?$`
	Dates []string `json:"dates,omitempty"`
	// yearly is a rule for every year.
	// +optional
	Yearly *YearlyRule `json:"yearly,omitempty"`
}

// YearlyRule is a fixed day of a month, or the nth weekday of one.
//
// +kubebuilder:validation:XValidation:rule="has(self.day) != (has(self.weekday) && has(self.nth))",message="give day, or weekday together with nth"
// +kubebuilder:validation:XValidation:rule="has(self.weekday) == has(self.nth)",message="weekday and nth go together"
type YearlyRule struct {
	// month is the month, from 1 to 12.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=12
	Month int32 `json:"month"`
	// day is the day of the month. In a year that does not have that day, the rule gives no day.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=31
	Day *int32 `json:"day,omitempty"`
	// weekday is the day of the week, such as Thursday.
	// +optional
	// +kubebuilder:validation:Enum=Monday;Tuesday;Wednesday;Thursday;Friday;Saturday;Sunday
	Weekday *string `json:"weekday,omitempty"`
	// nth says which of these weekdays in the month it is: 1 to 5, or -1 for the last.
	// +optional
	// +kubebuilder:validation:Enum=1;2;3;4;5;-1
	Nth *int32 `json:"nth,omitempty"`
}

// CalendarStatus says which days are next.
type CalendarStatus struct {
	// observedGeneration is the generation of the spec that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions has one type: Ready is True while every day can be evaluated.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// next are the next days, soonest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=3
	Next []NamedDate `json:"next,omitempty"`
}

// NamedDate is a day with its name.
type NamedDate struct {
	// date is the day, such as 2026-12-25.
	// +required
	Date string `json:"date"`
	// name is the name of the day.
	// +required
	Name string `json:"name"`
}
