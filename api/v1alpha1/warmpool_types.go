package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WarmPool says what may be warmed ahead of the plans of the Forecasts that it selects, and within which limits.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=wp,categories=headstart
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Placeholders",type=integer,JSONPath=`.status.placeholders`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type WarmPool struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what may be warmed.
	// +required
	Spec WarmPoolSpec `json:"spec"`
	// status is what is warm.
	// +optional
	Status WarmPoolStatus `json:"status,omitempty"`
}

// WarmPoolList is a list of WarmPools.
//
// +kubebuilder:object:root=true
type WarmPoolList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// items are the WarmPools.
	Items []WarmPool `json:"items"`
}

// Condition types of a WarmPool, beside Ready.
const (
	// ConditionNodesWarm is True while nodes are held as the plans need them.
	ConditionNodesWarm = "NodesWarm"
	// ConditionImagesWarm is True while the nodes that the plans will use have the images.
	ConditionImagesWarm = "ImagesWarm"
	// ConditionCapacityShort is True once a plan needs more than the nodes and the limits can give.
	ConditionCapacityShort = "CapacityShort"
)

// WarmPoolSpec is what may be warmed.
type WarmPoolSpec struct {
	// forecastSelector picks the Forecasts of this namespace by label; {} picks all.
	// +required
	ForecastSelector metav1.LabelSelector `json:"forecastSelector"`
	// mode is Active or DryRun, which warms nothing and says in status what it would do.
	// +optional
	// +kubebuilder:default=Active
	Mode WarmPoolMode `json:"mode,omitempty"`
	// limits bound what is held for all Forecasts together, by resource name, such as nvidia.com/gpu.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Limits map[string]resource.Quantity `json:"limits,omitempty"`
	// nodes says how nodes are brought up ahead of the plan.
	// +optional
	// +kubebuilder:default={policy: Auto}
	Nodes WarmNodes `json:"nodes,omitempty"`
	// images says how images are brought to the nodes ahead of the plan.
	// +optional
	// +kubebuilder:default={policy: Auto}
	Images WarmImages `json:"images,omitempty"`
}

// WarmPoolMode is whether a WarmPool acts.
//
// +kubebuilder:validation:Enum=Active;DryRun
type WarmPoolMode string

// The modes of a WarmPool.
const (
	WarmPoolActive WarmPoolMode = "Active"
	WarmPoolDryRun WarmPoolMode = "DryRun"
)

// WarmNodes says how nodes are brought up ahead of the plan.
type WarmNodes struct {
	// policy is Auto (CapacityBuffer where the cluster has it, else Placeholders), CapacityBuffer, Placeholders or Off.
	// +optional
	// +kubebuilder:default=Auto
	Policy WarmNodesPolicy `json:"policy,omitempty"`
	// lead is how long a node takes to come up, and so how far ahead of the plan it is asked for.
	// +optional
	// +kubebuilder:default="5m"
	Lead Duration `json:"lead,omitempty"`
	// capacity is what the node pool can grow to, by resource name, such as nvidia.com/gpu: 16. Without it nobody is told beforehand that a plan
	// needs more than that.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Capacity map[string]resource.Quantity `json:"capacity,omitempty"`
}

// WarmNodesPolicy is how nodes are held.
//
// +kubebuilder:validation:Enum=Auto;CapacityBuffer;Placeholders;Off
type WarmNodesPolicy string

// The ways to hold nodes.
const (
	WarmNodesAuto           WarmNodesPolicy = "Auto"
	WarmNodesCapacityBuffer WarmNodesPolicy = "CapacityBuffer"
	WarmNodesPlaceholders   WarmNodesPolicy = "Placeholders"
	WarmNodesOff            WarmNodesPolicy = "Off"
)

// WarmImages says how images are brought to the nodes ahead of the plan.
type WarmImages struct {
	// policy is Auto (ImagePullJob where the cluster has it, else Pods), ImagePullJob, Pods or Off.
	// +optional
	// +kubebuilder:default=Auto
	Policy WarmImagesPolicy `json:"policy,omitempty"`
	// lead is how long a pull takes, and so how far ahead of the plan it is begun. An image on disk costs little: be generous.
	// +optional
	// +kubebuilder:default="15m"
	Lead Duration `json:"lead,omitempty"`
	// parallelism is how many nodes pull at a time, per Forecast: a registry serves a few at a time faster than many.
	// +optional
	// +kubebuilder:default=4
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Parallelism int32 `json:"parallelism,omitempty"`
}

// WarmImagesPolicy is how images are pulled.
//
// +kubebuilder:validation:Enum=Auto;ImagePullJob;Pods;Off
type WarmImagesPolicy string

// The ways to pull images.
const (
	WarmImagesAuto         WarmImagesPolicy = "Auto"
	WarmImagesImagePullJob WarmImagesPolicy = "ImagePullJob"
	WarmImagesPods         WarmImagesPolicy = "Pods"
	WarmImagesOff          WarmImagesPolicy = "Off"
)

// WarmPoolStatus is what is warm.
type WarmPoolStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions say what works and what to do about what does not.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// placeholders that there are now, bound to a node or waiting for one.
	// +optional
	Placeholders int32 `json:"placeholders,omitempty"`
	// forecasts are the selected Forecasts, by name; the first 64 where there are more.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Forecasts []WarmForecast `json:"forecasts,omitempty"`
}

// WarmForecast is what is, or in mode DryRun would be, held warm for one Forecast.
type WarmForecast struct {
	// name of the Forecast.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// replicas of the target that there are now, Ready or on their way.
	// +optional
	Replicas int32 `json:"replicas,omitempty"`
	// needed is the most replicas that the plan asks for until a node that is asked for now could have the image.
	// +optional
	Needed int32 `json:"needed,omitempty"`
	// hold is how many replicas' worth of nodes are to be held now: needed less replicas, within the limits.
	// +optional
	Hold int32 `json:"hold,omitempty"`
	// held is how many are.
	// +optional
	Held int32 `json:"held,omitempty"`
	// imageNodes is how many nodes are to have the image now.
	// +optional
	ImageNodes int32 `json:"imageNodes,omitempty"`
	// imageNodesReady is how many of them list it.
	// +optional
	ImageNodesReady int32 `json:"imageNodesReady,omitempty"`
	// nodesBy is what holds nodes: CapacityBuffer, Placeholders or Off.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	NodesBy string `json:"nodesBy,omitempty"`
	// imagesBy is what pulls images: ImagePullJob, Pods or Off.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	ImagesBy string `json:"imagesBy,omitempty"`
	// message says what keeps this Forecast from being warmed, and what to do about it.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
}
