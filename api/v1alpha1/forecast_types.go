package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Forecast plans the demand of one service ahead of time. It is served as an external metric with
// the name of the Forecast, and as the Object metric "demand" on the Forecast itself. Both have the
// same value: the demand that must be covered by the time a replica requested now is ready, or the
// replicas for that demand.
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

	// spec is the desired behaviour of the Forecast.
	// +required
	Spec ForecastSpec `json:"spec"`
	// status is the observed state of the Forecast, and its plan.
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

// ForecastSpec is the desired behaviour of a Forecast.
//
// +kubebuilder:validation:XValidation:rule="!has(self.serve) || !has(self.serve.unit) || self.serve.unit != 'Replicas' || has(self.capacityPerReplica) || has(self.capacity) && has(self.capacity.default)",message="serve.unit Replicas needs capacityPerReplica, or capacity.default: an averageValue of 1 does not say what one replica serves"
// +kubebuilder:validation:XValidation:rule="!has(self.capacityPerReplica) || !has(self.capacity) || !has(self.capacity.default)",message="give one of capacityPerReplica and capacity.default, not both: they mean the same"
// +kubebuilder:validation:XValidation:rule="!has(self.capacity) || self.capacity.mode != 'Learned' || has(self.demand)",message="capacity.mode Learned needs demand: the capacity is learned from demand and latency"
// +kubebuilder:validation:XValidation:rule="!has(self.demand) || !has(self.demand.weights) || self.demand.weights != 'Learned' || has(self.capacity) && self.capacity.mode == 'Learned' && has(self.serve) && has(self.serve.unit) && self.serve.unit == 'Replicas'",message="demand.weights Learned needs capacity.mode Learned, since both are learned from the same latency, and serve.unit Replicas, since a target in demand would be wrong with other weights"
// +kubebuilder:validation:XValidation:rule="!has(self.provisionFor) || !has(self.provisionFor.atMost) || has(self.demand) && !has(self.overflowOf)",message="provisionFor.atMost needs demand, to know what a reactive policy would take, and cannot be together with overflowOf, whose demand is not observed here"
// +kubebuilder:validation:XValidation:rule="!has(self.bounds) || !has(self.bounds.min) || !has(self.bounds.max) || !string(self.bounds.min).matches('^[^eE]*([eE][+-]?[0-9]{1,2})?$') || !string(self.bounds.max).matches('^[^eE]*([eE][+-]?[0-9]{1,2})?$') || quantity(string(self.bounds.min)).compareTo(quantity(string(self.bounds.max))) <= 0",message="bounds.min must not be above bounds.max"
type ForecastSpec struct {
	// demand is the source of the demand series. Without it, the Forecast serves the declared peaks
	// alone.
	// +optional
	Demand *DemandSource `json:"demand,omitempty"`
	// targetRef names the workload from whose pods the lead is learned. It can be of any kind with
	// a scale subresource. It is in the namespace of the Forecast.
	// +required
	TargetRef TargetReference `json:"targetRef"`
	// capacityPerReplica is the demand that one ready replica serves, in the unit of demand.
	// Without it, the averageValue of the HPA that reads this Forecast is used.
	// +optional
	// +kubebuilder:validation:XValidation:rule="string(self).matches('^[+]?[0-9.]*[1-9]')",message="capacityPerReplica must be above 0"
	CapacityPerReplica *resource.Quantity `json:"capacityPerReplica,omitempty"`
	// capacity lets the demand that one ready replica serves be learned, from demand, ready replicas
	// and latency. Until there is enough of that, capacityPerReplica counts, or capacity.default, or
	// the averageValue of the HPA.
	// +optional
	Capacity *Capacity `json:"capacity,omitempty"`
	// unit names the unit of demand, such as requests/s. It is only a name: nothing is converted.
	// Another cluster that plans what does not fit here refuses to add another unit to its own.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_./%-]*$`
	Unit string `json:"unit,omitempty"`
	// priority says which Forecast keeps its places when the ones that share the nodes of a WarmPool
	// are short together: the one with the larger number. The others are held back to their minimum,
	// and the rest of their plans overflows. Forecasts of one priority share what there is.
	// +optional
	// +kubebuilder:validation:Minimum=-1000
	// +kubebuilder:validation:Maximum=1000
	Priority int32 `json:"priority,omitempty"`
	// overflowOf names a Forecast of another cluster. What its cluster cannot serve is planned for
	// here, in addition to the demand and the peaks of this Forecast.
	// +optional
	OverflowOf *OverflowReference `json:"overflowOf,omitempty"`
	// serve says how the metric is served. It changes no plan.
	// +optional
	// +kubebuilder:default={unit: Demand}
	Serve Serve `json:"serve,omitempty"`
	// leadTime says how the lead is determined: the time from the request for a replica until it
	// serves.
	// +optional
	// +kubebuilder:default={mode: Learned}
	LeadTime LeadTime `json:"leadTime,omitempty"`
	// provisionFor says how much demand to provision for: by a service level or by a shortage cost.
	// +optional
	// +kubebuilder:default={serviceLevel: "0.99"}
	ProvisionFor ProvisionFor `json:"provisionFor,omitempty"`
	// horizon is how far ahead the plan reaches. For that long, the Forecast is served while
	// Prometheus or Headstart is unavailable.
	// +optional
	// +kubebuilder:default="24h"
	Horizon Duration `json:"horizon,omitempty"`
	// seasonality holds facts that the series alone does not show.
	// +optional
	Seasonality Seasonality `json:"seasonality,omitempty"`
	// bounds limit the forecast and the peaks. Observed demand may exceed max, because the hard
	// limit is the maxReplicas of the HPA.
	// +optional
	Bounds Bounds `json:"bounds,omitempty"`
	// mode is Active, DryRun (makes plans, serves observed demand only) or Paused (makes no plans,
	// serves observed demand only).
	// +optional
	// +kubebuilder:default=Active
	Mode ForecastMode `json:"mode,omitempty"`
	// onPlanExpiry says what is served when the plan has ended and there is no new one.
	// +optional
	// +kubebuilder:default={policy: Error}
	OnPlanExpiry OnPlanExpiry `json:"onPlanExpiry,omitempty"`
}

