package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Forecast is the demand of one service, ahead of time. It is served as an external metric of its own name, and as the Object
// metric "demand" on itself: the demand that must be covered by the time a replica asked for now is ready.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=fc,categories=headstart
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Observed",type=string,JSONPath=`.status.observed.value`
// +kubebuilder:printcolumn:name="Served",type=string,JSONPath=`.status.served.value`
// +kubebuilder:printcolumn:name="Lead",type=string,JSONPath=`.status.leadTime.value`
// +kubebuilder:printcolumn:name="Source",type=string,JSONPath=`.status.leadTime.source`,priority=1
// +kubebuilder:printcolumn:name="Skill",type=string,JSONPath=`.status.model.skill`
// +kubebuilder:printcolumn:name="Plan until",type=string,JSONPath=`.status.plan.end`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63 && !(self.metadata.name in ['status', 'finalize'])",message="name is served as a metric name: at most 63 characters, and neither status nor finalize"
type Forecast struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the user asks for.
	// +required
	Spec ForecastSpec `json:"spec"`
	// status is what Headstart made of it.
	// +optional
	Status ForecastStatus `json:"status,omitempty"`
}

// ForecastList is a list of Forecasts.
//
// +kubebuilder:object:root=true
type ForecastList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// items are the Forecasts.
	Items []Forecast `json:"items"`
}

// ForecastSpec is what a user says about one service.
//
// +kubebuilder:validation:XValidation:rule="!has(self.bounds) || !has(self.bounds.min) || !has(self.bounds.max) || quantity(string(self.bounds.min)).compareTo(quantity(string(self.bounds.max))) <= 0",message="bounds.min must not be above bounds.max"
type ForecastSpec struct {
	// demand is where the load of the service is measured. Without it the Forecast serves its peaks alone.
	// +optional
	Demand *DemandSource `json:"demand,omitempty"`
	// targetRef names the workload whose pods teach the lead: any kind with a scale subresource, in this namespace.
	// +required
	TargetRef TargetReference `json:"targetRef"`
	// capacityPerReplica is the demand that one ready replica serves, in the unit of demand. Without it the averageValue of
	// the HPA that reads this Forecast is used.
	// +optional
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).isGreaterThan(quantity('0'))",message="capacityPerReplica must be above 0"
	CapacityPerReplica *resource.Quantity `json:"capacityPerReplica,omitempty"`
	// leadTime says how the time from "asked for" to "serving" is known.
	// +optional
	// +kubebuilder:default={mode: Learned}
	LeadTime LeadTime `json:"leadTime,omitempty"`
	// provisionFor is how sure the served demand shall be: a service level (a promise) or a shortage cost (a trade-off).
	// +optional
	// +kubebuilder:default={serviceLevel: "0.99"}
	ProvisionFor ProvisionFor `json:"provisionFor,omitempty"`
	// horizon is how far ahead the plan reaches, and so how long serving goes on while Prometheus or the leader is away.
	// +optional
	// +kubebuilder:default="24h"
	Horizon Duration `json:"horizon,omitempty"`
	// seasonality says what the forecaster cannot see in the numbers.
	// +optional
	Seasonality Seasonality `json:"seasonality,omitempty"`
	// bounds hold forecast and peaks; observed demand may exceed max, for the HPA's maxReplicas is the hard stop.
	// +optional
	Bounds Bounds `json:"bounds,omitempty"`
	// mode is Active, DryRun (plans, serves observed demand only) or Paused (plans nothing, serves observed demand only).
	// +optional
	// +kubebuilder:default=Active
	Mode ForecastMode `json:"mode,omitempty"`
	// onPlanExpiry says what is served once the plan is over and no new one came.
	// +optional
	// +kubebuilder:default={policy: Error}
	OnPlanExpiry OnPlanExpiry `json:"onPlanExpiry,omitempty"`
}

// DemandSource is where the demand series of a service comes from.
type DemandSource struct {
	// prometheus is a PromQL query that yields exactly one series.
	// +required
	Prometheus PrometheusQuery `json:"prometheus"`
	// resolution is the step of the series.
	// +optional
	// +kubebuilder:default="1m"
	Resolution Duration `json:"resolution,omitempty"`
	// history is how far back the series is read.
	// +optional
	// +kubebuilder:default="28d"
	History Duration `json:"history,omitempty"`
	// settle is the newest part of the series that is still filling up and is not read yet.
	// +optional
	// +kubebuilder:default="30s"
	Settle Duration `json:"settle,omitempty"`
}

// PrometheusQuery is a query and the source that answers it.
type PrometheusQuery struct {
	// query is PromQL that yields one series, the demand in the user's unit.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Query string `json:"query"`
	// source names a Prometheus of the server's configuration file.
	// +optional
	// +kubebuilder:default=default
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Source string `json:"source,omitempty"`
}

