package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Capacity says how the demand that one ready replica serves is known.
//
// +kubebuilder:validation:XValidation:rule="self.mode != 'Learned' || has(self.objective)",message="mode Learned needs objective: the latency query, and the value that it must not exceed"
// +kubebuilder:validation:XValidation:rule="!has(self.min) || !has(self.max) || !string(self.min).matches('^[^eE]*([eE][+-]?[0-9]{1,2})?$') || !string(self.max).matches('^[^eE]*([eE][+-]?[0-9]{1,2})?$') || quantity(string(self.min)).compareTo(quantity(string(self.max))) <= 0",message="capacity.min must not be above capacity.max"
type Capacity struct {
	// mode is Learned (the largest load per ready replica at which objective is met) or Fixed
	// (capacityPerReplica or default, or the averageValue of the HPA).
	// +optional
	// +kubebuilder:default=Learned
	Mode CapacityMode `json:"mode,omitempty"`
	// objective is the latency that a replica has to keep.
	// +optional
	Objective *Objective `json:"objective,omitempty"`
	// attain is the share of steps that must meet the objective, from 0.5 to 0.9999.
	// +optional
	// +kubebuilder:default="0.99"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]+([.][0-9]+)?$') && double(self) >= 0.5 && double(self) <= 0.9999",message="attain must be from 0.5 to 0.9999, such as \"0.99\""
	Attain Decimal `json:"attain,omitempty"`
	// replicas is the query for the ready replicas of the target. Without it, that of
	// kube-state-metrics is used for a Deployment, a StatefulSet or a ReplicaSet. Where it gives no
	// series, the ready pods are counted from now on.
	// +optional
	Replicas *SeriesQuery `json:"replicas,omitempty"`
	// min is the least that a replica is taken to serve, whatever is learned.
	// +optional
	// +kubebuilder:validation:XValidation:rule="string(self).matches('^[+]?[0-9.]*[1-9]')",message="capacity.min must be above 0"
	Min *resource.Quantity `json:"min,omitempty"`
	// max is the most that a replica is taken to serve, whatever is learned. Without it, that is four
	// times the configured capacity.
	// +optional
	// +kubebuilder:validation:XValidation:rule="string(self).matches('^[+]?[0-9.]*[1-9]')",message="capacity.max must be above 0"
	Max *resource.Quantity `json:"max,omitempty"`
	// default counts while there is too little evidence. It is the same as capacityPerReplica: give
	// one of them, or none where the averageValue of the HPA counts.
	// +optional
	// +kubebuilder:validation:XValidation:rule="string(self).matches('^[+]?[0-9.]*[1-9]')",message="capacity.default must be above 0"
	Default *resource.Quantity `json:"default,omitempty"`
}

// CapacityMode says how the capacity of a replica is known.
//
// +kubebuilder:validation:Enum=Learned;Fixed
type CapacityMode string

// The modes of a capacity.
const (
	CapacityLearned CapacityMode = "Learned"
	CapacityFixed   CapacityMode = "Fixed"
)

// Objective is a latency, and the value that it must not exceed.
type Objective struct {
	// query is PromQL that returns one series: the latency, such as the 95th percentile of the time
	// to the first token.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Query string `json:"query"`
	// source is the name of a Prometheus in the server's configuration file. Without it, that is the
	// one of demand.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Source string `json:"source,omitempty"`
	// atMost is the objective, in the unit of the query. Most queries are in seconds.
	// +required
	// +kubebuilder:validation:XValidation:rule="self.matches('[1-9]')",message="atMost must be above 0, such as \"0.5\""
	AtMost Decimal `json:"atMost"`
}

// SeriesQuery is a query for one series, and the Prometheus that answers it.
type SeriesQuery struct {
	// query is PromQL that returns one series.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Query string `json:"query"`
	// source is the name of a Prometheus in the server's configuration file. Without it, that is the
	// one of demand.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Source string `json:"source,omitempty"`
}

// CapacitySource is where the capacity that is used comes from.
//
// +kubebuilder:validation:Enum=Default;AtLeast;Learned
type CapacitySource string

// The sources of a capacity.
const (
	// CapacitySourceDefault is the configured capacity, for lack of evidence.
	CapacitySourceDefault CapacitySource = "Default"
	// CapacitySourceAtLeast is the configured capacity, or what was really carried where that is more:
	// the service was never near its limit.
	CapacitySourceAtLeast CapacitySource = "AtLeast"
	// CapacitySourceLearned is a learned one.
	CapacitySourceLearned CapacitySource = "Learned"
)

// LearnedCapacity is what was learned about the capacity of a replica. All demands are for each
// ready replica, in the unit of demand.
type LearnedCapacity struct {
	// value is what the plan and the metric are made with: the learned capacity, or the configured
	// one. It follows what is learned in steps of a few percent, so that the metric does not waver.
	// +required
	Value resource.Quantity `json:"value"`
	// source is Default (for lack of evidence), AtLeast (never near the limit) or Learned.
	// +required
	Source CapacitySource `json:"source"`
	// estimate is the largest load at which the objective is met, as the newest data show it. It is
	// absent without evidence.
	// +optional
	Estimate *resource.Quantity `json:"estimate,omitempty"`
	// lower is the lower confidence bound of estimate.
	// +optional
	Lower *resource.Quantity `json:"lower,omitempty"`
	// atLeast is true where the service was never near its limit: then the capacity is estimate or
	// more.
	// +optional
	AtLeast bool `json:"atLeast,omitempty"`
	// carried is the largest load that was really carried with the objective met.
	// +optional
	Carried *resource.Quantity `json:"carried,omitempty"`
	// steps is how many steps taught something.
	// +optional
	Steps int32 `json:"steps,omitempty"`
	// missed is how many of steps missed the objective.
	// +optional
	Missed int32 `json:"missed,omitempty"`
	// since is the first step that counts: the last change that was found, or the first step read.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
	// until is the end of the newest step that was read.
	// +optional
	Until *metav1.Time `json:"until,omitempty"`
	// demandHash is a short hash of the demand that this was learned of: its query, source and step.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	DemandHash string `json:"demandHash,omitempty"`
	// release is a short hash of the image and accelerator of the target's newest ready pods.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Release string `json:"release,omitempty"`
	// releasedAt is when the first pod of release was ready. What was learned before is a guide only: it
	// counts less with every step that teaches since.
	// +optional
	ReleasedAt *metav1.Time `json:"releasedAt,omitempty"`
}