// OverflowReference names a Forecast of another cluster.
type OverflowReference struct {
	// cluster is the name of a cluster in the server's configuration of clusters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Cluster string `json:"cluster"`
	// forecast is the namespace and name of the Forecast there, such as shop/chat-model.
	// +required
	// +kubebuilder:validation:MaxLength=127
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Forecast string `json:"forecast"`
}

// TargetReference names a scalable workload in the Forecast's namespace.
type TargetReference struct {
	// apiVersion is the API version of the workload, such as apps/v1.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	APIVersion string `json:"apiVersion"`
	// kind is the kind of the workload, such as Deployment.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// name is the name of the workload.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// Serve says how the metric is served.
type Serve struct {
	// unit is Demand (the unit of demand; the averageValue of the HPA is what one replica serves) or
	// Replicas (demand divided by what one replica serves; the averageValue of the HPA is "1"). With
	// Replicas, nobody has to change the HPA when the capacity changes, also where it is learned.
	// +optional
	// +kubebuilder:default=Demand
	Unit ServeUnit `json:"unit,omitempty"`
}

// ServeUnit is the unit of the metric.
//
// +kubebuilder:validation:Enum=Demand;Replicas
type ServeUnit string

// The units of the metric.
const (
	// ServeDemand serves demand, in its own unit.
	ServeDemand ServeUnit = "Demand"
	// ServeReplicas serves the replicas that the demand needs, with a fraction.
	ServeReplicas ServeUnit = "Replicas"
)

// LeadTime says how the lead is determined.
//
// +kubebuilder:validation:XValidation:rule="self.mode != 'Fixed' || has(self.fixed)",message="mode Fixed needs fixed, such as 10m"
// +kubebuilder:validation:XValidation:rule="self.mode == 'Fixed' || !has(self.fixed)",message="fixed is read in mode Fixed only: set mode to Fixed, or use default as the starting value of mode Learned"
type LeadTime struct {
	// mode is Learned (measured on the target's own pods) or Fixed.
	// +optional
	// +kubebuilder:default=Learned
	Mode LeadTimeMode `json:"mode,omitempty"`
	// percentile is the percentile of the observed warm-ups that the lead covers.
	// +optional
	// +kubebuilder:default=90
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=99
	Percentile int32 `json:"percentile,omitempty"`
	// default is the warm-up that is assumed until enough starts have been observed. Without it,
	// that is 5m.
	// +optional
	Default *Duration `json:"default,omitempty"`
	// max is the upper limit of the lead. A longer lead is cut to it.
	// +optional
	// +kubebuilder:default="30m"
	Max Duration `json:"max,omitempty"`
	// fixed is the lead in mode Fixed. It includes the delay of the control loop.
	// +optional
	Fixed *Duration `json:"fixed,omitempty"`
}

// LeadTimeMode says how the lead is determined.
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
// +kubebuilder:validation:XValidation:rule="!has(self.atMost) || has(self.serviceLevel)",message="atMost needs serviceLevel: a shortage cost already weighs what it pays, so lower shortageCost instead"
type ProvisionFor struct {
	// serviceLevel is the probability that the served demand covers the whole lead window, from 0.5
	// to 0.9999.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]+([.][0-9]+)?$') && double(self) >= 0.5 && double(self) <= 0.9999",message="serviceLevel must be from 0.5 to 0.9999, such as \"0.99\""
	ServiceLevel *Decimal `json:"serviceLevel,omitempty"`
	// shortageCost says how many times worse a unit of unserved demand is than serving it: above 1,
	// at most 10000.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]+([.][0-9]+)?$') && double(self) > 1.0 && double(self) <= 10000.0",message="shortageCost must be above 1 and at most 10000, such as \"20\""
	ShortageCost *Decimal `json:"shortageCost,omitempty"`
	// atMost bounds what the service level may cost: how many times the replica-hours of a reactive
	// policy the plans of a week may ask for, from 1 to 1000. When it is reached, the plan is lowered,
	// and the condition SpendLimited says which level can be reached. Observed demand and declared
	// peaks are provided for all the same.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]+([.][0-9]+)?$') && double(self) >= 1.0 && double(self) <= 1000.0",message="atMost must be from 1 to 1000, such as \"2\""
	AtMost *Decimal `json:"atMost,omitempty"`
}

// Seasonality holds facts that the series alone does not show.
type Seasonality struct {
	// timeZone is the zone whose wall clock the daily cycle follows.
	// +optional
	// +kubebuilder:default=UTC
	TimeZone TimeZone `json:"timeZone,omitempty"`
	// calendars are names of Calendars whose days have a demand pattern of their own.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=253
	Calendars []string `json:"calendars,omitempty"`
	// periods are the seasonal periods of the demand, where you know them better than the series
	// shows. Without it, they are detected.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=4
	Periods []Duration `json:"periods,omitempty"`
}

// Bounds limit the forecast and the peaks, in the unit of demand.
type Bounds struct {
	// min is the lower bound.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!string(self).startsWith('-')",message="bounds.min must not be below 0"
	Min *resource.Quantity `json:"min,omitempty"`
	// max is the upper bound. Observed demand may exceed it.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!string(self).startsWith('-')",message="bounds.max must not be below 0"
	Max *resource.Quantity `json:"max,omitempty"`
}

// ForecastMode says whether plans are made, and whether they are served.
//
// +kubebuilder:validation:Enum=Active;DryRun;Paused
type ForecastMode string

// The modes of a Forecast.
const (
	// ForecastActive makes plans and serves them.
	ForecastActive ForecastMode = "Active"
	// ForecastDryRun makes plans and serves observed demand only.
	ForecastDryRun ForecastMode = "DryRun"
	// ForecastPaused makes no plans and serves observed demand only.
	ForecastPaused ForecastMode = "Paused"
)

// OnPlanExpiry says what is served when the plan has ended.
//
// +kubebuilder:validation:XValidation:rule="(self.policy == 'Static') == has(self.value)",message="policy Static needs value, and no other policy takes one"
type OnPlanExpiry struct {
	// policy is Error (there is no metric, so the HPA holds), Observed (observed demand) or Static
	// (value).
	// +optional
	// +kubebuilder:default=Error
	Policy ExpiryPolicy `json:"policy,omitempty"`
	// value is what policy Static serves.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!string(self).startsWith('-')",message="value must not be below 0"
	Value *resource.Quantity `json:"value,omitempty"`
}

// ExpiryPolicy says what is served when the plan has ended.
//
// +kubebuilder:validation:Enum=Error;Observed;Static
type ExpiryPolicy string

// The policies for a plan that has ended.
const (
	ExpiryError    ExpiryPolicy = "Error"
	ExpiryObserved ExpiryPolicy = "Observed"
	ExpiryStatic   ExpiryPolicy = "Static"
)