// TargetReference names a scalable workload in the Forecast's namespace.
type TargetReference struct {
	// apiVersion of the workload, such as apps/v1.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	APIVersion string `json:"apiVersion"`
	// kind of the workload, such as Deployment.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// name of the workload.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// LeadTime says how the lead is known.
//
// +kubebuilder:validation:XValidation:rule="self.mode != 'Fixed' || has(self.fixed)",message="mode Fixed needs fixed, such as 10m"
// +kubebuilder:validation:XValidation:rule="self.mode == 'Fixed' || !has(self.fixed)",message="fixed is read in mode Fixed only: set mode to Fixed, or use default as the starting value of mode Learned"
type LeadTime struct {
	// mode is Learned (from the target's own pods) or Fixed.
	// +optional
	// +kubebuilder:default=Learned
	Mode LeadTimeMode `json:"mode,omitempty"`
	// percentile of the observed warm-ups that the lead covers.
	// +optional
	// +kubebuilder:default=90
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=99
	Percentile int32 `json:"percentile,omitempty"`
	// default is the warm-up that is assumed until enough starts were seen; 5m without it.
	// +optional
	Default *Duration `json:"default,omitempty"`
	// max is the longest lead that is believed.
	// +optional
	// +kubebuilder:default="30m"
	Max Duration `json:"max,omitempty"`
	// fixed is the lead in mode Fixed, with the control loop's own delay.
	// +optional
	Fixed *Duration `json:"fixed,omitempty"`
}

// LeadTimeMode is how the lead is known.
//
// +kubebuilder:validation:Enum=Learned;Fixed
type LeadTimeMode string

// The modes of a lead.
const (
	LeadTimeLearned LeadTimeMode = "Learned"
	LeadTimeFixed   LeadTimeMode = "Fixed"
)

// ProvisionFor is exactly one of a service level and a shortage cost.
//
// +kubebuilder:validation:XValidation:rule="has(self.serviceLevel) != has(self.shortageCost)",message="give exactly one of serviceLevel (such as \"0.99\") and shortageCost (such as \"20\")"
type ProvisionFor struct {
	// serviceLevel is the probability that the served demand covers the whole lead window, from 0.5 to 0.9999.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]+([.][0-9]+)?$') && double(self) >= 0.5 && double(self) <= 0.9999",message="serviceLevel must be from 0.5 to 0.9999, such as \"0.99\""
	ServiceLevel *Decimal `json:"serviceLevel,omitempty"`
	// shortageCost is how many times a unit of unserved demand costs what serving it would have cost: above 1, at most 10000.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]+([.][0-9]+)?$') && double(self) > 1.0 && double(self) <= 10000.0",message="shortageCost must be above 1 and at most 10000, such as \"20\""
	ShortageCost *Decimal `json:"shortageCost,omitempty"`
}

// Seasonality is what the forecaster cannot see in the numbers.
type Seasonality struct {
	// timeZone whose wall clock the daily cycle follows.
	// +optional
	// +kubebuilder:default=UTC
	TimeZone TimeZone `json:"timeZone,omitempty"`
	// calendars name Calendars whose days behave in a way of their own.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=253
	Calendars []string `json:"calendars,omitempty"`
	// periods of the demand, when they are known better than the numbers say. Detected without it.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=4
	Periods []Duration `json:"periods,omitempty"`
}

// Bounds of forecast and peaks, in the unit of demand.
type Bounds struct {
	// min is never gone below.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!quantity(string(self)).isLessThan(quantity('0'))",message="bounds.min must not be below 0"
	Min *resource.Quantity `json:"min,omitempty"`
	// max is never exceeded, but by observed demand.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!quantity(string(self)).isLessThan(quantity('0'))",message="bounds.max must not be below 0"
	Max *resource.Quantity `json:"max,omitempty"`
}

// ForecastMode is whether the plan is served.
//
// +kubebuilder:validation:Enum=Active;DryRun;Paused
type ForecastMode string

// The modes of a Forecast.
const (
	// ForecastActive plans and serves the plan.
	ForecastActive ForecastMode = "Active"
	// ForecastDryRun plans and serves observed demand only.
	ForecastDryRun ForecastMode = "DryRun"
	// ForecastPaused plans nothing and serves observed demand only.
	ForecastPaused ForecastMode = "Paused"
)

// OnPlanExpiry says what is served once the plan is over.
//
// +kubebuilder:validation:XValidation:rule="(self.policy == 'Static') == has(self.value)",message="policy Static needs value, and no other policy takes one"
type OnPlanExpiry struct {
	// policy is Error (the HPA holds), Observed or Static.
	// +optional
	// +kubebuilder:default=Error
	Policy ExpiryPolicy `json:"policy,omitempty"`
	// value is served by policy Static.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!quantity(string(self)).isLessThan(quantity('0'))",message="value must not be below 0"
	Value *resource.Quantity `json:"value,omitempty"`
}

// ExpiryPolicy is what is served once the plan is over.
//
// +kubebuilder:validation:Enum=Error;Observed;Static
type ExpiryPolicy string

// The policies for an outlived plan.
const (
	ExpiryError    ExpiryPolicy = "Error"
	ExpiryObserved ExpiryPolicy = "Observed"
	ExpiryStatic   ExpiryPolicy = "Static"
)
